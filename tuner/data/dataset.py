"""A labelled set of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Images are uint8 (N, H, W, 3), labels int64 (N,) and index `classes`.

    The images are a copy-on-write map of the cache file, so that all workers of a machine share the pages.
    `source` is as in DataConfig, a folder's path made absolute. `fingerprint` is 16 hex digits of the content:
    pixels, labels and class names, not where the files lie.
    """

    source: str
    classes: tuple[str, ...]
    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array
    fingerprint: str
