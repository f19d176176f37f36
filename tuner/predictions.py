"""What a trial's kept weights say of each image of the validation part."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from . import checkpoint
from .config import DataConfig
from .data import Dataset, load, split
from .data.dataset import Array
from .data.parts import Parts
from .errors import TunerError
from .models.merged import Folded
from .objective import checkpoint_path
from .places import cores
from .study.record import Record
from .study.trials import TrialRow
from .train import Run, autocast, build, fast

BATCH = 64


class NoPredictions(Exception):
    """There are none to be had; the text is the reason."""


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """For N images: uint8 `images` (N, H, W, 3), int64 `labels` and `guesses` (N,), float `sureness` (N,) of the guess."""

    classes: tuple[str, ...]
    images: Array
    labels: Array
    guesses: Array
    sureness: Array

    @property
    def accuracy(self) -> float:
        return float((self.labels == self.guesses).mean())

    def matrix(self) -> Array:
        """Counts, int64 (true class, predicted class)."""
        counts = np.zeros((len(self.classes), len(self.classes)), dtype=np.int64)
        np.add.at(counts, (self.labels, self.guesses), 1)
        return counts

    def most_wrong(self, count: int) -> list[int]:
        """The images with a wrong guess, the surest of them first."""
        wrong = np.flatnonzero(self.labels != self.guesses)
        return [int(index) for index in wrong[np.argsort(-self.sureness[wrong], kind="stable")][:count]]

    def confused(self, count: int) -> list[tuple[str, str, int]]:
        """The true and predicted classes that were mixed up most often, and how often."""
        counts = self.matrix()
        np.fill_diagonal(counts, 0)
        pairs = [(int(t), int(p)) for t, p in np.argwhere(counts)]
        pairs.sort(key=lambda pair: (-int(counts[pair]), pair))
        return [(self.classes[t], self.classes[p], int(counts[t, p])) for t, p in pairs[:count]]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A trial's run as its checkpoint left it, and the images it was scored on."""

    run: Run
    dataset: Dataset
    rows: Array  # of the validation part

    def predictions(self) -> Predictions:
        """What its weights say of each image. Uses all cores."""
        run = self.run
        torch.set_num_threads(cores())
        device = next(run.network.parameters()).device
        plain = build(run.config, len(self.dataset.classes))
        plain.load_state_dict(run.weights())
        folded = Folded(fast(plain, device))
        folded.refresh()
        assert run.val is not None
        precision = run.config.precision if device.type == "cuda" else "fp32"
        logits = []
        with torch.inference_mode(), autocast(device, precision):
            for some in torch.split(torch.arange(len(run.val), device=device), BATCH):
                logits.append(folded(run.val.batch(some)[0]).float().cpu())
        sureness, guesses = torch.cat(logits).softmax(1).max(1)
        return Predictions(
            classes=self.dataset.classes,
            images=self.dataset.train_images[self.rows],
            labels=self.dataset.train_labels[self.rows],
            guesses=guesses.numpy(),
            sureness=sureness.numpy(),
        )


def kept(record: Record, row: TrialRow, device: str) -> Kept:
    """The trial's run from its checkpoint. Errors: NoPredictions where it is gone, or the images are."""
    assert row.config is not None
    source: DataConfig = replace(row.config.data, source=record.config.data.source)
    # A trial of the same configuration as an earlier one took over its figures, and left the weights with it.
    path = checkpoint_path(record, int(row.run.get("same_as", row.number)))
    if not path.with_name(f"{path.name}.json").exists():
        raise NoPredictions(f"the weights of trial {row.number} are not kept")
    try:
        dataset = load(source)
    except TunerError as error:
        raise NoPredictions(f"its images are not here ({error.message})") from None
    if dataset.fingerprint != record.data:
        raise NoPredictions(f"the images of {source.source!r} are no longer those of the study")
    _, rows = split(dataset, source)
    parts = Parts(dataset, source, device)
    run = Run(row.config, parts.train("none"), parts.val(), classes=parts.classes, device=device)
    try:
        if not checkpoint.load(path, run, study=record.uid):
            raise NoPredictions(f"the weights of trial {row.number} are not kept")
    except checkpoint.CheckpointError as fault:
        raise NoPredictions(f"the weights of trial {row.number} cannot be read ({fault})") from None
    return Kept(run=run, dataset=dataset, rows=rows)
