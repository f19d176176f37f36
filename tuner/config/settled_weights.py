"""The weights that a study's networks begin with, once their files are found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..models.finetuned import is_torchvisions
from .study_config import StudyConfig


def settle_weights(config: StudyConfig) -> StudyConfig:
    """With the places and digests of the files that its networks begin with; torchvision's are downloaded where they lack.

    Errors: UsageError for a file that is not there, and for more stages to freeze than a network has; TunerError where
    weights cannot be had.
    """
    if config.weights is None:
        return config
    from ..models.initial import check_stages, digest_weights

    theirs = [model for model in config.models if is_torchvisions(model)]
    for model in theirs:
        check_stages(model, max((count for count in config.possible("freeze") if isinstance(count, int)), default=0))
    if config.weights == "none":
        return config
    digests = {model: digest_weights(model, config.weights) for model in theirs}
    # Workers may begin in other folders.
    where = config.weights if config.weights == "default" else str(Path(config.weights).absolute())
    return replace(config, weights=where, digests=digests)


def name_weights(config: StudyConfig, model: str) -> dict[str, Any]:
    """What a trial of this network begins with, as TrialConfig has it."""
    if config.weights is None or not is_torchvisions(model):
        return {}
    return {"weights": config.weights, "weights_digest": config.digests.get(model)}
