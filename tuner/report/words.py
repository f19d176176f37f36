"""Numbers and names as English prose has them, for the notes of the dashboard and the comparison; networks; the storage's option."""

from __future__ import annotations

import shlex

from ..models import MODELS
from ..study.study import Study
from .languages.en import ENGLISH

count, joined, percent, ranges = ENGLISH.count, ENGLISH.joined, ENGLISH.percent, ENGLISH.ranges


def model_name(model: str) -> str:
    return MODELS[model].title if model in MODELS else model


def storage_option(study: Study) -> str:
    """What a command needs behind it to find the study's storage; nothing for the storage in ./studies. No password."""
    path = study.storage.path
    if path is not None and (path.parent.name, path.name) == ("studies", "tuner.db"):
        return ""
    return f" --storage {shlex.quote(str(study.storage))}"
