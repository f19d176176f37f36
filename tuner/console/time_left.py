"""How long a running search will still take, from what its own trials cost.

Trials that have ended are the short ones first, so their mean alone is too little early on; those in training at any moment are
the long ones, so with them it is too much. Each trial that was begun counts as far as it has come, with the seconds of all its epochs
as `study/cost_model.py` expects them, times the part of that which trials of this study were trained for (the pruner ends some
of them early). What is still to come is handed out to the workers one trial after the other, as they will take them.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..config.trial_config import TrialConfig
from ..study.cost_model import Features, describe_features, expect_epoch
from ..study.forecast import Forecast

MOST_DEALT = 500  # trials to come that are handed out one by one; more are divided evenly


@dataclass
class _Seen:
    """A trial that was begun: seconds of each epoch that it has, by epoch."""

    features: Features
    epochs: int
    seconds: dict[int, float] = field(default_factory=dict)
    begun: float | None = None  # when its training began, and ended, here
    ended: float | None = None
    new: float = 0.0  # seconds of the epochs that were trained here

    @property
    def measured(self) -> list[float]:
        return [self.seconds[epoch] for epoch in sorted(self.seconds)]


class TimeLeft:
    """Takes in what happens to the trials of one search, and says how long the rest will take. Times are the caller's, in seconds."""

    def __init__(self, workers: int, classes: int, known: Sequence[tuple[Features, float]] = ()) -> None:
        """`known` are features and epoch seconds of trials before this search."""
        self._workers = max(1, workers)
        self._classes = classes
        self._known = list(known)
        self._seen: dict[int, _Seen] = {}
        self._forecast: Forecast | None = None

    def begin(self, number: int, config: TrialConfig, now: float) -> None:
        """A trial is trained from here on. One that went on keeps its epochs."""
        if number not in self._seen:
            self._seen[number] = _Seen(features=describe_features(config, self._classes, quickly=True), epochs=config.epochs)
        self._seen[number].begun, self._seen[number].ended = now, None

    def epoch(self, number: int, epoch: int, seconds: float, *, new: bool) -> None:
        if (seen := self._seen.get(number)) is not None:
            seen.new += seconds if new and epoch not in seen.seconds else 0.0
            seen.seconds[epoch] = seconds
            self._forecast = None

    def end(self, number: int, now: float) -> None:
        """It has its outcome, and is not trained any more."""
        if (seen := self._seen.get(number)) is not None:
            seen.ended = now

    def estimate(self, remaining: int, trained: Mapping[int, float]) -> float | None:
        """Seconds until the search has its total; None while no trial has ended.

        `remaining` are the trials without an outcome, those in training included: of these `trained` has the epochs so far, by number.
        """
        whole = {number: each * seen.epochs for number, seen in self._seen.items() if (each := self._expect(seen)) is not None}
        ended = [number for number, seconds in whole.items() if seconds > 0 and self._seen[number].ended is not None]
        if not ended or remaining <= 0:
            return None
        part = min(1.0, sum(sum(self._seen[number].measured) for number in ended) / sum(whole[number] for number in ended))
        weights = {number: min(1.0, trained[number] / self._seen[number].epochs) if number in trained else 1.0 for number in whole}
        mean = part * sum(weights[number] * whole[number] for number in whole) / sum(weights.values())
        loads = [0.0] * self._workers
        for place, (number, epochs) in enumerate(trained.items()):
            rest = whole[number] * part * max(0.0, 1 - epochs / self._seen[number].epochs) if number in whole else mean
            loads[place % self._workers] += rest
        return self._count_overhead(ended) * _deal(loads, max(0, remaining - len(trained)), mean)

    def _expect(self, seen: _Seen) -> float | None:
        """Seconds of one of its epochs."""
        if self._forecast is None:
            points = [(each.features, known) for each in self._seen.values() if (known := expect_epoch(each.measured)) is not None]
            self._forecast = Forecast(classes=self._classes, points=[*self._known, *points])
        return self._forecast.predict_features(seen.features, seen.measured)

    def _count_overhead(self, ended: Sequence[int]) -> float:
        """Time at a trial over the seconds of its epochs: networks are built and checkpoints written too."""
        here = [seen for number in ended if (seen := self._seen[number]).begun is not None and seen.new > 0]
        spent, trained = sum((seen.ended or 0.0) - (seen.begun or 0.0) for seen in here), sum(seen.new for seen in here)
        return max(1.0, spent / trained) if trained else 1.0


def _deal(loads: list[float], count: int, seconds: float) -> float:
    """When the last worker is done, if each takes the next of `count` trials of so many seconds as soon as it is free."""
    if count > MOST_DEALT:
        return (sum(loads) + count * seconds) / len(loads)
    heapq.heapify(loads)
    for _ in range(count):
        heapq.heapreplace(loads, loads[0] + seconds)
    return max(loads)
