"""Configurations that a GPU's memory will surely not hold, told by the study's own trials before they are trained."""

from __future__ import annotations

from dataclasses import dataclass

from ..config.trial_config import TrialConfig
from ..data.parts import Parts
from ..study.study import Study
from ..training import memory
from ..training.memory_model import MemoryModel, fit_memory
from ..training.provenance import name_device

NEWEST = 200  # trials that the model is fitted to at most


@dataclass(frozen=True, kw_only=True)
class Foresight:
    """A memory model of the study on one GPU, and what that GPU has."""

    model: MemoryModel
    megabytes: float
    classes: int
    pixels: tuple[int, int]

    def is_hopeless(self, config: TrialConfig) -> bool:
        """Never where parts stand still: the model knows of trials that train all."""
        return config.freeze == "none" and self.model.needs_more(config, self.megabytes, classes=self.classes, pixels=self.pixels)

    def describe(self, config: TrialConfig) -> str:
        """Why it is not trained."""
        wanted = self.model.predict(config, classes=self.classes, pixels=self.pixels)
        pieces = f" in {config.micro_batches} micro-batches" if config.micro_batches > 1 else ""
        return f"it would take about {wanted:,.0f} MB{pieces}, by what {self.model.trials} trials took; the GPU has {self.megabytes:,.0f}"


def look_ahead(study: Study, parts: Parts, device: str) -> Foresight | None:
    """What the study's finished trials on this kind of GPU tell; None on a CPU, and while they are too few."""
    if not device.startswith("cuda"):
        return None
    points = []
    newest = study.finished_trials()[-NEWEST:]
    for trial, facts in zip(newest, study.read_facts(newest, "run", "config"), strict=True):
        run, config = facts.get("run", {}), facts.get("config")
        if config is not None and run.get("device") == name_device(device) and trial.intermediate_values and "same_as" not in run:
            theirs = TrialConfig.from_dict(config)
            if theirs.freeze == "none":
                points.append((theirs, float(run["peak_memory_mb"])))
    val = parts.val()
    pixels = (val.height, val.width)
    model = fit_memory(points, classes=parts.classes, pixels=pixels)
    return None if model is None else Foresight(model=model, megabytes=memory.read_total(device), classes=parts.classes, pixels=pixels)
