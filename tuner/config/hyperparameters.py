"""The hyper-parameters of a trial: what each may be, and what it is when a study does not name it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import UsageError, nearest
from ..models import MODELS, find_model
from ..models.finetuned import is_torchvisions
from ..models.own_code import is_own

OPTIONS = "network."  # an option of the user's own network in a study is this and its name: network.depth
WIDTHS = "widths."  # a width pattern's name in a study is this and the pattern: widths.*.n1x1
LONGEST_PATTERN = 100  # characters; a database holds a parameter's name of 512
# Networks compute in single precision, and Optuna's integers pass through floats.
LARGEST = {float: 3.4e38, int: 2**31 - 1}


@dataclass(frozen=True, kw_only=True)
class Hyperparameter:
    """One hyper-parameter: its kind, the value it has when not named, and what values it may take.

    `low` is included unless `low_open`; `high` is included unless `high_open`. One of `choices` may be a number too, where it
    `counts`: a whole one from 1.
    """

    name: str
    kind: type  # float, int, bool or str; object for any of them
    default: Any
    choices: tuple[str, ...] = ()
    counts: bool = False
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def check(self, value: Any, where: str = "") -> Any:
        """The value in its own kind, or a UsageError that shows it as it was typed."""
        place = f"{where}: " if where else ""
        if self.kind is object:
            if not isinstance(value, (bool, int, float, str)):
                raise UsageError(f"{place}{self.name} takes a number, a text, true or false, not {value!r}")
            return replace(self, kind=type(value)).check(value, where)
        if self.kind is str:
            if self.name == "model" and (is_own(value) or (isinstance(value, str) and is_torchvisions(value))):
                return find_model(value).name
            if not self.choices:
                if not isinstance(value, str):
                    raise UsageError(f"{place}{self.name} takes a text, not {value!r}")
                return value
            if self.counts and isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST[int]:
                return value
            if value not in self.choices:
                if self.counts:
                    raise UsageError(f"{place}{self.name} takes {', '.join(self.choices)} or a whole number from 1, not {value!r}")
                raise UsageError(f"{place}unknown {self.name} {value!r}: {nearest(value, self.choices)}")
            return value
        if self.kind is bool:
            if not isinstance(value, bool):
                raise UsageError(f"{place}{self.name} takes true or false, not {value!r}")
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise UsageError(f"{place}{self.name} takes a number, not {value!r}")
        if LARGEST[self.kind] < abs(value) < math.inf:
            raise UsageError(f"{place}{self.name} takes numbers up to {LARGEST[self.kind]}, not {value!r}")
        if self.kind is int:
            if value != value or value in (math.inf, -math.inf) or int(value) != value:
                raise UsageError(f"{place}{self.name} takes a whole number, not {value!r}")
            value = int(value)
        if not (self._above(value) and self._below(value)):
            raise UsageError(f"{place}{self.name} must be {self.bounds()}, not {value!r}")
        return self.kind(value)

    def _above(self, value: float) -> bool:
        return value > self.low if self.low_open else value >= self.low

    def _below(self, value: float) -> bool:
        return value < self.high if self.high_open or self.high == math.inf else value <= self.high

    def bounds(self) -> str:
        """The allowed range in words."""
        parts = [f"{'above' if self.low_open else 'at least'} {self.low:g}"] if self.low != -math.inf else []
        if self.high != math.inf:
            parts.append(f"{'below' if self.high_open else 'at most'} {self.high:g}")
        return " and ".join([*parts, "finite"] if self.high == math.inf else parts)


HYPERPARAMETERS = {
    parameter.name: parameter
    for parameter in (
        Hyperparameter(name="model", kind=str, default="mynet", choices=tuple(MODELS)),
        Hyperparameter(name="lr", kind=float, default=0.001, low=0, low_open=True),
        Hyperparameter(name="batch_size", kind=int, default=8, low=1),
        Hyperparameter(name="epochs", kind=int, default=6, low=1),
        Hyperparameter(name="momentum", kind=float, default=0.9, low=0, high=1, high_open=True),
        Hyperparameter(name="weight_decay", kind=float, default=0.0, low=0),
        Hyperparameter(name="nesterov", kind=bool, default=False),
        Hyperparameter(name="optimizer", kind=str, default="sgd", choices=("sgd", "adamw")),
        Hyperparameter(name="schedule", kind=str, default="constant", choices=("constant", "cosine", "onecycle")),
        Hyperparameter(name="label_smoothing", kind=float, default=0.0, low=0, high=1, high_open=True),
        Hyperparameter(name="augment", kind=str, default="none", choices=("none", "flip", "flip-crop")),
        Hyperparameter(name="warmup_epochs", kind=float, default=0.0, low=0),
        Hyperparameter(name="freeze", kind=str, default="none", choices=("none", "backbone"), counts=True),
        Hyperparameter(name="head_lr", kind=float, default=1.0, low=0, low_open=True),
        Hyperparameter(name="layer_decay", kind=float, default=1.0, low=0, low_open=True, high=1),
    )
}
DEFAULTS = {name: parameter.default for name, parameter in HYPERPARAMETERS.items()}
# Schedules whose course depends on how many epochs are still to come.
HORIZON_SCHEDULES = ("cosine", "onecycle")
# What only a network with a head and stages has a use for: torchvision's.
FINETUNING = ("freeze", "head_lr", "layer_decay")
# They are named only where they are not the default: of most studies they say nothing.
QUIET = ("warmup_epochs", *FINETUNING)
RISES_ITSELF = "schedule onecycle rises by itself: leave warmup_epochs out, or take another schedule"


def name_width(pattern: str) -> str:
    """The hyper-parameter that scales the widths that a pattern matches."""
    return f"{WIDTHS}{pattern}"


def list_fixed(fixed: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all hyper-parameters but widths, with those of `fixed` in the defaults' place."""
    named = {name: fixed.get(name, default) for name, default in DEFAULTS.items()}
    return {name: value for name, value in named.items() if name not in QUIET or value != DEFAULTS[name]}


def find_width_pattern(name: str) -> str | None:
    """The pattern of a hyper-parameter that scales widths; None for any other."""
    return name.removeprefix(WIDTHS) if name.startswith(WIDTHS) else None


def name_option(option: str) -> str:
    """The hyper-parameter that is an option of the user's own network."""
    return f"{OPTIONS}{option}"


def find_option(name: str) -> str | None:
    """The option of the user's own network that a hyper-parameter is; None for any other."""
    return name.removeprefix(OPTIONS) if name.startswith(OPTIONS) else None


def find_hyperparameter(name: str, where: str = "") -> Hyperparameter:
    """The hyper-parameter of that name, width patterns included; an unknown one names the nearest."""
    pattern = find_width_pattern(name)
    if pattern is not None:
        if len(pattern) > LONGEST_PATTERN:
            raise UsageError(f"width pattern {pattern[:20]!r}... has more than {LONGEST_PATTERN} characters: give several shorter ones")
        return Hyperparameter(name=name, kind=float, default=1.0, low=0, low_open=True)
    option = find_option(name)
    if option is not None:
        if not option.isidentifier() or len(option) > LONGEST_PATTERN:
            raise UsageError(f"network takes the names of your function's arguments, not {option[:LONGEST_PATTERN]!r}")
        return Hyperparameter(name=name, kind=object, default=None)
    if name not in HYPERPARAMETERS:
        place = f"{where}: " if where else ""
        raise UsageError(f"{place}unknown hyper-parameter {name!r}: {nearest(name, [*HYPERPARAMETERS, 'widths', 'network'])}")
    return HYPERPARAMETERS[name]


def flatten(mapping: Any, where: str) -> dict[str, Any]:
    """`{lr: .., widths: {PATTERN: ..}, network: {NAME: ..}}` as `{lr: .., widths.PATTERN: .., network.NAME: ..}`, every name known."""
    if not isinstance(mapping, dict):
        raise UsageError(f"{where}: takes a map of hyper-parameters, not {mapping!r}")
    named: dict[str, Any] = {}
    for name, value in mapping.items():
        if name == "widths":
            if not isinstance(value, dict):
                raise UsageError(f"{where}: widths takes a map of patterns, not {value!r}")
            for pattern, factor in value.items():
                named[name_width(str(pattern))] = factor
        elif name == "network":
            if not isinstance(value, dict):
                raise UsageError(f"{where}: network takes a map of your function's arguments, not {value!r}")
            for option, given in value.items():
                find_hyperparameter(name_option(str(option)), where)
                named[name_option(str(option))] = given
        else:
            find_hyperparameter(str(name), where)
            named[str(name)] = value
    return named


def nest(named: dict[str, Any]) -> dict[str, Any]:
    """The reverse of `flatten`."""
    plain = {name: value for name, value in named.items() if find_width_pattern(name) is None and find_option(name) is None}
    options = {option: value for name, value in named.items() if (option := find_option(name)) is not None}
    widths = {pattern: value for name, value in named.items() if (pattern := find_width_pattern(name)) is not None}
    return plain | ({"widths": widths} if widths else {}) | ({"network": options} if options else {})
