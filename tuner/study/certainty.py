"""How sure a trial's value is that was counted on so many images, and which trials can be told apart by it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from .objectives import read_accuracy
from .study import Study
from .trials import TrialRow, count_epochs, rank_complete

CONFIDENCE = 0.95
LEVEL = 0.05  # below it a difference is taken as real
Interval = tuple[float, float]


def find_interval(hits: int, images: int) -> Interval:
    """Wilson's 95 % interval for a share of hits."""
    from scipy.stats import binomtest

    found = binomtest(hits, images).proportion_ci(CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


def can_tell_apart(first: int, second: int, images: int) -> bool:
    """Whether so many hits on `images` images each differ by more than chance: Fisher's exact test, two-sided, at 5 %.

    Which images a trial has right is not kept, so the test is that of two separate samples. On the same images a paired
    test (`tuner compare`) may tell apart what this one cannot.
    """
    from scipy.stats import fisher_exact

    return bool(fisher_exact([[first, images - first], [second, images - second]]).pvalue < LEVEL)


def find_least_tied(hits: int, images: int) -> int:
    """The fewest hits that cannot be told apart from `hits`."""
    return bisect_left(range(hits), True, key=lambda fewer: not can_tell_apart(hits, fewer, images))


def can_tell_values_apart(first: float, second: float, intervals: tuple[Interval, Interval]) -> bool:
    """Whether two values differ by more than chance, by the 95 % interval of their difference.

    It is made of the interval of each as Zou and Donner do it: Construction of confidence limits about effect measures,
    Statistics in Medicine 27, 2008. As for `can_tell_apart`, both are taken for separate samples.
    """
    (low, high), (other_low, other_high) = intervals
    gap = first - second
    below, above = math.hypot(first - low, other_high - second), math.hypot(high - first, second - other_low)
    return not gap - below <= 0 <= gap + above


def find_row_interval(row: TrialRow, images: int | None) -> Interval | None:
    """The 95 % interval of a COMPLETE trial's value; None where there is none for the objective, or what it takes is not known."""
    if row.state != "COMPLETE" or row.value is None:
        return None
    if row.objective.counted:
        return None if images is None else find_interval(round(row.value * images), images)
    return read_interval(row.epochs[count_epochs(row) - 1]) if row.objective.also and row.epochs else None


def may_be_chance(first: TrialRow, second: TrialRow, images: int | None) -> bool:
    """Whether two COMPLETE trials cannot be told apart; False where that cannot be said."""
    if images is not None and first.objective.counted:
        return not can_tell_apart(round((first.value or 0.0) * images), round((second.value or 0.0) * images), images)
    intervals = [find_row_interval(row, images) for row in (first, second)]
    if intervals[0] is None or intervals[1] is None:
        return False
    return not can_tell_values_apart(first.value or 0.0, second.value or 0.0, (intervals[0], intervals[1]))


def read_interval(epoch: Mapping[str, Any]) -> Interval:
    """The one that stands among an epoch's figures."""
    return epoch["val_low"], epoch["val_high"]


@dataclass(frozen=True, kw_only=True)
class Certainty:
    """A trial's value on `images` validation images, with its 95 % interval, beside the study's other COMPLETE trials.

    `tied` are the numbers of those that cannot be told apart from it, the best first; `others` is how many there are,
    and `gap` the least difference below it that could be told. Trials that took over another's figures do not count.
    They are told apart by Fisher's `exact` test on hits; else, where shares of classes are averaged, by their intervals,
    and `gap` is that of a trial whose interval is as wide.
    """

    number: int
    value: float
    images: int
    low: float
    high: float
    gap: float
    tied: tuple[int, ...]
    others: int
    exact: bool = True

    @property
    def test(self) -> str:
        """How trials were told apart, in words."""
        return "Fisher's exact test at 5 %" if self.exact else "the 95 % interval of the difference"


def measure_certainty(study: Study, number: int | None = None) -> Certainty | None:
    """Of the best trial, or the COMPLETE one of that number. None without one, where the count of images is not known, and for an
    objective that no interval is given for.

    The count is not known of a study that was searched last by a version that did not write it down.
    """
    complete = rank_complete(study, copies=False)
    mine = next((trial for trial in complete if number is None or trial.number == number), None)
    if mine is None or study.val_images is None or not study.objective.has_interval:
        return None
    return _count_hits(mine, complete, study.val_images) if study.objective.counted else _compare_intervals(mine, complete, study)


def _count_hits(mine: FrozenTrial, complete: Sequence[FrozenTrial], images: int) -> Certainty:
    hits = round((read_accuracy(mine) or 0.0) * images)
    low, high = find_interval(hits, images)
    least = find_least_tied(hits, images)
    most = images - find_least_tied(images - hits, images)  # the test is the same for hits and misses
    others = [(trial.number, round((read_accuracy(trial) or 0.0) * images)) for trial in complete if trial is not mine]
    return Certainty(
        number=mine.number,
        value=read_accuracy(mine) or 0.0,
        images=images,
        low=low,
        high=high,
        gap=(hits - least + 1) / images,
        tied=tuple(other for other, theirs in others if least <= theirs <= most),
        others=len(others),
    )


def _compare_intervals(mine: FrozenTrial, complete: Sequence[FrozenTrial], study: Study) -> Certainty | None:
    curves = {row.number: facts.get("curve") for row, facts in zip(complete, study.read_facts(complete, "curve"), strict=True)}
    best = study.config.value == "best"
    intervals = {
        number: read_interval(min(curve, key=lambda epoch: study.objective.place(epoch[study.objective.key])) if best else curve[-1])
        for number, curve in curves.items()
        if curve
    }
    if mine.number not in intervals:
        return None
    value, (low, high) = mine.value or 0.0, intervals[mine.number]
    others = [row for row in complete if row is not mine and row.number in intervals]
    tied = [row.number for row in others if not can_tell_values_apart(value, row.value or 0.0, ((low, high), intervals[row.number]))]
    return Certainty(
        number=mine.number,
        value=value,
        images=study.val_images or 0,
        low=low,
        high=high,
        gap=math.hypot(value - low, high - value),
        tied=tuple(tied),
        others=len(others),
        exact=False,
    )
