"""What the part of a network that stands still makes of images, kept on the device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .resident import Resident


@dataclass(frozen=True, kw_only=True)
class Features:
    """Stands for a part of a data set, with `values` (N, F) in place of its images `of`: it is asked as they are."""

    values: Tensor
    labels: Tensor
    of: Resident
    height: int = 1
    width: int = 1

    def __len__(self) -> int:
        return len(self.values)

    def batch(self, rows: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        del generator
        return self.gather(rows, None)

    def draw(self, count: int, generator: torch.Generator | None) -> Tensor | None:
        """Nothing is drawn: images that are augmented are other ones each time."""
        del count, generator
        return None

    def gather(self, rows: Tensor, drawn: Tensor | None) -> tuple[Tensor, Tensor]:
        """Features (B, F) and labels (B,) of `rows`."""
        assert drawn is None
        rows = self.move(rows)
        return self.values.index_select(0, rows), self.labels.index_select(0, rows)

    def move(self, values: Tensor) -> Tensor:
        return self.of.move(values)
