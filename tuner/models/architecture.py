"""What an inception network is made of. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
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

    def count(self, channels: Mapping[str, int], classes: int, pixels: tuple[int, int]) -> tuple[int, int]:
        """Parameters, and multiply-adds of an image of so many pixels, of the network with these channel counts."""
        (height, width), planes = pixels, channels["stem"]
        parameters, macs = _count_unit(3, planes, 3), height * width * 3 * planes * 9
        for stage in self.stages:
            if isinstance(stage, str):
                height, width = -(-height // 2), -(-width // 2)
                continue
            n1x1, n3x3red, n3x3, n5x5red, n5x5, pool = (channels[f"{stage[0]}.{branch}"] for branch in BRANCHES)
            units = [(planes, n1x1, 1), (planes, n3x3red, 1), (n3x3red, n3x3, 3), (planes, n5x5red, 1), (n5x5red, n5x5, 5), (n5x5, n5x5, 5)]
            for each in (*units, (planes, pool, 1)):
                parameters += _count_unit(*each)
                macs += height * width * each[0] * each[1] * each[2] ** 2
            planes = n1x1 + n3x3 + n5x5 + pool
        return parameters + (planes + 1) * classes, macs + planes * classes


def _count_unit(planes: int, outputs: int, kernel: int) -> int:
    """Parameters of a convolution and its BatchNorm."""
    return planes * outputs * kernel**2 + 3 * outputs
