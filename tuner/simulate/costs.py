"""What a pruner costs and what it loses: many replays of one set of curves, each in another order of configurations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .recording import Recording
from .replay import Replay, replay
from .rules import MakeRule

TOP = 0.02  # of all configurations: one of them is what a search looks for
MOST = 60  # whole trainings after which a search that found none is given up
INTERVAL = (2.5, 97.5)  # percentiles
RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean with its 95 % interval by bootstrap."""

    mean: float
    low: float
    high: float

    def to_list(self) -> list[float]:
        return [round(each, 4) for each in (self.mean, self.low, self.high)]


@dataclass(frozen=True, kw_only=True)
class Search:
    """Searches for a top configuration: whole trainings spent, MOST where `missed`, one figure a seed."""

    trainings: NDArray[np.float64]
    missed: int

    def relative_to(self, other: Search) -> Estimate:
        """The mean cost as a part of the other's, over the same seeds."""
        return _estimate_ratio(self.trainings, other.trainings)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Searches of so many trials: the part of their epochs that was trained, and the points of accuracy that the winner lacks
    to the best of them, one figure a seed."""

    share: Estimate
    points: Estimate


def search_top(recording: Recording, make: MakeRule, *, seeds: Sequence[int], workers: int) -> Search:
    """Search until a configuration of the top 2 % was trained to its end."""
    final = recording.errors[:, -1]
    target = float(np.sort(final)[int(len(final) * TOP)])
    found: list[float] = []
    missed = 0
    for seed in seeds:
        done = replay(
            recording,
            make(recording.epochs, seed),
            seed=seed,
            workers=workers,
            budget=MOST * recording.epochs,
            target=target,
        )
        reached = bool(done.completions) and done.completions[-1].error <= target
        missed += not reached
        found.append(done.spent / recording.epochs if reached else MOST)
    return Search(trainings=np.array(found), missed=missed)


def search_all(recording: Recording, make: MakeRule, *, seeds: Sequence[int], workers: int, trials: int) -> Budget:
    """Search `trials` configurations, as one does who has a fixed number in mind.

    The curves are drawn with repetition for each seed but the first, so the interval is for curves like these.
    """
    shares, points = [], []
    for place, seed in enumerate(seeds):
        curves = recording if place == 0 else recording.resample(np.random.default_rng([seed, 1]))
        done = replay(curves, make(curves.epochs, seed), seed=seed, workers=workers, trials=trials)
        shares.append(done.spent / (trials * curves.epochs))
        points.append(100 * _lacking(curves, done))
    return Budget(share=_spread(shares), points=_spread(points))


def _lacking(curves: Recording, done: Replay) -> float:
    """By how much the best error of a completed trial is above the best that any of those begun would have had."""
    ends = curves.errors[done.configurations, -1]
    best = min((completion.error for completion in done.completions), default=float(np.median(ends)))
    return float(best - ends.min())


def _estimate_ratio(over: NDArray[np.float64], under: NDArray[np.float64]) -> Estimate:
    return bootstrap(len(over), lambda chosen: float(over[chosen].mean() / under[chosen].mean()))


def _spread(values: Sequence[float]) -> Estimate:
    low, high = np.percentile(values, INTERVAL)
    return Estimate(mean=float(np.mean(values)), low=float(low), high=float(high))


def bootstrap(count: int, measure: Callable[[NDArray[np.intp]], float]) -> Estimate:
    """What `measure` gives for all of `count` samples, and its 95 % interval over samples drawn from them with repetition."""
    rng = np.random.default_rng(0)
    values = [measure(rng.integers(count, size=count)) for _ in range(RESAMPLES)]
    low, high = np.percentile(values, INTERVAL)
    return Estimate(mean=measure(np.arange(count)), low=float(low), high=float(high))
