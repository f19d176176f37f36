"""scikit-learn's handwritten digits: embedded, so that they work with no network."""

from __future__ import annotations

import numpy as np

from . import decode
from .cache import Decoded, Part, Say, load_cached
from .dataset import Dataset

SPLIT_SEED = 20261  # which images are test images: the same in every study
TEST_FRACTION = 0.2


def digits(path: str, size: int, say: Say) -> Dataset:
    """1,797 grey 8x8 images, 0 to 16, as three channels of 0 to 255, resized bilinearly; a fifth of each class is test."""
    assert not path
    return load_cached("digits", [str(SPLIT_SEED), str(TEST_FRACTION)], size, lambda: _read(size), say)


def _read(size: int) -> Decoded:
    from sklearn.datasets import load_digits

    grey, labels = load_digits(return_X_y=True)
    pixels = np.rint(grey.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8).repeat(3, axis=3)
    rng = np.random.Generator(np.random.PCG64(SPLIT_SEED))
    test = np.zeros(len(labels), dtype=bool)
    for label in range(10):
        order = rng.permutation(np.flatnonzero(labels == label))
        test[order[: round(len(order) * TEST_FRACTION)]] = True
    train_part, test_part = (Part(labels=labels[rows], chunks=decode.decode_arrays(pixels[rows], size)) for rows in (~test, test))
    return Decoded(classes=tuple("0123456789"), train=train_part, test=test_part)
