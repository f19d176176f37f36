"""How long an epoch of a configuration takes, from what epochs of others took.

A step costs something whatever the network, an image costs what its multiply-adds do, and the optimiser passes over all
parameters at each step. With the same images in every epoch:

    seconds = a / batch size + b * multiply-adds + c * parameters / batch size

with a, b and c of at least 0. Errors are factors here (a network four times as large may be 10 % off like a small one), so the
fit is that of logarithms: non-negative least squares of relative errors (Lawson and Hanson 1974, `scipy.optimize.nnls`), and
then one factor that makes the mean error of the logarithms 0.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from ..config.trial_config import TrialConfig
from ..models import find_model
from ..models.size import measure_size

LEAST_POINTS = 4  # different configurations that a model is fitted to; with fewer an epoch is taken for a middling one

Features = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class CostModel:
    """Seconds of an epoch: `rates` times the features of a configuration, as `describe_features` gives them."""

    rates: Features

    def predict(self, features: Features) -> float:
        return sum(rate * feature for rate, feature in zip(self.rates, features, strict=True))


def describe_features(config: TrialConfig, classes: int, *, quickly: bool = False) -> Features:
    """Steps, multiply-adds, and parameters passed over, each for one image.

    Of a network of the user's own that cannot be counted only the steps tell anything, and `quickly` of all but the built-in ones.
    """
    pixels = (config.data.image_size, config.data.image_size)
    macs, parameters = 1, 0
    if not quickly or find_model(config.model).count is not None:
        with contextlib.suppress(Exception):  # a network of the user's own may do anything while it is built
            size = measure_size(config.model, config.channels, config.network, classes=classes, pixels=pixels)
            macs, parameters = size.macs, size.parameters
    return config.micro_batches / config.batch_size, float(macs), parameters / config.batch_size


def fit_costs(points: Sequence[tuple[Features, float]]) -> CostModel | None:
    """The model of features and the seconds of an epoch that each took; None where too few of them differ."""
    from scipy.optimize import nnls  # slow to import, for commands that only read

    known = [(features, seconds) for features, seconds in points if seconds > 0]
    if len({features for features, _ in known}) < LEAST_POINTS:
        return None
    features, seconds = np.array([each for each, _ in known]), np.array([each for _, each in known])
    scale = np.maximum(features.max(axis=0), 1e-30)
    found, _ = nnls(features / scale / seconds[:, None], np.ones(len(known)))
    predicted = features @ (found / scale)
    if not (predicted > 0).all():
        return None
    factor = math.exp(float(np.log(seconds / predicted).mean()))
    steps, macs, parameters = (float(rate) * factor for rate in found / scale)
    return CostModel(rates=(steps, macs, parameters))


def expect_epoch(measured: Sequence[float], foretold: float | None = None) -> float | None:
    """Seconds of a trial's next epoch, from those it took so far and what the model says; None where neither is known.

    The first epoch warms caches up and records graphs: with more than one it does not count, and alone half.
    """
    if len(measured) > 1:
        return median(measured[1:])
    if not measured or measured[0] <= 0:
        return foretold
    return measured[0] if foretold is None else math.sqrt(measured[0] * foretold)
