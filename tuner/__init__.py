"""Search the hyper-parameters of image-classification networks, and remember everything."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

__version__ = "0.1.0"


def load(weights: str | PathLike[str], *, config: str | PathLike[str] | None = None, device: str = "cpu") -> nn.Module:
    """The network in a file of weights, in evaluation mode: `net(net.preprocess(images))` gives logits (N, classes).

    `net.preprocess` takes PIL images or uint8 arrays (H, W, 3) to the input that the network was trained with, `net.classes` are
    the classes' names in the order of its outputs, and `net.configuration` is a plain map of what it was trained with. `config`
    is the configuration file of weights that carry none. Errors: `tuner.errors.UsageError`.
    """
    from .trained.network import load as load_trained

    return load_trained(Path(weights), config=None if config is None else Path(config), device=device)
