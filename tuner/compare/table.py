"""A comparison as a table, and what it says in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.table import Table

from ..console.listing import print_csv
from ..console.narrow import print_table
from ..console.text import open_console, print_json
from ..study.storage import Storage
from .figures import FACTS, list_results
from .rows import load

HEADINGS = ("model", "top-1 %", "95 %", "top-5 %", "95 %", "loss", "params", "MACs", "images/s", "ms/image", "memory")
NAMED_AT_MOST = 5  # broken images in a line


def show_comparison(storage: Storage, name: str, *, as_json: bool = False, as_csv: bool = False) -> None:
    """A comparison that is there: its finished networks side by side, and those that are not."""
    compared, rows = load(storage, name), list_results(storage, name)
    facts = compared.facts()
    waiting = [t.user_attrs["model"] for t in compared.trials() if not t.state.is_finished()]
    if as_json:
        print_json({"study": name, "kind": "comparison", "data": facts["data"], "networks": rows, "unfinished": waiting})
        return
    if as_csv:
        print_csv(rows, FACTS)
        return
    if rows:
        print_rows(rows, name, facts["data"])
    if waiting or not rows:
        click.echo(f"not finished: {', '.join(waiting) or 'all'}; the same `tuner compare` goes on")


def print_rows(rows: Sequence[dict[str, Any]], name: str, source: str) -> None:
    """The table with its words."""
    print_table(open_console(), make_table(rows, f"Study {name}: {format_count(rows[0]['images'], 'image')} of {source}"))
    for line in explain(rows):
        click.echo(line)


def make_table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    """A line a network, best first."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    made.add_column(HEADINGS[0], overflow="fold")
    for heading in HEADINGS[1:]:
        made.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        made.add_row(*format_cells(row))
    return made


def format_cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A network's figures under `HEADINGS`."""
    return (
        row["model"],
        f"{100 * row['top1']:.2f}",
        _interval(row["top1_interval"]),
        f"{100 * row['top5']:.2f}",
        _interval(row["top5_interval"]),
        f"{row['loss']:.3f}",
        format_short(row["parameters"]),
        format_short(row["macs"]),
        f"{row['images_per_second']:.1f}",
        f"{row['ms_per_image']:.2f}",
        f"{row['peak_memory_mb']:,.0f} MB",
    )


def explain(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What neighbours have between them, whose code was changed since, and which images could not be read."""
    lines = [explain_pair(row) for row in rows if row["next"] is not None]
    lines += [
        f"{row['model']} ran with another file of code than it was trained with (--accept-changed-code)."
        for row in rows
        if row.get("code") != row.get("trained_code")
    ]
    broken = sorted({name for row in rows for name in row["broken"]})
    if broken:
        named = ", ".join(broken[:NAMED_AT_MOST]) + (f" and {len(broken) - NAMED_AT_MOST} more" if len(broken) > NAMED_AT_MOST else "")
        lines.append(f"{format_count(len(broken), 'broken image')} left out: {named}")
    return lines


def explain_pair(row: dict[str, Any]) -> str:
    """Whether a network really differs from the one below it."""
    test = row["next"]
    if not test["wins"] + test["losses"]:
        return f"{row['model']} and {test['model']} are right on the very same images."
    wins, losses = format_count(test["wins"], "image"), f"{test['losses']:,}"
    ahead = f"{row['model']} is right where {test['model']} is wrong on {wins}, the other way round on {losses}"
    p = "p < 0.0001" if test["p"] < 0.0001 else f"p = {test['p']:.2g}"
    verdict = "they really differ" if test["differ"] else "these images do not tell them apart"
    return f"{ahead}: {verdict} (exact McNemar test, {p})."


def format_count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_short(number: float) -> str:
    """`138.4 M`, `15.47 G`: four digits."""
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= unit:
            return f"{number / unit:.4g}{name}"
    return f"{number:.0f}"


def _interval(bounds: Sequence[float]) -> str:
    return f"{100 * bounds[0]:.1f} - {100 * bounds[1]:.1f}"
