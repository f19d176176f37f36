"""Configurations that stand for a study's space: its smallest, its largest, and one from the middle."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..config.checks import is_number
from ..config.dimension import Choice, Dimension, is_whole
from ..config.hyperparameters import DEFAULTS, find_option, find_width_pattern
from ..config.study_config import StudyConfig
from ..config.trial_config import TrialConfig
from ..models import find_model
from .search_space import applies, assemble, fit_seed

SMALL_LR = 1e-4  # for steps that are only timed: nothing diverges


def find_extreme(config: StudyConfig, end: Callable[..., Any]) -> TrialConfig:
    """The configuration of the study's smallest (`min`) or largest (`max`) network, with the largest batch."""

    model = end(config.models, key=_size)
    return _assemble(config, _pick_size(end), model, batch_size=max(config.possible("batch_size")), lr=SMALL_LR)


def find_smallest(config: StudyConfig, model: str, given: Mapping[str, Any]) -> TrialConfig:
    """The configuration of that model's smallest network with these values given."""
    return _assemble(config, _pick_size(min), model, **{name: value for name, value in given.items() if name != "model"})


def _pick_size(end: Callable[..., Any]) -> Callable[[str, Dimension], Any]:
    """Picks one end of every dimension that makes a network smaller or larger, and None of all others."""

    def pick(name: str, dimension: Dimension) -> Any:
        if find_option(name) is not None and isinstance(dimension, Choice) and not all(map(is_number, dimension.values)):
            return dimension.values[0]  # nobody can say which text makes the larger network
        if find_width_pattern(name) is None and find_option(name) is None:
            return None
        return end(dimension.values) if isinstance(dimension, Choice) else end(dimension.low, dimension.high)

    return pick


def find_example(config: StudyConfig, model: str) -> TrialConfig:
    """A configuration of that model: the first value of each list, the low end of each range."""

    def pick(name: str, dimension: Dimension) -> Any:
        del name
        return dimension.values[0] if isinstance(dimension, Choice) else dimension.low

    return _assemble(config, pick, model, lr=SMALL_LR)


def find_middle(config: StudyConfig) -> TrialConfig:
    """A configuration from the middle of the space, of its largest network: the middle value of each list and each range."""

    def pick(name: str, dimension: Dimension) -> Any:
        if isinstance(dimension, Choice):
            values = dimension.values if any(isinstance(value, str) for value in dimension.values) else sorted(dimension.values)
            return values[(len(values) - 1) // 2]
        low, high = dimension.low, dimension.high
        middle = math.sqrt(low * high) if dimension.log else (low + high) / 2
        return round(middle) if is_whole(name, dimension) else middle

    return _assemble(config, pick, max(config.models, key=_size))


def _assemble(config: StudyConfig, pick: Callable[[str, Dimension], Any], model: str, **more: Any) -> TrialConfig:
    values = DEFAULTS | dict(config.fixed)
    values |= {name: value for name, dimension in config.space.items() if (value := pick(name, dimension)) is not None}
    values |= {"model": model, **more}
    named = {name: value for name, value in values.items() if applies(name, model)}
    return assemble(named, config, seed=fit_seed(config.seed), threads=1, precision="fp32")


def _size(model: str) -> int:
    return sum(find_model(model).widths.values())
