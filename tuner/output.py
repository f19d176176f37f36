"""What commands print: results to stdout, progress to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from .study.record import Record
from .study.trials import TrialRow, best

PLAIN_WIDTH = 120  # of tables in files and pipes
BARS = "▁▂▃▄▅▆▇█"
FLAT = 0.01  # accuracies that differ by less make a level line


def sparkline(values: Sequence[float], width: int = 12) -> str:
    """Accuracies as a small curve, the last `width` of them, from the least of all to the greatest: the figures stand beside it."""
    if not values:
        return ""
    low, high = min(values), max(values)
    if high - low < FLAT:
        return BARS[len(BARS) // 2] * min(len(values), width)
    return "".join(BARS[round((value - low) / (high - low) * (len(BARS) - 1))] for value in values[-width:])


def duration(seconds: float) -> str:
    """`42 s`, `3 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def say(line: str) -> None:
    """Progress and remarks, on stderr."""
    click.echo(line, err=True)


def out() -> Console:
    """Where results go. Not a terminal: no colours, and a width that tables fit in."""
    return Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH, no_color=True)


def print_json(content: object) -> None:
    click.echo(json.dumps(content, indent=2, allow_nan=False))


def value_text(value: Any) -> str:
    """A parameter for people: short, and no digits that mean nothing."""
    if isinstance(value, float):
        return f"{value:.3g}" if value and not 0.01 <= abs(value) < 1000 else f"{value:.4g}"
    return str(value)


def params_text(params: Mapping[str, Any]) -> str:
    """`lr 0.003, batch_size 32, *.n1x1 x0.75`."""
    parts = []
    for name, value in params.items():
        if name.startswith("widths."):
            parts.append(f"{name.removeprefix('widths.')} x{value_text(value)}")
        else:
            parts.append(f"{name} {value_text(value)}")
    return ", ".join(parts)


def trial_table(rows: list[TrialRow], title: str) -> Table:
    """Trials, one a line."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for heading, justify in (("trial", "right"), ("state", "left"), ("val accuracy", "right"), ("epochs", "right"), ("seconds", "right")):
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("configuration", overflow="fold")
    for row in rows:
        reason = f" ({row.remark})" if row.remark else ""
        table.add_row(
            str(row.number),
            row.state.lower(),
            "-" if row.value is None else f"{row.value:.4f}",
            str(len(row.epochs)),
            f"{row.seconds:.1f}",
            params_text(row.params) + reason,
        )
    return table


def print_best(record: Record, count: int = 10) -> None:
    """The best trials, as a table."""
    top = best(record, count)
    if top:
        out().print(trial_table(top, f"Best of study {record.name}"))
