"""Sets of recorded learning curves."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

SHIPPED = "recorded.npz"
SCALE = 10_000  # errors are shipped as whole numbers of this: the images of CIFAR-10's test set
_BAKER = "Baker, Gupta, Raskar, Naik: Accelerating Neural Architecture Search using Performance Prediction, arXiv:1705.10823"
SOURCES = {
    "metaqnn": f"CIFAR-10, 1,000 networks of MetaQNN's space, 20 epochs; {_BAKER}",
    "naap": "CIFAR-10, 440 networks, 90 epochs; Hakim: NAAP-440 Dataset and Baseline, arXiv:2209.06626",
    "resnets": f"CIFAR-10, 486 residual networks, 50 epochs, whose curves cross because of their schedules; {_BAKER}",
}


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Curves of one kind of network on one data set.

    `errors` is [configurations, epochs], less is better. `seconds` is what an epoch of each configuration took, None where
    that is not known. Errors: UsageError for what no curves are.
    """

    name: str
    errors: NDArray[np.float64]
    source: str = ""
    seconds: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.errors.ndim != 2 or len(self.errors) < 2 or self.errors.shape[1] < 2:
            raise UsageError(f"curves {self.name!r}: at least two of at least two epochs are wanted, not a shape of {self.errors.shape}")
        if not np.isfinite(self.errors).all() or (self.errors < 0).any():
            raise UsageError(f"curves {self.name!r} hold errors that are negative or not numbers")

    @property
    def epochs(self) -> int:
        return int(self.errors.shape[1])

    def __len__(self) -> int:
        return len(self.errors)

    def cut(self, epochs: int) -> Recording:
        """Only the first so many epochs."""
        return Recording(name=f"{self.name}@{epochs}", errors=self.errors[:, :epochs], source=self.source, seconds=self.seconds)

    def resample(self, rng: np.random.Generator) -> Recording:
        """As many configurations drawn from these, with repetition."""
        chosen = rng.integers(len(self), size=len(self))
        seconds = None if self.seconds is None else self.seconds[chosen]
        return Recording(name=self.name, errors=self.errors[chosen], source=self.source, seconds=seconds)


def load_shipped() -> list[Recording]:
    """The recorded sets that come with the package."""
    with files(__package__).joinpath(SHIPPED).open("rb") as opened, np.load(opened) as stored:
        return [Recording(name=name, errors=stored[name] / SCALE, source=SOURCES[name]) for name in SOURCES]


def read_recordings(path: Path) -> list[Recording]:
    """The sets of an .npz file: arrays [configurations, epochs] of errors by name. Errors: UsageError for anything else."""
    try:
        with np.load(path) as stored:
            return [Recording(name=name, errors=np.asarray(stored[name], dtype=np.float64)) for name in stored.files]
    except (OSError, ValueError, AttributeError, KeyError) as error:
        raise UsageError(f"{path} is no .npz file of curves: {error}") from None


def pack(errors: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Errors from 0 to 1 as they are shipped."""
    return np.rint(errors * SCALE).astype(np.uint16)
