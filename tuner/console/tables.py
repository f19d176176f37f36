"""Trials as tables."""

from __future__ import annotations

from rich.table import Table

from ..config.objective import ACCURACY
from ..study.certainty import find_row_interval
from ..study.study import Study
from ..study.trials import TrialRow, find_best
from .text import format_params, open_console
from .winners import describe_best


def make_trial_table(rows: list[TrialRow], title: str, images: int | None) -> Table:
    """Trials, one a line. Values of COMPLETE ones stand with their 95 % interval, where the objective has one and `images`
    says on how many they were counted."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    objective = rows[0].objective if rows else ACCURACY
    sure = images is not None and objective.has_interval
    columns = [("trial", "right"), ("state", "left"), (f"val {objective.title}", "right"), ("epochs", "right"), ("seconds", "right")]
    if sure:
        columns.insert(3, ("95 % interval", "right"))
    for heading, justify in columns:
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("configuration", overflow="fold")
    for row in rows:
        reason = f" ({row.remark})" if row.remark else ""
        interval = [_format_interval(row, images)] if sure else []
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


def _format_interval(row: TrialRow, images: int | None) -> str:
    found = find_row_interval(row, images)
    return "-" if found is None else f"{found[0]:.4f}-{found[1]:.4f}"


def print_best(study: Study, count: int = 10) -> None:
    """The best trials, as a table, and how sure it is that the first is the best."""
    top = find_best(study, count)
    if top:
        console = open_console()
        console.print(make_trial_table(top, f"Best of study {study.name}", study.val_images))
        for line in describe_best(study):
            console.print(line, highlight=False)
