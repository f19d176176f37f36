"""The ModelSpec of an inception network. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .architecture import Architecture
from .spec import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .forms import TrainingForm


def specify_inception(name: str, title: str, architecture: Architecture) -> ModelSpec:
    """The ModelSpec of the network that this architecture describes."""

    def build(channels: Mapping[str, int], classes: int) -> nn.Module:
        from .inception import Inception

        return Inception(architecture, channels, classes)

    def make_faster(plain: nn.Module) -> TrainingForm:
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
        make_faster=make_faster,
        count=architecture.count,
    )
