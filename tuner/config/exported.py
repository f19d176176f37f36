"""A configuration file as it was exported of a trial, and one that was changed since: figures of it are not the trial's."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import UsageError
from .trial_config import TrialConfig

DIGEST = "configuration"  # under `origin`: what the file held when it was exported
CHANGED = "changed"  # under `origin`: it was trained otherwise
ALL = "all"


def digest_config(config: TrialConfig) -> str:
    """16 hex digits of a configuration, wherever its images lie and with however many threads: these only round otherwise."""
    plain = config.identity()
    plain.pop("threads")
    plain["data"] = {name: value for name, value in plain["data"].items() if name != "source"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def change(config: TrialConfig, *, epochs: int | None, train_images: str | None, threads: int | None) -> TrialConfig:
    """With other epochs, threads, and another part of the training images: a number of them, or `all`. Errors: UsageError."""
    if threads is not None:
        config = replace(config, threads=threads)
    if epochs is not None:
        config = replace(config, epochs=epochs)
    if train_images is not None:
        if train_images != ALL and not re.fullmatch(r"[0-9]{1,9}", train_images):
            raise UsageError(f"--train-images takes a number such as 5000, or {ALL}, not {train_images!r}")
        count = None if train_images == ALL else int(train_images)
        config = replace(config, data=replace(config.data, train_images=count))
    return config


def note_change(config: TrialConfig, origin: Mapping[str, Any], *, by_option: bool) -> dict[str, Any]:
    """The origin of a configuration that is trained now. Where it is not what was exported, that stands there, and no figure of the
    trial does. Files of earlier versions do not say what was exported: of these only a change `by_option` is known."""
    changed = origin[DIGEST] != digest_config(config) if DIGEST in origin else by_option
    if not origin or not (changed or origin.get(CHANGED)):
        return dict(origin)
    return {name: value for name, value in origin.items() if not name.startswith("validation_")} | {CHANGED: True}
