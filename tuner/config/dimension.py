"""One dimension of a search space: a choice or a range, checked when read."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from ..errors import UsageError
from .checks import check_keys, is_number
from .conditions import When, parse_when, to_plain_when
from .hyperparameters import HYPERPARAMETERS, Hyperparameter, find_option

MOST_STEPS = 10**9  # beyond that a step is none: floats, of about 16 digits, still tell its values apart


@dataclass(frozen=True, kw_only=True)
class Choice:
    values: tuple[Any, ...]
    when: When = ()


@dataclass(frozen=True, kw_only=True)
class Range:
    """`low` and `high` are both included."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    when: When = ()


Dimension = Choice | Range


def put_on_step(value: Any, dimension: Dimension | None) -> Any:
    """A value of a range with a step as the range itself counts it: 0.3 of a start row is the 0.30000000000000004 of 0.1 + 2 * 0.1.

    A value that is on no step, or outside, stays as it is.
    """
    if not isinstance(dimension, Range) or dimension.step is None or not is_number(value):
        return value
    if not dimension.low - dimension.step <= value <= dimension.high + dimension.step:
        return value
    index = round((value - dimension.low) / dimension.step)
    counted = type(dimension.low)(min(max(dimension.low + index * dimension.step, dimension.low), dimension.high))
    return counted if abs(counted - value) <= 1e-6 * dimension.step else value


def is_whole(name: str, dimension: Range) -> bool:
    """Whether only whole numbers are drawn: where the hyper-parameter says so, and of an option of a network where its bounds do."""
    if find_option(name) is not None:
        return isinstance(dimension.low, int) and isinstance(dimension.high, int)
    return name in HYPERPARAMETERS and HYPERPARAMETERS[name].kind is int


def place_value(value: Any, dimension: Dimension) -> float:
    """Where a value lies in its dimension, from 0 to 1: in a range by its own scale, among choices by their order, numbers by size."""
    if isinstance(dimension, Choice):
        values = sorted(dimension.values) if all(is_number(each) for each in dimension.values) else list(dimension.values)
        return values.index(value) / (len(values) - 1) if len(values) > 1 else 0.5
    if dimension.low == dimension.high:
        return 0.5
    if dimension.log:
        return math.log(value / dimension.low) / math.log(dimension.high / dimension.low)
    return float((value - dimension.low) / (dimension.high - dimension.low))


def parse_dimension(parameter: Hyperparameter, value: Any) -> Any:
    """A plain value as it is, a list as a Choice, a map as a Range, or with `values` as a Choice; every value checked."""
    if isinstance(value, dict) and "when" in value:
        value = dict(value)
        when = parse_when(parameter.name, value.pop("when"))
        dimension = parse_dimension(parameter, value)
        assert isinstance(dimension, (Choice, Range))  # a map is no plain value
        return replace(dimension, when=when)
    if isinstance(value, dict) and "values" in value:
        check_keys(value, {"values"}, parameter.name)
        if not isinstance(value["values"], list):
            raise UsageError(f"{parameter.name}: values takes a list to choose from, not {value['values']!r}")
        value = value["values"]
    if isinstance(value, list):
        values = tuple(parameter.check(v) for v in value)
        if not values:
            raise UsageError(f"{parameter.name}: an empty list gives nothing to choose from")
        if len(set(values)) < len(values):
            raise UsageError(f"{parameter.name}: a value stands twice in {value!r}")
        return Choice(values=values)
    if not isinstance(value, dict):
        return parameter.check(value)
    name = parameter.name
    if parameter.kind is object:
        numbers = [value[part] for part in ("low", "high", "step") if value.get(part) is not None]
        parameter = replace(parameter, kind=int if all(type(number) is int for number in numbers) else float)
    if parameter.kind not in (int, float):
        raise UsageError(f"{name} takes a value or a list to choose from, not the range {value!r}")
    check_keys(value, {"low", "high", "log", "step", "when", "values"}, name)
    for end in ("low", "high"):
        if end not in value:
            raise UsageError(f"{name}: the range {value!r} has no {end}")
    log, step = value.get("log", False), value.get("step")
    if not isinstance(log, bool):
        raise UsageError(f"{name}: log takes true or false, not {log!r}")
    if log and is_number(value["low"]) and value["low"] <= 0:
        raise UsageError(f"{name}: a log range must start above 0, not at {value['low']!r}")
    low, high = parameter.check(value["low"]), parameter.check(value["high"])
    if low > high:
        raise UsageError(f"{name}: the range is upside down: low {low!r} is above high {high!r}")
    if step is not None:
        if log:
            raise UsageError(f"{name}: a range has a step or is log, not both")
        if not is_number(step) or step <= 0 or (parameter.kind is int and int(step) != step):
            raise UsageError(f"{name}: step must be {'a whole number ' if parameter.kind is int else ''}above 0, not {step!r}")
        step = parameter.kind(step)
        count = (high - low) / step
        if count > MOST_STEPS:
            raise UsageError(f"{name}: steps of {step!r} from {low!r} to {high!r} are more than {MOST_STEPS:,}: leave step out")
        if abs(count - round(count)) > 1e-9 * max(1.0, abs(count)) or (low < high and round(count) == 0):
            raise UsageError(f"{name}: steps of {step!r} from {low!r} do not reach {high!r}: move high or step")
    return Range(low=low, high=high, log=log, step=step)


def to_plain(dimension: Dimension) -> Any:
    when = {"when": to_plain_when(dimension.when)} if dimension.when else {}
    if isinstance(dimension, Choice):
        return {"values": list(dimension.values), **when} if when else list(dimension.values)
    plain = {"low": dimension.low, "high": dimension.high, "log": dimension.log, "step": dimension.step}
    return {name: value for name, value in plain.items() if value is not None and value is not False} | when


def check_start(name: str, value: Any, dimension: Dimension | None, where: str) -> None:
    if isinstance(dimension, Choice) and value not in dimension.values:
        raise UsageError(f"{where}: {name} {value!r} is not among the choices {list(dimension.values)!r}: add it there")
    if isinstance(dimension, Range):
        off_step = dimension.step is not None and abs((value - dimension.low) / dimension.step % 1 - 0.5) < 0.5 - 1e-6
        if not dimension.low <= value <= dimension.high or off_step:
            raise UsageError(f"{where}: {name} {value!r} is not in the range {to_plain(dimension)!r}: widen it")
