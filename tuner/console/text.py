"""Numbers, names and small curves as people read them, and where they are printed."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from ..config.duration import format_duration as format_duration
from ..config.hyperparameters import find_width_pattern

PLAIN_WIDTH = 120  # of tables in files and pipes
BARS = "▁▂▃▄▅▆▇█"
FLAT = 0.01  # accuracies that differ by less make a level line


def draw_sparkline(values: Sequence[float], width: int = 12) -> str:
    """Accuracies as a small curve, the last `width` of them, from the least of all to the greatest: the figures stand beside it."""
    values = [value for value in values if math.isfinite(value)]
    if not values:
        return ""
    low, high = min(values), max(values)
    if high - low < FLAT:
        return BARS[len(BARS) // 2] * min(len(values), width)
    return "".join(BARS[round((value - low) / (high - low) * (len(BARS) - 1))] for value in values[-width:])


Say = Callable[[str], None]


def say(line: str) -> None:
    """Progress and remarks, on stderr."""
    click.echo(line, err=True)


def say_nothing(line: str) -> None:
    """In place of `say` where nothing is to be printed."""
    del line


def open_console(*, stderr: bool = False) -> Console:
    """Where results go, or `stderr`. Not a terminal: no colours, and a width that tables fit in.

    Every text is printed as it is, here and in tables: names and reasons may hold what Rich takes for markup or an emoji.
    """
    if (sys.stderr if stderr else sys.stdout).isatty():
        return Console(stderr=stderr, markup=False, emoji=False)
    return Console(stderr=stderr, markup=False, emoji=False, width=PLAIN_WIDTH, no_color=True)


def print_json(content: object) -> None:
    """JSON as its standard has it: a number that is not finite, as other tools may store one, is null."""
    click.echo(json.dumps(without_infinities(content), indent=2, allow_nan=False))


def without_infinities(content: Any) -> Any:
    """The content with None for every number that is not finite, which JSON lacks."""
    if isinstance(content, Mapping):
        return {name: without_infinities(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [without_infinities(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def format_value(value: Any) -> str:
    """A parameter for people: short, and no digits that mean nothing."""
    if isinstance(value, float):
        return f"{value:.3g}" if value and not 0.01 <= abs(value) < 1000 else f"{value:.4g}"
    return str(value)


def format_params(params: Mapping[str, Any]) -> str:
    """`lr 0.003, batch_size 32, *.n1x1 x0.75`."""
    parts = []
    for name, value in params.items():
        pattern = find_width_pattern(name)
        parts.append(f"{name} {format_value(value)}" if pattern is None else f"{pattern} x{format_value(value)}")
    return ", ".join(parts)
