"""How sure an accuracy is that was counted on so many images, and which trials can be told apart by it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from .objectives import read_accuracy
from .study import Study
from .trials import rank_complete

CONFIDENCE = 0.95
LEVEL = 0.05  # below it a difference is taken as real


def find_interval(hits: int, images: int) -> tuple[float, float]:
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


@dataclass(frozen=True, kw_only=True)
class Certainty:
    """A trial's accuracy on `images` validation images, with its 95 % interval, beside the study's other COMPLETE trials.

    `tied` are the numbers of those that cannot be told apart from it, the most accurate first; `others` is how many there are,
    and `gap` the least difference below it that could be told. Trials that took over another's figures do not count.
    """

    number: int
    value: float
    images: int
    low: float
    high: float
    gap: float
    tied: tuple[int, ...]
    others: int


def measure_certainty(study: Study, number: int | None = None) -> Certainty | None:
    """Of the best trial, or the COMPLETE one of that number. None without one, and where the count of images is not known.

    It is not known of a study that was searched last by a version that did not write it down.
    """
    complete = rank_complete(study, copies=False)
    mine = next((trial for trial in complete if number is None or trial.number == number), None)
    images = study.val_images
    if mine is None or images is None:
        return None
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
