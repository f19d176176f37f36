"""How large a network is, counted without training it. Imports torch when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from . import find_model


@dataclass(frozen=True, kw_only=True)
class Size:
    """Parameters, and multiply-adds (`macs`) of one image's way through the convolutions and linear layers, forward only."""

    parameters: int
    macs: int


def measure_size(model: str, channels: Mapping[str, int], options: Mapping[str, Any], *, classes: int, pixels: tuple[int, int]) -> Size:
    """The size of a network with these channel counts and options that reads images of so many pixels. Counted once in a process.

    What the network's own description does not tell is counted on tensors of PyTorch's meta device: they have shapes and no values, so
    nothing is computed, and the caller's random state stays as it was. That takes some tenths of a second. Errors: whatever a network
    of the user's own raises that does not pass without values.
    """
    if (count := find_model(model).count) is not None:
        parameters, macs = count(channels, classes, pixels)
        return Size(parameters=parameters, macs=macs)
    return _measure(model, tuple(sorted(channels.items())), tuple(sorted(options.items())), classes, pixels)


@lru_cache(maxsize=4096)
def _measure(
    model: str, channels: tuple[tuple[str, int], ...], options: tuple[tuple[str, Any], ...], classes: int, pixels: tuple[int, int]
) -> Size:
    import torch
    from torch import Tensor, nn

    macs = 0

    def add(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal macs
        weight = module.weight
        assert isinstance(output, Tensor) and isinstance(weight, Tensor)
        macs += output.numel() * weight[0].numel()  # what one figure takes: a convolution's window, or a row of the matrix

    with torch.random.fork_rng(devices=[]), torch.inference_mode(), torch.device("meta"):
        network = find_model(model).build(dict(channels), classes, **dict(options)).eval()
        for module in network.modules():
            if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
                module.register_forward_hook(add)
        network(torch.zeros(1, 3, *pixels))
    return Size(parameters=sum(p.numel() for p in network.parameters()), macs=macs)
