"""The state of a run as a checkpoint has it: all of it is checked before any of it is loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..config.objective import ACCURACY, OBJECTIVES, Objective
from .score import Score

FIGURES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds")
MAY_LACK = ("val_loss", "val_accuracy")


@dataclass(frozen=True)
class State:
    """Weights by plain name, the optimiser's tensors by kind and then by plain name, and the epochs' figures."""

    weights: dict[str, Tensor]
    best: dict[str, Tensor] | None
    optimizer: dict[str, dict[str, Tensor]]
    curve: list[Score]


def read_state(plain: Any, *, epochs: int, objective: str = ACCURACY.name) -> State:
    """A state of plain dicts, lists and tensors, of a run of so many epochs with that objective. Errors: ValueError for anything else."""
    if not isinstance(plain, Mapping) or plain.keys() - {"best"} != {"weights", "optimizer", "curve"}:
        raise ValueError("not the state of a run")
    kinds, curve = plain["optimizer"], plain["curve"]
    if not isinstance(kinds, Mapping) or not isinstance(curve, list) or len(curve) > epochs:
        raise ValueError(f"not the state of a run of {epochs} epochs")
    optimizer = {str(kind): _read_tensors(tensors) for kind, tensors in kinds.items()}
    scores = [_read_score(figures, epoch, OBJECTIVES[objective]) for epoch, figures in enumerate(curve, start=1)]
    best = _read_tensors(plain["best"]) if "best" in plain else None
    return State(_read_tensors(plain["weights"]), best, optimizer, scores)


def choose_weights(plain: Mapping[str, Any]) -> dict[str, Tensor]:
    """Of a checkpoint's state the weights whose accuracy is the trial's value: of its best epoch where that counts, else the last."""
    found: dict[str, Tensor] = plain.get("best", plain["weights"])
    return found


def _read_tensors(named: Any) -> dict[str, Tensor]:
    if not isinstance(named, Mapping):
        raise ValueError("weights without names")
    for name, tensor in named.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ValueError(f"{str(name)[:60]!r} is no tensor with a name")
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise ValueError(f"{name} is no plain tensor")
    return dict(named)


def _read_score(figures: Any, epoch: int, objective: Objective) -> Score:
    held_out = isinstance(figures, Mapping) and figures.get("val_loss") is not None
    names = [*dict.fromkeys([*FIGURES, *((objective.key, *objective.also) if held_out else ())])]
    if not isinstance(figures, Mapping) or figures.keys() != {"epoch", *names} or figures["epoch"] != epoch:
        raise ValueError(f"the figures of epoch {epoch} are not there")
    for name in names:
        value = figures[name]
        known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not (known or (value is None and name in MAY_LACK)):
            raise ValueError(f"{name} of epoch {epoch} is no number")
    return Score(**figures)
