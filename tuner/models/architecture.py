"""What an inception network is made of. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

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

    def blocks(self) -> list[str]:
        return [stage[0] for stage in self.stages if not isinstance(stage, str)]

    def widths(self) -> dict[str, int]:
        """Every width that can be searched, by name, with its base value: `stem` and `BLOCK.BRANCH`."""
        named = {"stem": self.stem}
        for stage in self.stages:
            if not isinstance(stage, str):
                block, *channels = stage
                named |= {f"{block}.{branch}": base for branch, base in zip(BRANCHES, channels, strict=True)}
        return named
