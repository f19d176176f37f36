"""Trials as tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.table import Table

from ..config.limits import COSTS, Limits
from ..config.objective import ACCURACY
from ..config.study_config import StudyConfig
from ..study.certainty import find_row_interval, measure_certainty
from ..study.front import list_front, rank_within
from ..study.study import Study
from ..study.trials import TrialRow, find_best
from .narrow import print_table
from .text import format_params, open_console
from .winners import describe_best, describe_certainty

HEADINGS = {"parameters": "parameters", "macs": "macs", "milliseconds": "ms"}  # of costs


def make_trial_table(rows: Sequence[TrialRow], title: str, images: int | None, costs: Collection[str] = ()) -> Table:
    """Trials, one a line. Values of COMPLETE ones stand with their 95 % interval, where the objective has one and `images`
    says on how many they were counted. Each of `costs` has a column."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    objective = rows[0].objective if rows else ACCURACY
    sure = images is not None and objective.has_interval
    columns = [("trial", "right"), ("state", "left"), (f"val {objective.title}", "right"), ("epochs", "right"), ("seconds", "right")]
    if sure:
        columns.insert(3, ("95 % interval", "right"))
    columns += [(HEADINGS[name], "right") for name in costs]
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
            *(_format_cost(row, name) for name in costs),
            format_params(row.params) + reason,
        )
    return table


def _format_cost(row: TrialRow, name: str) -> str:
    found = row.run.get(name)
    return "-" if found is None else f"{found:,.2f}" if name == "milliseconds" else f"{found:,}"


def _format_interval(row: TrialRow, images: int | None) -> str:
    found = find_row_interval(row, images)
    return "-" if found is None else f"{found[0]:.4f}-{found[1]:.4f}"


def print_best(study: Study, count: int = 10) -> None:
    """The best trials, as a table, and how sure it is that the first is the best."""
    top = find_best(study, count)
    if top:
        console = open_console()
        print_table(console, make_trial_table(top, f"Best of study {study.name}", study.val_images, list_costs(study.config)))
        for line in describe_best(study):
            console.print(line, highlight=False)
        if study.config.cost is not None:
            console.print()
            print_front(study, study.config.cost)


def list_costs(config: StudyConfig) -> list[str]:
    """The costs that a study has limits for, or keeps low."""
    return [name for name in COSTS if name in config.limits.to_dict() or name == config.cost]


def print_within(study: Study, limits: Limits, count: int) -> None:
    """The best trials whose networks are within the limits, as a table, and how sure the first of them is."""
    ranked = rank_within(study, limits)
    console = open_console()
    title = f"Best of study {study.name} within {limits}"
    print_table(console, make_trial_table(ranked[:count], title, study.val_images, limits.to_dict()))
    if (found := measure_certainty(study, ranked[0].number)) is not None:
        console.print(describe_certainty(found), highlight=False)
    console.print(f"{len(ranked):,} of its COMPLETE trials are within.", highlight=False)


def print_front(study: Study, cost: str) -> None:
    """The trials on the front of accuracy against a cost, cheapest first. Errors: NothingToShow where none has that cost."""
    front = list_front(study, cost)
    title = f"Front of study {study.name}: no trial of no more {COSTS[cost]} is more accurate"
    print_table(open_console(), make_trial_table(front, title, study.val_images, [cost]))
