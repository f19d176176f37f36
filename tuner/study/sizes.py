"""The size of a trial's network, known before it is trained, and what of a finite space is within the limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from itertools import product
from typing import Any

from ..config.checks import is_number
from ..config.dimension import Choice, Dimension, is_whole
from ..config.hyperparameters import find_option, find_width_pattern
from ..config.study_config import StudyConfig
from ..config.trial_config import TrialConfig
from .search_space import assemble, list_spaces

MOST_NETWORKS = 256  # that are built to count a space


def find_size(config: TrialConfig, classes: int) -> dict[str, int]:
    """Parameters and multiply-adds of a configuration's network, as `config/limits.py` names them.

    Errors: whatever building the network raises; UsageError where its code is the user's own.
    """
    from ..models.size import measure_size  # and torch

    side = config.data.image_size
    size = measure_size(config.model, config.channels, config.network, classes=classes, pixels=(side, side))
    return {"parameters": size.parameters, "macs": size.macs}


def is_of_size(name: str) -> bool:
    """Whether a hyper-parameter decides how large a network is."""
    return name == "model" or find_width_pattern(name) is not None or find_option(name) is not None


def find_size_of(config: StudyConfig, values: Mapping[str, Any], classes: int) -> dict[str, int]:
    """The size of the network of a trial with these values; what they leave out is as the study fixes it."""
    fixed = {name: value for name, value in config.constants.items() if name not in config.space}
    return find_size(assemble({**fixed, **values}, config, seed=0, threads=1, precision="fp32"), classes)


def shrink(config: StudyConfig, params: Mapping[str, Any], share: float) -> dict[str, Any]:
    """Drawn parameters of a smaller network: of the way from the smallest to what was drawn only this share, in every size on its own
    scale. With 0 each is the least of its range or list; lists of texts and the model stay as they are."""
    found = dict(params)
    for name, value in params.items():
        if is_of_size(name) and name != "model":
            found[name] = _shrink(name, config.space[name], value, share)
    return found


def _shrink(name: str, dimension: Dimension, value: Any, share: float) -> Any:
    if isinstance(dimension, Choice):
        if not all(is_number(each) for each in dimension.values):
            return value
        values = sorted(dimension.values)
        return values[int(share * values.index(value))]
    low = dimension.low
    smaller = low * (value / low) ** share if dimension.log else low + share * (value - low)
    step = dimension.step or (1 if is_whole(name, dimension) else None)
    if step is None:
        return min(smaller, value)
    return low + int((smaller - low) / step + 1e-9) * step


class Fitting:
    """Which configurations of a study are within those of its limits that can be known before training."""

    def __init__(self, config: StudyConfig, classes: int) -> None:
        self._config = config
        self._limits = config.limits.known_before
        self._classes = classes

    def fits(self, values: Mapping[str, Any]) -> bool:
        """Whether a trial of these values would be within the limits."""
        return not self._limits or self._limits.find_excess(find_size_of(self._config, values, self._classes)) <= 1

    @cached_property
    def count(self) -> int | None:
        """How many configurations of a finite space fit. None where there are too many networks to try them all, or one of them fails:
        the trial that draws it will say why."""
        try:
            return self._count()
        except Exception:
            return None

    def _count(self) -> int | None:
        total = 0
        for case, axes in list_spaces(self._config):
            sized = {name: values for name, values in axes.items() if is_of_size(name)}
            others = math.prod(len(values) for name, values in axes.items() if name not in sized)
            if math.prod(len(values) for values in sized.values()) > MOST_NETWORKS:
                return None
            total += others * sum(self.fits({**case, **dict(zip(sized, chosen, strict=True))}) for chosen in product(*sized.values()))
        return total
