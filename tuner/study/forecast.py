"""Seconds of an epoch of any configuration of a study, as its own trials foretell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING

from ..config.trial_config import TrialConfig
from .cost_model import CostModel, Features, describe_features, expect_epoch, fit_costs
from .facts import read_seconds

if TYPE_CHECKING:
    from .study import Study

NEWEST = 40  # trials that it is learnt from at most: counting a network's size takes some milliseconds
CLASSES = 10  # of a study of version 0.1.0, which does not say


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is known of the study's epochs: a configuration's features, and the seconds of an epoch of it."""

    classes: int
    points: Sequence[tuple[Features, float]] = ()

    @cached_property
    def model(self) -> CostModel | None:
        return fit_costs(self.points)

    def predict(self, config: TrialConfig, measured: Sequence[float] = ()) -> float | None:
        """Seconds of the next epoch of a trial that took `measured` for those before; None where nothing is known."""
        return self.predict_features(describe_features(config, self.classes), measured)

    def predict_features(self, features: Features, measured: Sequence[float] = ()) -> float | None:
        if self.model is not None:
            return expect_epoch(measured, self.model.predict(features))
        return expect_epoch(measured) or (median(seconds for _, seconds in self.points) if self.points else None)


def count_classes(study: Study) -> int:
    return len(study.classes) if study.classes else CLASSES


def read_forecast(study: Study) -> Forecast:
    """From the newest trials that were trained, finished or not; networks are built to count them. Errors: those of the storage."""
    return Forecast(classes=count_classes(study), points=list_points(study, quickly=False))


def list_points(study: Study, *, quickly: bool) -> list[tuple[Features, float]]:
    """The newest trials' features and seconds of an epoch; `quickly` as in `describe_features`."""
    rows = [row for row in study.frozen_trials() if row.intermediate_values][-NEWEST:]
    classes, points = count_classes(study), []
    for facts in study.read_facts(rows, "config", "curve", "run"):
        seconds = expect_epoch(read_seconds(facts))
        if seconds is not None and "config" in facts:
            points.append((describe_features(TrialConfig.from_dict(facts["config"]), classes, quickly=quickly), seconds))
    return points
