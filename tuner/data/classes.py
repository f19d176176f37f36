"""Whose classes: those that weights were trained on, put against those of the images they are tested on."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from ..config.trial_config import DataRecord
from ..errors import UsageError
from .cache import Say
from .dataset import Dataset

NAMED_AT_MOST = 5  # classes in a message


def match_classes(record: DataRecord, outputs: int, dataset: Dataset, weights: Path, say: Say) -> list[int]:
    """For each class of the images, which of the network's `outputs` tells it: names decide, not places.

    `record` is what the configuration of the weights says of its data. `say` gets a line where the order differs, and
    where the images are others than those of the record.
    Errors: UsageError for other classes, or where nothing says which classes the outputs are.
    """
    here = [unicodedata.normalize("NFC", name) for name in dataset.classes]
    if outputs != len(here):
        raise UsageError(
            f"{weights} tells {outputs} classes apart, but {dataset.source!r} has {len(here)}: give the images that it was trained on"
        )
    same_images = record.fingerprint == dataset.fingerprint
    if record.classes is None:
        by_name = record.source == dataset.source and ":" not in dataset.source  # such as digits, whose classes are always the same
        if same_images or by_name or (record.fingerprint is None and record.is_of(dataset.source)):
            return list(range(outputs))
        raise UsageError(
            f"{record.path} does not say which classes {weights} tells apart, and {dataset.source!r} is not what it was trained on: "
            "add `classes: [NAME, ...]` to its data, in the order of the outputs"
        )
    trained = [unicodedata.normalize("NFC", name) for name in record.classes]
    if len(set(trained)) != outputs:
        raise UsageError(f"{record.path} names {len(set(trained)):,} classes, but {weights} tells {outputs:,} apart: mend `classes`")
    if set(trained) != set(here):
        ours, theirs = _names(set(trained) - set(here)), _names(set(here) - set(trained))
        raise UsageError(
            f"{weights} was trained on other classes than {dataset.source!r} has "
            f"(only in the weights: {ours}; only in the images: {theirs}): give images of the same classes"
        )
    columns = [trained.index(name) for name in here]
    if columns != list(range(outputs)):
        say(f"{weights}: its classes stand in another order than those of {dataset.source!r}; they are matched by name")
    if record.fingerprint is not None and not same_images:
        say(f"{weights}: {dataset.source!r} at this size is not the data that it was trained on (another fingerprint)")
    return columns


def _names(names: Iterable[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - NAMED_AT_MOST:,} more" if len(shown) > NAMED_AT_MOST else ""
    return ", ".join(map(repr, shown[:NAMED_AT_MOST])) + more
