"""Images to measure with: generated, or a data set on disk."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = "cifar-10-batches-py"


def generated(count: int, *, size: int = 32, seed: int = 0) -> tuple[Array, Array]:
    """Random bytes (count, size, size, 3) and labels 0 to 9: what a step costs does not depend on what it sees.

    Each class is a little brighter than the one before, so that there is something to learn.
    """
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    images = random.integers(0, 156, (count, size, size, 3)) + 11 * labels[:, None, None, None]
    return images.astype(np.uint8), labels


def unpickled(folder: Path) -> tuple[Array, Array, Array, Array]:
    """Training images and labels, test images and labels, of a folder in torchvision's layout; no checksum is asked for."""

    def read(names: list[str]) -> tuple[Array, Array]:
        batches = [pickle.loads((folder / BATCHES / name).read_bytes(), encoding="latin1") for name in names]
        rows = np.concatenate([batch["data"] for batch in batches]).reshape(-1, 3, 32, 32)
        return np.ascontiguousarray(rows.transpose(0, 2, 3, 1)), np.concatenate([batch["labels"] for batch in batches])

    return *read([f"data_batch_{k}" for k in range(1, 6)]), *read(["test_batch"])


def write_folder(folder: Path, train: tuple[Array, Array], test: tuple[Array, Array]) -> Path:
    """The images as PNGs, as `--data folder:PATH` reads them."""
    from PIL import Image

    for part, (images, labels) in (("train", train), ("test", test)):
        for name in CLASSES:
            (folder / part / name).mkdir(parents=True, exist_ok=True)
        for index, (pixels, label) in enumerate(zip(images, labels, strict=True)):
            Image.fromarray(pixels).save(folder / part / CLASSES[label] / f"{index:05d}.png", compress_level=1)
    return folder
