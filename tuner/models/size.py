"""How large a network is: its parameters, and the multiply-accumulates of one image. Nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import find_model


@dataclass(frozen=True, kw_only=True)
class Size:
    """`macs` counts what PyTorch has a formula for: convolutions, products of matrices, attention."""

    parameters: int
    macs: int


def measure_size(model: str, channels: Mapping[str, int], options: Mapping[str, Any], *, classes: int, pixels: tuple[int, int]) -> Size:
    """The size of a network of these channel counts and options for images of so many pixels. Each is measured once in a process.

    Errors: whatever building or calling the network raises; UsageError where its code is the user's own.
    """
    if (count := find_model(model).count) is not None:
        parameters, macs = count(channels, classes, pixels)
    else:
        from .counting import count_network  # imports torch

        parameters, macs = count_network(model, tuple(channels.items()), tuple(options.items()), classes, pixels)
    return Size(parameters=parameters, macs=macs)
