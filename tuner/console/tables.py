"""Trials as tables."""

from __future__ import annotations

from rich.table import Table

from ..study.certainty import find_interval
from ..study.study import Study
from ..study.trials import TrialRow, find_best
from .text import format_params, open_console
from .winners import describe_best


def make_trial_table(rows: list[TrialRow], title: str, images: int | None) -> Table:
    """Trials, one a line. Accuracies of COMPLETE ones stand with their 95 % interval where `images` says on how many they were counted."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    columns = [("trial", "right"), ("state", "left"), ("val accuracy", "right"), ("epochs", "right"), ("seconds", "right")]
    if images is not None:
        columns.insert(3, ("95 % interval", "right"))
    for heading, justify in columns:
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("configuration", overflow="fold")
    for row in rows:
        reason = f" ({row.remark})" if row.remark else ""
        interval = [] if images is None else [_format_interval(row, images)]
        table.add_row(
            str(row.number),
            row.standing,
            "-" if row.value is None else f"{row.value:.4f}",
            *interval,
            str(len(row.epochs)),
            f"{row.seconds:.1f}",
            format_params(row.params) + reason,
        )
    return table


def _format_interval(row: TrialRow, images: int) -> str:
    if row.state != "COMPLETE" or row.value is None:
        return "-"
    low, high = find_interval(round(row.value * images), images)
    return f"{low:.4f}-{high:.4f}"


def print_best(study: Study, count: int = 10) -> None:
    """The best trials, as a table, and how sure it is that the first is the best."""
    top = find_best(study, count)
    if top:
        console = open_console()
        console.print(make_trial_table(top, f"Best of study {study.name}", study.val_images))
        for line in describe_best(study):
            console.print(line, highlight=False)
