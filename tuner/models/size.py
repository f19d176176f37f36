"""How large a network is: its parameters, and the multiply-accumulates of one image. Nothing is trained, and no weights are made.

A network is built on PyTorch's meta device, where tensors have shapes and no values, and an image is passed through it there: that
takes milliseconds. One that reckons with values while it is built or called is built on the CPU instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from . import find_model

MOST_KEPT = 10_000


@dataclass(frozen=True, kw_only=True)
class Size:
    """`macs` counts what PyTorch has a formula for: convolutions, products of matrices, attention."""

    parameters: int
    macs: int


def measure_size(model: str, channels: Mapping[str, int], options: Mapping[str, Any], *, classes: int, pixels: tuple[int, int]) -> Size:
    """The size of a network of these channel counts and options for images of so many pixels. Each is measured once in a process.

    Errors: whatever building or calling the network raises; UsageError where its code is the user's own.
    """
    return _measure(model, tuple(channels.items()), tuple(options.items()), classes, pixels)


@lru_cache(maxsize=MOST_KEPT)
def _measure(
    model: str, channels: tuple[tuple[str, int], ...], options: tuple[tuple[str, Any], ...], classes: int, pixels: tuple[int, int]
) -> Size:
    def count(device: str) -> Size:
        with torch.random.fork_rng(devices=[]), torch.device(device):
            torch.default_generator.manual_seed(0)
            network = find_model(model).build(dict(channels), classes, **dict(options)).eval()
            return _count(network, torch.zeros(1, 3, *pixels))

    try:
        return count("meta")
    except Exception:
        return count("cpu")  # whose errors are the network's own


def _count(network: nn.Module, image: torch.Tensor) -> Size:
    """With gradients wanted: without, PyTorch computes attention in one step of its own, for which it has no formula."""
    with torch.enable_grad(), FlopCounterMode(display=False) as counter:
        network(image)
    return Size(parameters=sum(p.numel() for p in network.parameters()), macs=counter.get_total_flops() // 2)
