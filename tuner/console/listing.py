"""The trials of a study as a list: which of them, in what order, and under which columns.

A wide terminal has a column for every hyper-parameter that was searched, a narrow one two lines a trial.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..config.hyperparameters import DEFAULTS, find_option, find_width_pattern
from ..config.limits import COSTS
from ..config.objective import OBJECTIVES
from ..config.study_config import StudyConfig
from ..errors import UsageError, nearest
from ..study.trials import TrialRow
from .narrow import NARROW, fits
from .text import draw_sparkline, format_params, format_value

WIDE = 100  # columns of a terminal from which hyper-parameters have some of their own, where they fit
FIGURES = ("number", "state", "value", "epochs_trained", "seconds", *COSTS)


def list_names(config: StudyConfig, rows: Sequence[TrialRow]) -> list[str]:
    """The hyper-parameters that the study draws, in its order, then those that only start rows set."""
    return list(dict.fromkeys([*config.drawn, *(name for row in rows for name in row.params)]))


def read_figure(row: TrialRow, name: str) -> Any:
    """A figure of `FIGURES`, or a hyper-parameter of the trial's configuration; None for what it has not."""
    own = {"number": row.number, "state": row.state, "value": row.value, "epochs_trained": len(row.epochs), "seconds": row.seconds}
    own |= {cost: row.run.get(cost) for cost in COSTS}
    if name in own:
        return own[name]
    if name in row.params or row.config is None:
        return row.params.get(name)
    if (pattern := find_width_pattern(name)) is not None:
        return row.config.widths.get(pattern)
    return row.config.network.get(option) if (option := find_option(name)) is not None else getattr(row.config, name)


def choose_rows(rows: Sequence[TrialRow], config: StudyConfig, *, sort: str | None = None, top: int | None = None) -> list[TrialRow]:
    """The first `top` rows by `sort`, a figure or a hyper-parameter; by number where nothing is said.

    Values come from the best down, all else from the least up, and rows without the figure last. Errors: UsageError for another name.
    """
    ordered = list(rows)
    if sort is not None:
        objective = OBJECTIVES[config.objective]
        known = dict.fromkeys([*FIGURES, *list_names(config, rows), *DEFAULTS])
        if sort not in known:
            raise UsageError(f"--sort {sort!r} is no figure or hyper-parameter of the study: {nearest(sort, known)}")

        def place(row: TrialRow) -> tuple[bool, bool, Any, int]:
            found = read_figure(row, sort)
            if found is None:
                return True, False, 0, row.number
            return False, isinstance(found, str), objective.place(found) if sort == "value" else found, row.number

        ordered.sort(key=place)
    return ordered[:top]


def print_rows(console: Console, rows: Sequence[TrialRow], config: StudyConfig, marks: Mapping[int, str]) -> None:
    """The rows in the form that the console has room for; `marks` stand beside numbers of trials."""
    if console.is_terminal and console.width >= WIDE:
        table = _make_table(rows, config, list_names(config, rows), marks)
        if fits(console, table):
            console.print(table)
            return
    if console.width < NARROW:
        _print_pairs(console, rows, marks)
    else:
        console.print(_make_table(rows, config, None, marks))


def _make_table(rows: Sequence[TrialRow], config: StudyConfig, names: Sequence[str] | None, marks: Mapping[int, str]) -> Table:
    """A line a trial, with a column for each of `names`; without them its hyper-parameters stand in one column that folds."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("trial", "state", f"val {OBJECTIVES[config.objective].title}", "epochs", "curve"):
        table.add_column(heading, justify="left" if heading in ("state", "curve") else "right", no_wrap=True)
    for name in names or ():
        pattern = find_width_pattern(name)
        table.add_column(name if pattern is None else f"x {pattern}", justify="right", no_wrap=True)
    remarks = names is not None and any(row.remark for row in rows)
    if names is None or remarks:
        table.add_column("configuration" if names is None else "remark", overflow="fold")
    for row in rows:
        cells = [*_head_cells(row, marks), str(len(row.epochs)), _draw_curve(row)]
        if names is None:
            cells.append(format_params(row.params) + (f" ({row.remark})" if row.remark else ""))
        else:
            found = (read_figure(row, name) for name in names)
            cells += ["-" if value is None else format_value(value) for value in found]
            cells += [row.remark] if remarks else []
        table.add_row(*cells)
    return table


def _print_pairs(console: Console, rows: Sequence[TrialRow], marks: Mapping[int, str]) -> None:
    """Two lines a trial: its figures, and below them its hyper-parameters."""
    for row in rows:
        number, state, value = _head_cells(row, marks)
        figures = f"{number}  {state}  {value}  {len(row.epochs)} epoch{'' if len(row.epochs) == 1 else 's'}  "
        console.print(figures + _draw_curve(row, min(12, max(1, console.width - len(figures)))), highlight=False, overflow="ellipsis")
        below = format_params(row.params) + (f" ({row.remark})" if row.remark else "")
        console.print(Padding(Text(below), (0, 0, 0, 2)), highlight=False)


def _head_cells(row: TrialRow, marks: Mapping[int, str]) -> tuple[str, str, str]:
    """Number, standing and value; of a trial that may go on, what it has reached so far."""
    reached = row.curve[-1] if row.value is None and row.state in ("RUNNING", "WAITING") and row.curve else row.value
    return f"{row.number} {marks.get(row.number, '')}".rstrip(), row.standing, "-" if reached is None else f"{reached:.4f}"


def _draw_curve(row: TrialRow, width: int = 12) -> str:
    return draw_sparkline(row.curve, width)


def print_trials_csv(rows: Sequence[TrialRow], config: StudyConfig) -> None:
    """A line a trial, figures unrounded: every hyper-parameter, those that were searched first, then the costs and the reason."""
    names = [name for name in dict.fromkeys([*list_names(config, rows), *DEFAULTS]) if name not in FIGURES]
    columns = [*(name for name in FIGURES if name not in COSTS), *names, *COSTS]
    print_csv([{**{name: read_figure(row, name) for name in columns}, "reason": row.reason} for row in rows], [*columns, "reason"])


def print_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Rows under these columns, on stdout; what a row has not is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    click.echo(text.getvalue(), nl=False)
