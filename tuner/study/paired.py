"""Configurations trained again on the same seeds: their means, and which of them differ.

A seed draws a network's first weights, the order of the images, and which images are held out for validation. All configurations
share the seeds, so that their accuracies are compared pair by pair: what one seed makes easy for all cancels out.

Splits that overlap. The splits of one set of images train on much the same images, so their accuracies depend on each other, and a
plain paired t test, which takes them for independent, is too sure. Nadeau and Bengio, Inference for the Generalization Error, Machine
Learning 52 (2003), correct it: of J splits into n1 images to train and n2 to validate on, the variance of a mean is (1/J + n2/n1) times
the variance over the splits, not 1/J times. However many seeds there are, n2/n1 stays: new seeds are no new images. Where a study trains
on a part of the images (`train_images`), each seed draws another part of all, which overlaps less: there intervals are rather too wide.

Comparisons that are chosen after looking. Which of them matters is only seen when the best is known. So the intervals of all pairs
hold at once, with 95 %, and whichever turns out to be the best may be picked: Tukey's range test, with the seeds as blocks. It takes
one variance for all pairs, which few seeds tell far better than each pair's own: with five seeds and four configurations, one of them
three points below the others, it tells that one from all three in 98 of 100 runs, Bonferroni's t tests in 47 (a run spreads by 0.7
points). But where one configuration is unstable and the others are not, one variance is too sure of that one, and a search likes to pick
the lucky run of such a one. So a pair's spread is its own where that is the larger one. That finds 93 of 100, and raises a false alarm in
5 of 100 runs where one of ten configurations spreads ten times as much as the others, not in 23; where one of four spreads six times
as much, in 6, not in 11. All this is for splits that overlap as much as the correction allows for; `tests/test_paired.py` has it. Of two
configurations it is the corrected t test itself. With fewer than five seeds a pair's own spread says little (four seeds: 8, not 6).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

LEVEL = 0.05


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean accuracy, with its own 95 % interval. All are fractions."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much more accurate `first` is than `second` on the mean, never below 0: `gap`, plus or minus `half`.

    The interval holds together with those of all pairs among the `configurations`. `error` is the difference's standard error,
    whose variance has so many degrees of `freedom`.
    """

    first: int
    second: int
    gap: float
    half: float
    error: float
    configurations: int
    freedom: int

    @property
    def is_real(self) -> bool:
        """Whether the two can be told apart."""
        return self.gap > self.half

    @property
    def p(self) -> float:
        """How often the widest of all gaps is as wide, measured in its error, where all configurations are the same."""
        from scipy.stats import studentized_range

        found = studentized_range.sf(math.sqrt(2) * self.gap / self.error, self.configurations, self.freedom)
        return min(1.0, max(0.0, float(found)))


def measure_mean(values: Sequence[float], *, train: int, validation: int) -> Mean:
    """The mean of accuracies, one a seed, and its interval: the corrected t. `train` and `validation` count the images of a split."""
    from scipy.stats import t

    spread = max(float(np.std(values, ddof=1)), _find_rounding(validation))
    half = float(t.ppf(1 - LEVEL / 2, len(values) - 1)) * spread * _shrink(len(values), train, validation)
    mean = float(np.mean(values))
    return Mean(value=mean, low=max(0.0, mean - half), high=min(1.0, mean + half))


def compare_pairs(values: Mapping[int, Sequence[float]], *, train: int, validation: int) -> list[Difference]:
    """Every pair of configurations. `values` are accuracies by the configuration's number, one a seed and in one order of the seeds."""
    if len(values) < 2:
        return []
    table = np.array(list(values.values()), dtype=np.float64)
    count, seeds = table.shape
    freedom = (count - 1) * (seeds - 1)
    common = _pool_spread(table, freedom)
    pairs = []
    for (first, mine), (second, theirs) in combinations(zip(values, table, strict=True), 2):
        apart = mine - theirs
        # Counts are whole: where all seeds gave the same, the spread is still that of rounding.
        spread = max(common, float(np.std(apart, ddof=1)), math.sqrt(2) * _find_rounding(validation))
        error = spread * _shrink(seeds, train, validation)
        gap = float(np.mean(apart))
        pairs.append(
            Difference(
                first=first if gap >= 0 else second,
                second=second if gap >= 0 else first,
                gap=abs(gap),
                half=_find_quantile(count, freedom) / math.sqrt(2) * error,
                error=error,
                configurations=count,
                freedom=freedom,
            )
        )
    return pairs


def _pool_spread(table: npt.NDArray[np.float64], freedom: int) -> float:
    """The spread of a difference at one seed: what neither the configuration nor the seed explains, twice."""
    rest = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    return math.sqrt(2 * float((rest**2).sum()) / freedom)


def _shrink(seeds: int, train: int, validation: int) -> float:
    """What a spread over seeds is to be multiplied with to be that of their mean."""
    return math.sqrt(1 / seeds + validation / train)


def _find_rounding(validation: int) -> float:
    """The spread that an accuracy has because it is a count of images."""
    return 1 / (math.sqrt(12) * validation)


@cache
def _find_quantile(configurations: int, freedom: int) -> float:
    """Tukey's, which takes a third of a second."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - LEVEL, configurations, freedom))
