"""torchvision's networks as ours: `torchvision:resnet18` with a head for the classes at hand. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from ..errors import UsageError
from .spec import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .forms import TrainingForm

TORCHVISION = "torchvision:"  # before the name of a network of torchvision's


def is_torchvisions(model: str) -> bool:
    return model.startswith(TORCHVISION)


@cache
def specify_torchvision(model: str) -> ModelSpec:
    """The ModelSpec of `torchvision:NAME`. It has no widths. Whether torchvision has the network is seen when it is built.

    Errors: UsageError for what can be no name.
    """
    name = model.removeprefix(TORCHVISION)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UsageError(f"model {model!r}: give the name of a network of torchvision's, such as torchvision:resnet18")

    def build(channels: Mapping[str, int], classes: int) -> nn.Module:
        from .bare import build_bare

        del channels
        return build_bare(name, classes)

    def make_tuned(plain: nn.Module) -> TrainingForm:
        from .bare import find_head
        from .tuned import Tuned

        return Tuned(plain, find_head(name))

    def owns(weights: Mapping[str, Tensor]) -> bool:
        from .bare import list_weights

        return set(list_weights(name)) == set(weights)

    def read_sizes(weights: Mapping[str, Tensor]) -> tuple[dict[str, int], int]:
        from .bare import find_head

        return {}, weights[f"{find_head(name)}.weight"].shape[0]

    return ModelSpec(
        name=model, title=f"torchvision's {name}", widths={}, build=build, owns=owns, read_sizes=read_sizes, make_faster=make_tuned
    )
