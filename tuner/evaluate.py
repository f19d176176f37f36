"""Saved weights on the test part of a data set: ours, or those of report A's own code."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .config import DataConfig, read_config
from .data import load
from .data.parts import resident
from .errors import TunerError, UsageError
from .models import ARCHITECTURES
from .models.architecture import BRANCHES
from .models.inception import Inception
from .train import accuracy

# Where other code puts the state dict in what it saves, and what it puts before its names.
WRAPPERS = ("state_dict", "net", "model", "model_state_dict")
PREFIX = "module."
# The convolution of a block whose output channels are the width of that name.
CONVOLUTIONS = dict(zip(BRANCHES, ("b1.0", "b2.0", "b2.3", "b3.0", "b3.3", "b4.1"), strict=True))


def evaluate_file(path: Path, *, source: str | None = None, image_size: int | None = None, device: str = "cpu") -> dict[str, Any]:
    """Accuracy and loss of a file of weights on test images.

    The images are those of `config.yaml` beside the weights, else CIFAR-10; `source` and `image_size` go before.
    Errors: UsageError for a file that holds no weights of a network of ours, or another number of classes.
    """
    network, name = build(read_weights(path), path)
    data, precision = DataConfig(), "fp32"
    beside = path.parent / "config.yaml"
    if beside.exists():
        config, _, _ = read_config(beside)
        data, precision = config.data, config.precision if device.startswith("cuda") else "fp32"
        torch.set_num_threads(config.threads)
    if source is not None:
        data = replace(data, source=source)
    if image_size is not None:
        data = replace(data, image_size=image_size)
    dataset = load(data)
    classes = network.linear.out_features
    if classes != len(dataset.classes):
        raise UsageError(
            f"{path} tells {classes} classes apart, but {data.source!r} has {len(dataset.classes)}: give the images with --data"
        )
    part = resident(dataset, data, device, None)
    loss, hits = accuracy(network, part, device=device, precision=precision)
    return {
        "weights": str(path),
        "model": name,
        "parameters": sum(p.numel() for p in network.parameters()),
        "data": data.source,
        "images": len(part),
        "test_loss": loss,
        "test_accuracy": hits,
    }


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


def build(weights: dict[str, Tensor], path: Path) -> tuple[Inception, str]:
    """The network that the weights belong to, with them in it, and its name. Widths are read off the shapes."""
    blocks = {name.split(".")[0] for name in weights} - {"pre_layers", "linear"}
    known = next((n for n, a in ARCHITECTURES.items() if blocks == {width.split(".")[0] for width in a.widths()} - {"stem"}), None)
    if known is None:
        raise UsageError(f"{str(path)!r} holds weights of none of our networks ({', '.join(ARCHITECTURES)})")
    try:
        channels = {"stem": weights["pre_layers.0.weight"].shape[0]}
        for block in sorted(blocks):
            for branch, convolution in CONVOLUTIONS.items():
                channels[f"{block}.{branch}"] = weights[f"{block}.{convolution}.weight"].shape[0]
        network = Inception(ARCHITECTURES[known], channels, weights["linear.bias"].shape[0])
        network.load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise TunerError(f"{str(path)!r} looks like {known} but does not fit it: {first}") from None
    return network, known
