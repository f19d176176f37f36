"""Whether a search still gains anything: the rule of `--stop-when-flat`, as pure functions of figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PRIOR_WEIGHT = 3  # of the binomial error beside repeated trainings, in degrees of freedom


@dataclass(frozen=True, kw_only=True)
class Flat:
    """That the newest trials gained nothing: the best value before them, the best among them (None where none of them has one),
    and the noise that a gain would have to exceed. `repeats` are the degrees of freedom that repeated trainings gave it."""

    before: float
    best: float | None
    noise: float
    repeats: int


def find_flat(
    values: Sequence[float | None],
    patience: int,
    *,
    images: int | None,
    repeated: Sequence[Sequence[float]] = (),
    passed: int = 0,
    minimized: bool = False,
) -> Flat | None:
    """That the last `patience` trials brought no gain above noise; None while they did, and while there are too few trials to say.

    `values` are those of the trials that had their turn, in the order in which they were begun:

    - of a COMPLETE trial its value;
    - of one that pauses the value expected at its end, as samplers are told it (`promotion.predict_errors`);
    - None for a PRUNED one, whatever ended it: it used its place and brought nothing.

    FAIL trials gave their place back and copies of others were not trained: neither counts. A trial in training or in the queue
    counts from its first pause on, or from its end. The order of beginning, and not that of ending, asks what the newest
    configurations brought; one of the older ones that gains late, because it is trained longer, needs no new ones for that.

    The rule: with b the best of all trials before the last P, stop if the best of the last P is at most b + noise. That is the
    rule of Makarova et al., "Automatic Termination for Hyperparameter Optimization" (AutoML 2022), which stops when what may still be
    gained is below the statistical error of the incumbent, one standard error; but what may be gained is taken from the last P
    trials, as in early stopping with patience (Prechelt 1998), and not from the confidence bound of a Gaussian process. That bound
    needs a process fitted to a space that all trials share. Here a space may be conditional, the sampler any, and every worker has
    to come to the same answer from the rows alone, soon. Optuna's own `optuna.terminator` is not used: it is deprecated since
    Optuna 4.9 and leaves in 6.0, its `BestValueStagnationEvaluator` knows no noise and no pruned trials, and its
    `CrossValidationErrorEvaluator` asks for several scores of each trial.

    `passed` trials at the beginning belong to an earlier decision that was lifted: the last P have to come after them. Where the
    values are `minimized`, less is better. `images` are given where a value is a share of them.
    """
    sign = -1 if minimized else 1
    gains = [None if value is None else sign * value for value in values]
    if len(gains) < max(passed + patience, patience + 1):
        return None
    earlier = [value for value in gains[:-patience] if value is not None]
    if not earlier:
        return None
    before, best = max(earlier), max((value for value in gains[-patience:] if value is not None), default=None)
    noise, repeats = measure_noise(before, images, repeated)
    if best is not None and best - before > noise:
        return None
    return Flat(before=sign * before, best=None if best is None else sign * best, noise=noise, repeats=repeats)


def measure_noise(accuracy: float, images: int | None, repeated: Sequence[Sequence[float]]) -> tuple[float, int]:
    """One standard deviation of an accuracy, and the degrees of freedom that repeated trainings gave it.

    `repeated` are the values of each configuration that was trained more than once, with other seeds: their pooled variance, shrunk
    towards the binomial one as though that came from three degrees of freedom, because two trainings may agree by chance. Without
    any it is the binomial error of an accuracy counted on `images` validation images; 0 where that is not known either.
    """
    groups = [values for values in repeated if len(values) > 1]
    freedom = sum(len(values) - 1 for values in groups)
    squares = sum((value - sum(values) / len(values)) ** 2 for values in groups for value in values)
    share = min(max(accuracy, 0.0), 1.0)
    weight = 0 if images is None else PRIOR_WEIGHT
    binomial = 0.0 if images is None else share * (1 - share) / images
    return (math.sqrt((squares + weight * binomial) / (freedom + weight)) if freedom + weight else 0.0), freedom
