"""Which images a network sees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError, nearest
from ..models.own_code import check_spec, is_own_data
from .checks import check_keys, check_path, check_whole, is_number
from .data_sources import SOURCES, list_specs

LARGEST_IMAGE = 2**14  # pixels of height and width: a single image in RGB then takes 805 MB


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which images a network sees, and how they are parted.

    `mean` and `std` are on the scale 0 to 1, one for all channels or one a channel. `seed` decides which
    training images are held out for validation, and which belong to a balanced part of `train_images`.
    """

    source: str = "cifar10"
    train_images: int | None = None
    image_size: int = 32
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)
    validation: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.source or not isinstance(self.source, str):
            raise UsageError(f"data takes {list_specs()}, not {self.source!r}")
        kind, _, path = self.source.partition(":")
        if is_own_data(self.source):
            check_spec(self.source)
        elif kind not in SOURCES:
            raise UsageError(f"unknown data {self.source!r}: {_guess_source(self.source)}")
        elif SOURCES[kind].takes_path != bool(path):
            raise UsageError(f"data {self.source!r}: a folder is named as folder:PATH, the others without a path")
        check_path(path, f"data {kind}")
        check_whole("train_images", self.train_images, 2, allow_none=True)
        check_whole("image_size", self.image_size, 8, LARGEST_IMAGE)
        check_whole("seed", self.seed, 0)
        if not is_number(self.validation) or not 0 < self.validation < 1:
            raise UsageError(f"validation must be above 0 and below 1, not {self.validation!r}")
        for name, values, low in (("mean", self.mean, None), ("std", self.std, 0)):
            if len(values) not in (1, 3) or not all(is_number(v) and (low is None or v > low) for v in values):
                wanted = "numbers" if low is None else "positive numbers"
                raise UsageError(f"normalize: {name} takes one or three {wanted}, not {list(values)!r}")


def _guess_source(source: str) -> str:
    """What was meant by an unknown source: a folder that is there, else the nearest known one."""
    check_path(source, "data")
    if Path(source).is_dir():
        return f"did you mean 'folder:{source}'?"
    return nearest(source.partition(":")[0], [known.spec for known in SOURCES.values()])


def read_normalize(plain: Any) -> dict[str, Any]:
    """`mean` and `std` as DataConfig takes them."""
    if not isinstance(plain, dict):
        raise UsageError(f"normalize takes a map with mean and std, not {plain!r}")
    check_keys(plain, {"mean", "std"}, "normalize")
    return {name: tuple(value) if isinstance(value, (list, tuple)) else (value,) for name, value in plain.items()}
