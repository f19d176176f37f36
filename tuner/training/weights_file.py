"""The file of weights that we write: a state dict, and beside it all that one must know to use it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..config.facts import pack_facts
from ..config.trial_config import TrialConfig
from ..models.weights import FACTS
from .provenance import name_device, read_commit, read_versions


def make_weights_file(
    weights: Mapping[str, Tensor],
    config: TrialConfig,
    *,
    fingerprint: str | None,
    classes: tuple[str, ...] | None,
    origin: Mapping[str, Any],
    provenance: Mapping[str, Any],
    data_code: str | None = None,
) -> bytes:
    """The file's content: `state_dict` with the plain network's names, as report A's code has them, and `tuner` with the facts.

    `torch.load(weights_only=True)` reads all of it.
    """
    facts = pack_facts(config, fingerprint=fingerprint, classes=classes, origin=origin, provenance=provenance, data_code=data_code)
    buffer = io.BytesIO()
    torch.save({"state_dict": dict(weights), FACTS: facts}, buffer)
    return buffer.getvalue()


def describe_machine(device: str) -> dict[str, Any]:
    """With what, and on what, this process trains: a part of the provenance."""
    return {"versions": read_versions(), "commit": read_commit(), "device": name_device(device)}
