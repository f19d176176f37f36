"""What an inception network is made of, and the names of its widths. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

BRANCHES = ("n1x1", "n3x3red", "n3x3", "n5x5red", "n5x5", "pool")
POOL = "pool"  # in a list of stages: MaxPool 3x3, stride 2, padding 1


@dataclass(frozen=True)
class Architecture:
    """A stem and its inception blocks in order.

    `stages` holds `POOL` or `(block, n1x1, n3x3red, n3x3, n5x5red, n5x5, pool)`. Channel counts that follow
    from others, such as the input of the next block, are derived when the network is built.
    """

    stem: int
    stages: tuple[str | tuple[str, int, int, int, int, int, int], ...]

    def widths(self) -> dict[str, int]:
        """Every width that can be searched, by name, with its base value: `stem` and `BLOCK.BRANCH`."""
        named = {"stem": self.stem}
        for stage in self.stages:
            if not isinstance(stage, str):
                block, *channels = stage
                named |= {f"{block}.{branch}": base for branch, base in zip(BRANCHES, channels, strict=True)}
        return named

    def channels(self, width: float = 1.0, factors: Mapping[str, float] | None = None) -> dict[str, int]:
        """The channel count of every width, scaled by `width` and by the factor of each pattern that matches.

        Factors of patterns that overlap multiply. Rounded once, to a multiple of 8 and at least 8, so that at
        1.0 they are exactly the reported network's.
        """
        counts = {}
        for name, base in self.widths().items():
            scale = width * math.prod(f for pattern, f in (factors or {}).items() if fnmatchcase(name, pattern))
            counts[name] = max(8, 8 * math.floor(base * scale / 8 + 0.5))
        return counts

    def matches(self, pattern: str) -> list[str]:
        """The names of the widths that a pattern such as `*.n1x1` moves."""
        return [name for name in self.widths() if fnmatchcase(name, pattern)]
