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
    device: str | None,
    provenance: Mapping[str, Any],
) -> bytes:
    """The file's content: `state_dict` with the plain network's names, as report A's code has them, and `tuner` with the facts.

    `device` is where they were trained, None where it is not known. `torch.load(weights_only=True)` reads all of it.
    """
    made_with = {
        "versions": read_versions(),
        **({} if (commit := read_commit()) is None else {"commit": commit}),
        **({} if device is None else {"device": name_device(device)}),
    }
    facts = pack_facts(config, fingerprint=fingerprint, classes=classes, origin=origin, provenance={**provenance, **made_with})
    buffer = io.BytesIO()
    torch.save({"state_dict": dict(weights), FACTS: facts}, buffer)
    return buffer.getvalue()
