"""What an inception network is made of, and its ModelSpec. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .spec import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .forms import TrainingForm

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


def specify_inception(name: str, title: str, architecture: Architecture) -> ModelSpec:
    """The ModelSpec of an inception network."""

    def build(channels: Mapping[str, int], classes: int) -> nn.Module:
        from .inception import Inception

        return Inception(architecture, channels, classes)

    def to_training_form(plain: nn.Module) -> TrainingForm:
        from .inception import Inception
        from .merged import Merged

        assert isinstance(plain, Inception), type(plain)
        return Merged(plain)

    def owns(weights: Mapping[str, Tensor]) -> bool:
        return {key.split(".")[0] for key in weights} - {"pre_layers", "linear"} == set(architecture.blocks())

    def read_sizes(weights: Mapping[str, Tensor]) -> tuple[dict[str, int], int]:
        from .inception import read_channels

        return read_channels(architecture, weights)

    return ModelSpec(
        name=name,
        title=title,
        widths=architecture.widths(),
        build=build,
        owns=owns,
        read_sizes=read_sizes,
        to_training_form=to_training_form,
    )
