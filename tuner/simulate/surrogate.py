"""A study's networks foretold from its own trials, so that samplers can be judged without training anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from scipy.stats import spearmanr
from sklearn.ensemble import ExtraTreesRegressor

from ..errors import NothingToShow
from ..study.promotion import SMALLEST_ERROR
from ..study.search_space import to_distributions
from ..study.study import Study
from ..study.trials import TrialRow
from .own_curves import find_whole

LEAST = 60  # trials: of fewer, a surrogate knows little but their mean
TREES = 100
MOST_IMAGES = 50_000  # of a validation part


@dataclass(frozen=True, kw_only=True)
class Surrogate:
    """Learning curves as functions of the hyper-parameters.

    `worth` is how well it ranks trials that it has not seen: Spearman's correlation of the end that it foretells, by the
    trees that did not learn from the trial, with the true one. `val_images` is the size of the validation part, None where the
    errors are no shares of it.
    """

    epochs: int
    trials: int
    worth: float
    val_images: int | None
    space: Mapping[str, BaseDistribution]
    forest: ExtraTreesRegressor

    def foretell(self, params: Mapping[str, Any]) -> NDArray[np.float64]:
        """The error after each epoch, without noise: [epochs]."""
        inputs = _encode(self.space, params)[None].astype(np.float32)
        # What forest.predict does, but for 20 ms of checks and threads for a single row.
        logs = np.mean([tree.tree_.predict(inputs)[0, :, 0] for tree in self.forest.estimators_], axis=0)
        foretold: NDArray[np.float64] = np.exp(logs)
        return foretold

    def observe(self, params: Mapping[str, Any], rng: np.random.Generator) -> NDArray[np.float64]:
        """The same as a validation part would show it: with the binomial error of its images, the same ones at every epoch.
        Without noise where errors are no shares of them."""
        true = self.foretell(params)
        if self.val_images is None:
            return true
        spread = np.sqrt(true * (1 - true).clip(0) / self.val_images)
        seen: NDArray[np.float64] = np.clip(true + spread * rng.normal(), SMALLEST_ERROR, 1.0)
        return seen


def fit_surrogate(study: Study) -> Surrogate:
    """A forest of extremely randomised trees (Geurts, Ernst, Wehenkel: Machine Learning 63, 2006) fitted to log errors.

    Errors: NothingToShow where fewer than 60 trials were trained to their end.
    """
    rows = find_whole(study)
    if len(rows) < LEAST:
        raise NothingToShow(
            f"study {study.name!r} has {len(rows)} trials of all its epochs, and {LEAST} are wanted to judge samplers: "
            "search on, with `pruner: none` if all are to be trained to their end, or leave --sampler out"
        )
    space = {name: dist for name, dist in to_distributions(study.config).items() if name != "epochs"}
    inputs = np.stack([_encode(space, row.params) for row in rows])
    outputs = np.log([[max(study.objective.to_error(value), SMALLEST_ERROR) for value in row.curve] for row in rows])
    forest = ExtraTreesRegressor(n_estimators=TREES, bootstrap=True, oob_score=True, min_samples_leaf=2, random_state=0)
    forest.fit(inputs, outputs)
    return Surrogate(
        epochs=outputs.shape[1],
        trials=len(rows),
        worth=_correlate(forest.oob_prediction_[:, -1], outputs[:, -1]),
        val_images=(study.val_images or _count_validation(rows)) if study.objective.counted else None,
        space=space,
        forest=forest,
    )


def _correlate(foretold: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    if np.ptp(foretold) == 0 or np.ptp(true) == 0:
        return 0.0
    return float(spearmanr(foretold, true).statistic)


def _encode(space: Mapping[str, BaseDistribution], params: Mapping[str, Any]) -> NDArray[np.float64]:
    """Numbers from 0 to 1 over their range, in its own scale; a choice as a place for each value; -1 for what is not drawn."""
    found: list[float] = []
    for name, dist in space.items():
        value = params.get(name)
        if isinstance(dist, CategoricalDistribution):
            found += [float(value == choice) for choice in dist.choices]
        elif value is None or dist.single():
            found.append(-1.0)
        else:
            low, high = float(dist.low), float(dist.high)  # type: ignore[attr-defined]
            scale = np.log if dist.log else np.asarray  # type: ignore[attr-defined]
            found.append(float((scale(float(value)) - scale(low)) / (scale(high) - scale(low))))
    return np.array(found)


def _count_validation(rows: Sequence[TrialRow]) -> int:
    """The images of the validation part of a study that does not say: every share of them is a whole number."""
    found = 1
    for row in rows:
        for value in row.curve:
            found = math.lcm(found, Fraction(value).limit_denominator(MOST_IMAGES).denominator)
            if found > MOST_IMAGES:  # not of one part: take the noise to be that of many images
                return MOST_IMAGES
    return found
