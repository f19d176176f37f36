"""A file of weights as a network with its preprocessing and the names of its classes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..config.facts import Facts
from ..data.preprocess import Preprocess
from ..errors import UsageError
from ..models.weights import Loaded
from ..training.trained import load_trained


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A network on the CPU with its weights, what is known of them, and its `classes` in the order of the outputs."""

    loaded: Loaded
    facts: Facts
    classes: tuple[str, ...]
    preprocess: Preprocess


def open_trained(path: Path, *, config: Path | None, device: str, say: Callable[[str], None], accept_changed_code: bool = False) -> Trained:
    """The network in a file of weights. `config` is the configuration of a file that carries none; None is the one beside it.

    `say` gets a line for whatever had to be assumed.
    Errors: UsageError for a file that holds no weights of a network of ours, where nothing says how they were trained, and for
    names of another number of classes.
    """
    loaded, facts = load_trained(path, config, say, accept_changed_code=accept_changed_code)
    if facts is None:
        raise UsageError(
            f"nothing says which image size, normalisation and classes {path} was trained with: "
            "give its configuration (--config FILE), or put it beside as config.yaml"
        )
    classes = facts.data.classes
    if classes is None:
        classes = tuple(map(str, range(loaded.classes)))
        say(f"{path}: nothing says what its {loaded.classes} classes are called; they are numbered from 0, in the order of its outputs")
    if len(classes) != loaded.classes:
        raise UsageError(f"{facts.data.path} names {len(classes):,} classes, but {path} tells {loaded.classes:,} apart: mend `classes`")
    data = facts.config.data
    preprocess = Preprocess(image_size=data.image_size, mean=data.mean, std=data.std, device=device)
    return Trained(loaded=loaded, facts=facts, classes=classes, preprocess=preprocess)


def load(path: Path, *, config: Path | None = None, device: str = "cpu") -> nn.Module:
    """As `tuner.load`."""
    trained = open_trained(path, config=config, device=device, say=lambda line: warnings.warn(line, stacklevel=4))
    network = trained.loaded.network.to(torch.device(device)).eval()
    for name, value in (
        ("preprocess", trained.preprocess),
        ("classes", trained.classes),
        ("configuration", trained.facts.config.to_dict()),
    ):
        if hasattr(network, name):
            raise UsageError(f"{path}: its network has a {name!r} of its own, where `tuner.load` would put ours: rename it")
        setattr(network, name, value)
    return network
