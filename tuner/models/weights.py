"""Weights in a file, and the network that they belong to."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import TunerError, UsageError
from . import MODELS
from .spec import ModelSpec

# Where other code puts the state dict in what it saves, and what it puts before its names.
WRAPPERS = ("state_dict", "net", "model", "model_state_dict")
PREFIX = "module."


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A plain network with weights in it, which tells so many `classes` apart."""

    spec: ModelSpec
    network: nn.Module
    classes: int


def read_weights(path: Path) -> dict[str, Tensor]:
    """The state dict in a file, out of whatever it was wrapped in. Nothing in the file is run."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UsageError(f"no file {str(path)!r}: give the weights.pt that `tuner train` wrote, or a .pth of report A") from None
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, struct.error, pickle.UnpicklingError):
        raise UsageError(f"{str(path)!r} holds no weights that torch.load(weights_only=True) reads: save network.state_dict()") from None
    while isinstance(content, Mapping) and (inner := next((content[k] for k in WRAPPERS if isinstance(content.get(k), Mapping)), None)):
        content = inner
    if not isinstance(content, Mapping) or not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise UsageError(f"{str(path)!r} holds no state dict: save network.state_dict()")
    return {str(name).removeprefix(PREFIX): value for name, value in content.items()}


def load_network(path: Path) -> Loaded:
    """The network that a file's weights belong to, with them in it. Its widths are read off their shapes.

    Errors: UsageError for a file that holds no weights of a network of ours.
    """
    weights = read_weights(path)
    spec = next((spec for spec in MODELS.values() if spec.owns(weights)), None)
    if spec is None:
        raise UsageError(f"{str(path)!r} holds weights of none of our networks ({', '.join(MODELS)})")
    try:
        channels, classes = spec.read_sizes(weights)
        network = spec.build(channels, classes)
        network.load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise TunerError(f"{str(path)!r} looks like {spec.name} but does not fit it: {first}") from None
    return Loaded(spec=spec, network=network, classes=classes)
