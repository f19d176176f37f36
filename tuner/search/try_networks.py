"""Networks of the user's own, built and shown two images before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..config.dimension import Choice, Dimension
from ..config.hyperparameters import find_option
from ..config.study_config import StudyConfig
from ..data import Dataset
from ..models.own_code import find_permitted, is_own
from ..models.own_network import check_own

MOST = 24  # networks that are built


def try_networks(config: StudyConfig, dataset: Dataset) -> None:
    """Errors: UsageError, with file and line, for a network that is none, or does not take the images or tell the classes apart."""
    pixels = (config.data.image_size, config.data.image_size)
    for model in config.models:
        if is_own(model):
            for options, _ in zip(list_options(config), range(MOST), strict=False):
                check_own(find_permitted(model), len(dataset.classes), pixels, options)


def list_options(config: StudyConfig) -> Iterator[dict[str, Any]]:
    """The first values of all options, the last ones, those of each start row, and every value of a list beside the first of the others."""
    fixed = {option: value for name, value in config.fixed.items() if (option := find_option(name)) is not None}
    space = {option: _list_values(d) for name, d in config.space.items() if (option := find_option(name)) is not None}
    first = fixed | {option: values[0] for option, values in space.items()}
    rows = [{option: value for name, value in row.items() if (option := find_option(name)) is not None} for row in config.start]
    made = [first, fixed | {option: values[-1] for option, values in space.items()}, *(first | row for row in rows)]
    made += [first | {option: value} for option, values in space.items() for value in values[1:]]
    seen: list[dict[str, Any]] = []
    for options in made:
        if options not in seen:
            seen.append(options)
            yield options


def _list_values(dimension: Dimension) -> list[Any]:
    return list(dimension.values) if isinstance(dimension, Choice) else [dimension.low, dimension.high]
