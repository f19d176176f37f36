"""Numbers, names and small curves as people read them, and where they are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from ..config.hyperparameters import find_width_pattern

PLAIN_WIDTH = 120  # of tables in files and pipes
BARS = "▁▂▃▄▅▆▇█"
FLAT = 0.01  # accuracies that differ by less make a level line


def draw_sparkline(values: Sequence[float], width: int = 12) -> str:
    """Accuracies as a small curve, the last `width` of them, from the least of all to the greatest: the figures stand beside it."""
    if not values:
        return ""
    low, high = min(values), max(values)
    if high - low < FLAT:
        return BARS[len(BARS) // 2] * min(len(values), width)
    return "".join(BARS[round((value - low) / (high - low) * (len(BARS) - 1))] for value in values[-width:])


def format_duration(seconds: float) -> str:
    """`42 s`, `3 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


Say = Callable[[str], None]


def say(line: str) -> None:
    """Progress and remarks, on stderr."""
    click.echo(line, err=True)


def say_nothing(line: str) -> None:
    """In place of `say` where nothing is to be printed."""
    del line


def open_console() -> Console:
    """Where results go. Not a terminal: no colours, and a width that tables fit in."""
    return Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH, no_color=True)


def print_json(content: object) -> None:
    click.echo(json.dumps(content, indent=2, allow_nan=False))


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
