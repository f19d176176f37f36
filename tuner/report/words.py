"""Numbers and names as prose has them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from ..config.conditions import describe_when
from ..config.dimension import Choice, Dimension
from ..config.hyperparameters import find_option, find_width_pattern
from ..console.text import format_value
from ..models import MODELS
from ..study.study import Study

MOST_WIDTHS = 4  # that are told one by one
SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def model_name(model: str) -> str:
    return MODELS[model].title if model in MODELS else model


def spoken(name: str) -> str:
    """A hyper-parameter's name in a sentence."""
    pattern = find_width_pattern(name)
    if pattern is not None:
        return f"the width of {pattern}"
    if (option := find_option(name)) is not None:
        return f"the network's {option}"
    return {"lr": "the learning rate", "epochs": "the epochs"}.get(name, f"the {name.replace('_', ' ')}")


def percent(value: float | None) -> str:
    return "no accuracy" if value is None else f"{100 * value:.2f} %"


def points(gap: float) -> str:
    """A difference of accuracies."""
    return f"{100 * abs(gap):.2f} points"


def count(number: int, noun: str) -> str:
    """`one epoch`, `two epochs`, `1,200 epochs`."""
    word = SMALL[number] if number < len(SMALL) else f"{number:,}"
    return f"{word} {noun}{'' if number == 1 else 's'}"


def joined(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def ranges(space: Mapping[str, Dimension]) -> list[tuple[str, str]]:
    """Each searched hyper-parameter and what it may be; widths with the same range share a line."""
    lines: list[tuple[str, str]] = []
    widths: dict[str, list[str]] = {}
    for name, dimension in space.items():
        pattern = find_width_pattern(name)
        if pattern is not None:
            widths.setdefault(range_text(dimension), []).append(pattern)
        else:
            lines.append((spoken(name).removeprefix("the "), range_text(dimension)))
    for text, patterns in widths.items():
        lines.append((f"{'width' if len(patterns) == 1 else 'widths'} of {joined(patterns)}", text))
    return lines


def few(named: Sequence[tuple[str, str]]) -> list[str]:
    """The texts of (hyper-parameter, text), but where there are many widths only how many."""
    widths = [text for name, text in named if find_width_pattern(name) is not None]
    others = [text for name, text in named if find_width_pattern(name) is None]
    return [*others, *(widths if len(widths) <= MOST_WIDTHS else [f"{len(widths)} widths"])]


def range_text(dimension: Dimension) -> str:
    """What a dimension may be: `0.001 to 0.1, on a logarithmic scale`."""
    if isinstance(dimension, Choice):
        return joined([format_value(value) for value in dimension.values]).replace(" and ", " or ") + describe_when(dimension.when)
    how = ", on a logarithmic scale" if dimension.log else f", in steps of {format_value(dimension.step)}" if dimension.step else ""
    return f"{format_value(dimension.low)} to {format_value(dimension.high)}{how}{describe_when(dimension.when)}"


def storage_option(study: Study) -> str:
    """What a command needs behind it to find the study's storage; nothing for the storage in ./studies. No password."""
    path = study.storage.path
    if path is not None and (path.parent.name, path.name) == ("studies", "tuner.db"):
        return ""
    return f" --storage {shlex.quote(str(study.storage))}"
