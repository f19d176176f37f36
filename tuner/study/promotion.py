"""Pause and promote: which paused trial goes on next, as pure functions of what a study's rows hold.

A trial pauses at its first rung and at each later rung where it is not among the best, or where enough went on before it.
When no new trial may start, the paused ones race: the one most likely to end better than the best so far goes on by one
level, until none is likely enough. What the audit finds can make them likelier, so that the race goes on where early ranks
mislead. Any worker, after any interruption, comes to the same answer, because nothing else is read.

All curves here are logarithms of the best error so far, one a level of epochs: `best[trial][epoch - 1]`. So lower is better.

Where a study has a cost beside accuracy (`costs`, by trial), a trial is judged within its size class: by those alone that cost no more
than it does. So a small network is not given up because larger ones are more accurate. At a rung a trial stands by how far it is behind
the best of its class there, and who is behind none goes on in any case; in the race it runs against the best finished trial of its
class, and where there is none it goes on to its end. So a trial of the front is lost only as the best trial is lost in a study
without a cost: when it falls behind trials that cost no more, and its likelihood of a better end, learnt from the study's own
curves, is below `chance`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

HOPELESS = 0.1  # of the least chance in the race: below it a checkpoint is not kept
Curves = Mapping[int, Sequence[float]]  # by trial number, one figure an epoch
Costs = Mapping[int, float]  # by trial number

DIVISIONS = 16  # the first rung is at this part of the longest training
PRIOR_WEIGHT = 3.0  # of what is believed about a change before any trial has shown it, in trials
PRIOR_SPREAD = 0.3  # of a change over a doubling of epochs, in spreads of the first rung
SURPLUS = 1.25  # times its share of the trials at a rung may go on from it
SMALLEST_ERROR = 1e-6  # whose logarithm stands for an error of 0
NONE: Mapping[int, float] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """The rule's parameters.

    `epochs` is the longest training, `fraction` the part of a rung that goes on where rungs double, `first` the epoch of the
    first rung (None for a sixteenth of `epochs`), `chance` the least likelihood of a new best for which a paused trial goes on.
    `audit` is the part of the trials that are trained to the end whatever their rank (see `audit.py`; 0 for none). `val_images`
    says that errors are fractions of so many images: a trial that is behind the last one promoted by less than that figure's
    own binomial error goes on too. None where errors are something else. Errors: ValueError for a value that makes no sense.
    """

    epochs: int
    fraction: float = 0.4
    first: int | None = None
    chance: float = 0.015
    audit: float = 0.05
    val_images: int | None = None

    def __post_init__(self) -> None:
        for name, value, least in (("epochs", self.epochs, 1), ("first", self.first, 1), ("val_images", self.val_images, 1)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ValueError(f"{name} must be a whole number from {least}, not {value!r}")
        for name, number, low, high in (("fraction", self.fraction, 0, 1), ("chance", self.chance, 0, 1), ("audit", self.audit, -1, 1)):
            if isinstance(number, bool) or not isinstance(number, int | float) or not (low < number <= high) or number < 0:
                raise ValueError(f"{name} must be {'from' if low < 0 else 'above'} 0 and at most 1, not {number!r}")

    @property
    def rungs(self) -> list[int]:
        """Epochs after which a trial pauses while new ones may start: doubled from the first, all before the last."""
        start = self.first or self.epochs / DIVISIONS
        doublings = range(max(1, math.ceil(math.log2(max(self.epochs / start, 1)))) + 1)
        found = {max(1, round(start * 2**i)) for i in doublings}
        return sorted(epoch for epoch in found if epoch < self.epochs)

    @property
    def levels(self) -> list[int]:
        """Epochs after which a trial pauses in the race: the rungs, and every sixteenth from the first one on."""
        rungs = self.rungs
        return sorted({*rungs, *range(rungs[0], self.epochs, max(1, round(self.epochs / DIVISIONS)))}) if rungs else []


def to_curve(errors: Iterable[float]) -> list[float]:
    """The logarithm of the best error so far, after each epoch."""
    best: list[float] = []
    for error in errors:
        logarithm = math.log(max(error, SMALLEST_ERROR))
        best.append(min(logarithm, best[-1]) if best else logarithm)
    return best


def find_promoted(rule: Promotion, best: Curves, paused: Mapping[int, int], costs: Costs | None = None) -> int | None:
    """The paused trial that its rung lets go on, from the highest rung down. `paused` gives the epoch of each paused trial."""
    rungs = rule.rungs
    for epoch, following in reversed(list(zip(rungs, [*rungs[1:], rule.epochs], strict=True))):
        values = {trial: curve[epoch - 1] for trial, curve in best.items() if len(curve) >= epoch}
        behind = values if costs is None else _measure_gaps(values, costs)
        reached = sorted((value, trial) for trial, value in behind.items())
        share = rule.fraction ** math.log2(following / epoch)
        places, enough = int(len(reached) * share + 1e-9), _sent_enough(best, values, epoch, share)
        cut = reached[places - 1][0] + _noise(rule, values[reached[places - 1][1]]) if places else -math.inf
        for place, (value, trial) in enumerate(reached):
            if place >= places and value >= cut and (costs is None or value > 0):
                break
            if paused.get(trial) == epoch and not (enough and (costs is None or value > 0)):
                return trial
    return None


def _sent_enough(best: Curves, reached: Collection[int], epoch: int, share: float) -> bool:
    """Whether so many of the trials at a rung went on that the next one has to wait until more have come, or for the race.

    Where a sampler learns, each trial is among the best of all before it, and where few images tell them apart many are as good as
    the last one promoted: nearly all would go on.
    """
    return sum(len(best[trial]) > epoch for trial in reached) >= SURPLUS * share * len(reached)


def _measure_gaps(values: Mapping[int, float], costs: Costs) -> dict[int, float]:
    """How far each trial is behind the best that costs no more; 0 where there is no better one."""
    gaps, best = {}, math.inf
    for _, value, trial in sorted((costs[trial], value, trial) for trial, value in values.items()):
        best = min(best, value)
        gaps[trial] = value - best
    return gaps


def _noise(rule: Promotion, logarithm: float) -> float:
    """By how much an error's logarithm may differ by the choice of validation images alone: one binomial standard error."""
    error = math.exp(logarithm)
    if rule.val_images is None or not 0 < error < 1:
        return 0.0
    return math.log1p(math.sqrt((1 - error) / (error * rule.val_images)))


def find_raced(
    rule: Promotion,
    best: Curves,
    final: Mapping[int, float],
    paused: Mapping[int, int],
    costs: Costs | None = None,
    audited: Mapping[int, float] = NONE,
) -> int | None:
    """The paused trial that is worth one level more when no new one may start; None where all may be given up.

    `final` gives the logarithm of the error of each trial that was trained to its last epoch, `audited` of those that were only
    trained to it for the audit.
    """
    if not final:
        return min(paused, key=lambda trial: (-paused[trial], best[trial][-1], trial), default=None)
    chances = estimate_chances(rule, best, final, paused, costs, audited)
    trial = max(chances, key=lambda trial: (chances[trial], paused[trial], -trial), default=None)
    return trial if trial is not None and chances[trial] >= rule.chance else None


def estimate_chances(
    rule: Promotion,
    best: Curves,
    final: Mapping[int, float],
    paused: Mapping[int, int],
    costs: Costs | None = None,
    audited: Mapping[int, float] = NONE,
) -> dict[int, float]:
    """How likely each paused trial is to end better than the best so far; with `costs` than the best that costs no more."""
    if not paused:
        return {}
    mean, spread = estimate_changes(rule, best, final, audited)
    places = {epoch: place for place, epoch in enumerate(rule.levels)}
    level = np.array([places[epoch] for epoch in paused.values()])
    now = np.array([best[trial][epoch - 1] for trial, epoch in paused.items()])
    ends = {**final, **audited}
    incumbent = np.array(
        [find_incumbent(ends, costs, trial) for trial in paused] if costs is not None else min(ends.values(), default=math.inf)
    )
    return dict(zip(paused, ndtr((incumbent - now - mean[level]) / spread[level]).tolist(), strict=True))


def find_hopeless(
    rule: Promotion, best: Curves, final: Mapping[int, float], paused: Mapping[int, int], audited: Mapping[int, float] = NONE
) -> set[int]:
    """The paused trials that will hardly go on any more: neither near a place to be promoted, nor with a chance in the race."""
    chances = estimate_chances(rule, best, final, paused, audited=audited)
    unlikely = [number for number in paused if chances[number] < rule.chance * HOPELESS]
    found = set()
    for rung, following in zip(rule.rungs, [*rule.rungs[1:], rule.epochs], strict=True):
        reached = sorted(curve[rung - 1] for curve in best.values() if len(curve) >= rung)
        places = len(reached) * rule.fraction ** math.log2(following / rung)
        waiting = [number for number in unlikely if rung <= paused[number] < following]
        found |= {number for number in waiting if bisect_left(reached, best[number][rung - 1]) > 2 * places}
    return found


def find_incumbent(final: Mapping[int, float], costs: Costs | None, trial: int) -> float:
    """The error of the finished trial that this one has to beat; infinite where there is none."""
    return min((error for other, error in final.items() if costs is None or costs[other] <= costs[trial]), default=math.inf)


def predict_errors(rule: Promotion, best: Curves, final: Mapping[int, float], paused: Mapping[int, int]) -> dict[int, float]:
    """The error at the end that is expected of each paused trial: what a sampler is told of it."""
    if not paused:
        return {}
    mean, _ = estimate_changes(rule, best, final)
    levels = rule.levels
    return {trial: math.exp(best[trial][epoch - 1] + mean[levels.index(epoch)]) for trial, epoch in paused.items() if epoch in levels}


def estimate_changes(
    rule: Promotion, best: Curves, final: Mapping[int, float], audited: Mapping[int, float] = NONE
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and spread of the change from each level to the end, learnt from the study's own trials and shrunk towards a prior.

    The mean is learnt from `final`, which the rule itself chose among the best. Of the `audited`, which it had given up, counts by
    how much they ended better than that mean foretold: it is by such surprises alone that the rule could have lost a winner.
    """
    levels = rule.levels
    count = len(levels)

    def at(trial: int, level: int) -> float:
        return best[trial][levels[level] - 1] if level < count else final[trial]

    reached = [[trial for trial, curve in best.items() if len(curve) >= epoch] for epoch in levels] + [list(final)]
    first = [at(trial, 0) for trial in reached[0]]
    quarter, three_quarters = np.percentile(first, [25, 75])
    unit = max(float(three_quarters - quarter) / 1.35, 1e-4)
    mean, variance = np.zeros(count), np.zeros(count)
    for level in range(count):  # from level to level: many trials, but the steps of one trial are not independent
        changes = np.array([at(trial, level + 1) - at(trial, level) for trial in reached[level + 1]])
        n = len(changes)
        mean[level] = changes.mean() if n else 0.0
        prior = (PRIOR_SPREAD * unit) ** 2 * math.log2([*levels, rule.epochs][level + 1] / levels[level])
        squares = float(((changes - mean[level]) ** 2).sum())
        variance[level] = (PRIOR_WEIGHT * prior + squares) / (PRIOR_WEIGHT + max(n - 1, 0)) * (1 + 1 / max(n, 1))
    mean, variance = np.cumsum(mean[::-1])[::-1], np.cumsum(variance[::-1])[::-1]
    if not final:
        return mean, np.sqrt(variance)
    # From the level to the end: few trials, but it is what is asked for.
    n = len(final)
    to_end = np.array([[at(trial, count) - at(trial, level) for level in range(count)] for trial in final])
    seen = to_end.mean(0)
    squares = ((to_end - seen) ** 2).sum(0)
    mean = (n * seen + PRIOR_WEIGHT * mean) / (n + PRIOR_WEIGHT)
    for trial, end in audited.items():
        changes = end - np.array([at(trial, level) for level in range(count)])
        squares += np.minimum(changes - mean, 0.0) ** 2
    weight = PRIOR_WEIGHT + n - 1 + len(audited)
    return mean, np.sqrt((PRIOR_WEIGHT * variance + squares) / weight * (1 + 1 / n))
