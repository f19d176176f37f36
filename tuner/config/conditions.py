"""What a dimension depends on: `momentum: {low: 0.5, high: 0.99, when: {optimizer: sgd}}`."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ..errors import UsageError
from .hyperparameters import find_hyperparameter, find_width_pattern

# By hyper-parameter the values that it may have: all of them must hold. Empty for a dimension that every trial has.
When = tuple[tuple[str, tuple[Any, ...]], ...]
NEVER = ("model", "epochs")  # what every trial has
MOST_CASES = 10_000  # combinations of the choices that conditions are on


def parse_when(name: str, plain: Any) -> When:
    """The conditions of the dimension `name` as they stand in a study file: a map from a hyper-parameter to a value, or to several."""
    if not isinstance(plain, dict) or not plain:
        raise UsageError(f"{name}: when takes a map such as {{optimizer: sgd}}, not {plain!r}")
    if name in NEVER:
        raise UsageError(f"{name} takes no when: every trial has it")
    found = []
    for parent, wanted in plain.items():
        parameter = find_hyperparameter(str(parent), f"{name}: when")
        if parameter.name == "epochs" or find_width_pattern(parameter.name) is not None:
            raise UsageError(f"{name}: when takes hyper-parameters with a list to choose from, not {parent}")
        values = wanted if isinstance(wanted, list) else [wanted]
        if not values:
            raise UsageError(f"{name}: when {parent}: an empty list never holds")
        found.append((parameter.name, tuple(parameter.check(value, f"{name}: when") for value in values)))
    return tuple(found)


def to_plain_when(when: When) -> dict[str, Any]:
    """The reverse of `parse_when`."""
    return {parent: values[0] if len(values) == 1 else list(values) for parent, values in when}


def describe_when(when: When) -> str:
    """For the end of a line: `, when optimizer is sgd`. Empty where there are no conditions."""
    parts = [f"{parent} is {' or '.join(map(str, values))}" for parent, values in when]
    return f", when {' and '.join(parts)}" if parts else ""


def holds(when: When, values: Mapping[str, Any]) -> bool:
    """Whether all conditions hold for a trial of these values. One whose hyper-parameter the trial does not have does not hold."""
    return all(parent in values and values[parent] in allowed for parent, allowed in when)


def sort_by_condition(conditions: Mapping[str, When]) -> list[str]:
    """The dimensions with what each depends on before it, and else in their order. Errors: UsageError for a circle."""
    graph = {name: [parent for parent, _ in when if parent in conditions] for name, when in conditions.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise UsageError(f"when goes in a circle: {' -> '.join(reversed(error.args[1]))}: leave one of them out") from None
    done: list[str] = []
    left = list(conditions)
    while left:
        ready = next(name for name in left if not set(graph[name]) & set(left))
        done.append(ready)
        left.remove(ready)
    return done


def check_conditions(conditions: Mapping[str, When], ranges: Collection[str], possible: Callable[[str], set[Any]]) -> None:
    """Errors: UsageError for a circle, and for a condition that cannot hold or whose hyper-parameter is one of `ranges`.

    `possible` gives the values that a trial may have of a hyper-parameter.
    """
    sort_by_condition(conditions)
    for name, when in conditions.items():
        for parent, allowed in when:
            if parent in ranges:
                raise UsageError(f"{name}: when {parent}: that is a range, and a condition is on one of the values of a list")
            known = possible(parent)
            for value in allowed:
                if value not in known:
                    told = ", ".join(sorted(map(str, known)))
                    raise UsageError(f"{name}: when {parent} is {value}: no trial has that ({told}): add it there, or take it out here")
    cases = math.prod(len(possible(parent)) for parent in {parent for when in conditions.values() for parent, _ in when})
    if cases > MOST_CASES:
        raise UsageError(f"when: the choices that conditions are on make {cases:,} cases: choose among fewer (at most {MOST_CASES:,})")


def check_row(row: Mapping[str, Any], conditions: Mapping[str, When], given: Mapping[str, Any], where: str) -> None:
    """Errors: UsageError for a start row that sets what its trial would not have; `given` is what the row and the study fix."""
    for name in row:
        if name in conditions and not holds(conditions[name], given):
            needed = describe_when(conditions[name]).removeprefix(", ")
            raise UsageError(f"{where}: {name} is there only {needed}: set that in the row too, or leave {name} out")
