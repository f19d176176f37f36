"""Which training images are trained on, and which are held out for validation."""

from __future__ import annotations

import numpy as np

from ..config.data_config import DataConfig
from ..errors import TunerError, UsageError
from .dataset import Array, Dataset


def split(dataset: Dataset, config: DataConfig) -> tuple[Array, Array]:
    """The rows of `train_images` to train on and to validate on, int64, sorted and disjoint.

    Stratified, and decided by `config.seed` alone. A balanced part of `train_images` is taken first; the
    fraction `validation` of each class is then held out, at least one image and never all of them.
    """
    rng = np.random.Generator(np.random.PCG64(config.seed))
    orders = [rng.permutation(np.flatnonzero(dataset.train_labels == label)) for label in range(len(dataset.classes))]
    for name, order in zip(dataset.classes, orders, strict=True):
        if len(order) < 2:
            raise TunerError(f"class {name!r} has {len(order)} training images, but needs two: one to train on, one to validate on")
    quotas = [len(order) for order in orders]
    if config.train_images is not None:
        quotas = _balanced(config.train_images, quotas)
    train, validation = [], []
    for order, quota in zip(orders, quotas, strict=True):
        held_out = min(quota - 1, max(1, int(quota * config.validation + 0.5)))
        validation.append(order[:held_out])
        train.append(order[held_out:quota])
    return np.sort(np.concatenate(train)).astype(np.int64), np.sort(np.concatenate(validation)).astype(np.int64)


def _balanced(total: int, counts: list[int]) -> list[int]:
    """How many of each class make `total` images, as equal as `counts` allow; the larger classes take what is left over."""
    if total > sum(counts):
        raise UsageError(f"train_images {total} is more than there are: the data has {sum(counts)} training images")
    if total < 2 * len(counts):
        raise UsageError(f"train_images {total} is too few: {len(counts)} classes need at least {2 * len(counts)}, two each")
    quotas = [0] * len(counts)
    # Smallest class first: what it cannot give, the others share.
    for place, label in enumerate(sorted(range(len(counts)), key=lambda label: (counts[label], -label))):
        quotas[label] = min(counts[label], (total - sum(quotas)) // (len(counts) - place))
    return quotas
