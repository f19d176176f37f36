"""Trials as tables."""

from __future__ import annotations

from rich.table import Table

from ..study.study import Study
from ..study.trials import TrialRow, find_best
from .text import format_params, open_console


def make_trial_table(rows: list[TrialRow], title: str) -> Table:
    """Trials, one a line."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for heading, justify in (("trial", "right"), ("state", "left"), ("val accuracy", "right"), ("epochs", "right"), ("seconds", "right")):
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("configuration", overflow="fold")
    for row in rows:
        reason = f" ({row.remark})" if row.remark else ""
        table.add_row(
            str(row.number),
            row.standing,
            "-" if row.value is None else f"{row.value:.4f}",
            str(len(row.epochs)),
            f"{row.seconds:.1f}",
            format_params(row.params) + reason,
        )
    return table


def print_best(study: Study, count: int = 10) -> None:
    """The best trials, as a table."""
    top = find_best(study, count)
    if top:
        open_console().print(make_trial_table(top, f"Best of study {study.name}"))
