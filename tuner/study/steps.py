"""The values of one dimension of a finite space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..config.dimension import Choice, Dimension, Range, is_whole


def count_values(name: str, dimension: Dimension) -> int | None:
    """How many values a dimension has; None where it is continuous."""
    if isinstance(dimension, Choice):
        return len(dimension.values)
    if dimension.low == dimension.high:
        return 1
    step = _find_step(name, dimension)
    return None if step is None else round((dimension.high - dimension.low) / step) + 1


class Steps(Sequence[float]):
    """The values of a finite range, none of which is made before it is asked for: there may be 2**31."""

    def __init__(self, name: str, dimension: Range) -> None:
        count = count_values(name, dimension)
        assert count is not None, f"{name} is continuous"
        self._count = count
        self._low = dimension.low
        self._step = _find_step(name, dimension) or 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        return self._low + range(self._count)[index] * self._step


def _find_step(name: str, dimension: Range) -> float | None:
    return dimension.step or (1 if is_whole(name, dimension) else None)
