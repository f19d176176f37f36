"""A simulation: what was asked for, as rows, as a table, and in a sentence."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..config.objective import ACCURACY, Objective
from ..console.text import Say
from ..study.study import Study
from .costs import Estimate, Search, search_all, search_top
from .own_curves import read_curves
from .recording import Recording, load_shipped
from .rules import MakeRule, find_rule
from .sampling import SamplerRow
from .surrogate import Surrogate

TRIALS = 50  # of a search of the recorded sets
BASE = "none"  # what all are compared with
NEXT_TO_NOTHING = 0.1  # points


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one pruner cost on one set of curves. `top` is None for a study's own curves, which are too few for it."""

    curves: str
    pruner: str
    workers: int
    top: Estimate | None
    missed: int | None
    share: Estimate
    points: Estimate

    def to_dict(self) -> dict[str, Any]:
        return {
            "curves": self.curves,
            "pruner": self.pruner,
            "workers": self.workers,
            "cost_to_top": None if self.top is None else self.top.to_list(),
            "missed": self.missed,
            "share": self.share.to_list(),
            "points_lost": self.points.to_list(),
        }


def simulate(
    study: Study | None, *, pruners: Sequence[str], workers: Sequence[int], seeds: int, say: Say, recordings: Sequence[Recording] = ()
) -> list[Row]:
    """Replay a study's own curves, or recorded ones (the shipped ones where none are given).

    `seeds` searches for each figure. Errors: UsageError for an unknown pruner, NothingToShow for too few curves.
    """
    options: Mapping[str, Any] = {} if study is None else {study.config.pruner[0]: study.config.pruner[1]}
    images = study.val_images if study is not None and study.objective.counted else None
    rules = {name: find_rule(name, options.get(name), val_images=images) for name in dict.fromkeys([BASE, *pruners])}
    sets = [read_curves(study)] if study is not None else [*(recordings or load_shipped())]
    rows = []
    for curves in sets:
        trials = len(curves) if study is not None else min(TRIALS, len(curves))
        for count in workers:
            rows += replay_all(curves, rules, workers=count, seeds=seeds, trials=trials, top=study is None, say=say)
    return rows


def replay_all(
    curves: Recording, rules: Mapping[str, MakeRule], *, workers: int, seeds: int, trials: int, top: bool, say: Say
) -> list[Row]:
    """A row for each of these rules, the first of which is what the others are compared with. `top` asks for the cost to a top one."""
    rows = []
    base: Search | None = None
    for name, make in rules.items():
        say(f"replaying {curves.name} under {name}{f', {workers} workers' if workers > 1 else ''}")
        found = search_top(curves, make, seeds=range(seeds), workers=workers) if top else None
        base = base or found
        budget = search_all(curves, make, seeds=range(seeds), workers=workers, trials=trials)
        rows.append(
            Row(
                curves=curves.name,
                pruner=name,
                workers=workers,
                top=None if found is None or base is None else found.relative_to(base),
                missed=None if found is None else found.missed,
                share=budget.share,
                points=budget.points,
            )
        )
    return rows


def make_table(rows: Sequence[Row], *, seeds: int, unit: str = "points") -> Table:
    """One line a pruner and set of curves. `unit` is what hundredths of a value are called."""
    table = Table(box=SIMPLE_HEAD)
    recorded = any(row.top is not None for row in rows)
    several = len({row.workers for row in rows}) > 1
    for heading in ["curves", "pruner", *(["workers"] if several else [])]:
        table.add_column(heading)
    for heading in [*(["cost to a top one", "missed"] if recorded else []), "share of epochs", f"{unit} lost"]:
        table.add_column(heading, justify="right")
    for row in rows:
        cells = [row.curves, row.pruner, *([str(row.workers)] if several else [])]
        if recorded:
            cells += ["-" if row.top is None else _format(row.top, 2), "-" if row.missed is None else f"{row.missed} of {seeds}"]
        table.add_row(*cells, _format(row.share, 2), _format(row.points, 2))
    return table


def make_sampler_table(rows: Sequence[SamplerRow], objective: Objective = ACCURACY) -> Table:
    """One line a sampler and pruner."""
    table = Table(box=SIMPLE_HEAD)
    several = len({row.workers for row in rows}) > 1
    for heading in ["sampler", "pruner", *(["workers"] if several else [])]:
        table.add_column(heading)
    for heading in (f"{objective.title} of the winner", f"{name_unit(objective)} over random", "share of epochs"):
        table.add_column(heading, justify="right")
    for row in rows:
        cells = [row.sampler, row.pruner, *([str(row.workers)] if several else [])]
        table.add_row(*cells, _format(row.accuracy, 4), _format(row.gain, 2), _format(row.share, 2))
    return table


def name_unit(objective: Objective) -> str:
    """What hundredths of its values are called."""
    return "points" if objective.share else "hundredths"


def describe_samplers(surrogate: Surrogate, rows: Sequence[SamplerRow]) -> list[str]:
    """Which sampler is better than random draws beyond chance, and what that is worth."""
    better = [f"{row.sampler} (pruner {row.pruner})" for row in rows if row.gain.low > 0]
    worse = [f"{row.sampler} (pruner {row.pruner})" for row in rows if row.gain.high < 0]
    verdict = [f"better than random draws beyond chance: {', '.join(better) or 'no sampler'}"]
    verdict += [f"worse than random draws beyond chance: {', '.join(worse)}"] if worse else []
    return [
        *verdict,
        f"on a surrogate fitted to {surrogate.trials} trials of this study, which ranks trials that it has not seen with a "
        f"correlation of {surrogate.worth:.2f} (Spearman): it is smoother than the truth, and knows least where few trials were",
    ]


def describe(rows: Sequence[Row], study: Study | None, *, seeds: int) -> list[str]:
    """What the table says, in sentences."""
    found = [row for row in rows if row.pruner != BASE and row.workers == rows[0].workers]
    if study is None:
        return [
            "cost to a top one: epochs until one of the best 2 % of configurations was trained to its end, where no pruning is 1",
            f"share of epochs, points lost: of a search of {TRIALS} trials, beside training all to their end",
            *(sum_up([row for row in found if row.pruner == pruner], seeds) for pruner in dict.fromkeys(row.pruner for row in found)),
        ]
    if not found:
        return []
    best = choose_best(found)
    own, share = study.config.pruner[0], best.share
    line = (
        f"for a study like this {best.pruner} would have cost {share.mean:.2f} ({share.low:.2f} to {share.high:.2f}) of training all "
        f"to their end, and lost {best.points.mean:.2f} {name_unit(study.objective)} ({best.points.low:.2f} to {best.points.high:.2f})"
    )
    if own == BASE:
        return [line]
    return [
        line,
        f"only trials that were trained to their end are replayed, which {own} chose: of all that were begun they are the better ones",
    ]


def choose_best(rows: Sequence[Row]) -> Row:
    """The cheapest of those that lose next to nothing; where all lose more, the one that loses least."""
    return min(rows, key=lambda row: (max(row.points.mean, NEXT_TO_NOTHING), row.share.mean))


def sum_up(rows: Sequence[Row], seeds: int) -> str:
    """What one pruner cost over all sets of curves, in a sentence."""
    costs = [row.top.mean for row in rows if row.top is not None]
    missed = sum(row.missed or 0 for row in rows)
    whole = f"costs {statistics.geometric_mean(costs):.2f} of no pruning on the whole, {max(costs):.2f} at worst"
    return f"{rows[0].pruner} {whole}, and missed the top in {missed} of {seeds * len(rows)} searches"


def _format(estimate: Estimate, digits: int) -> str:
    low, high = f"{estimate.low:.{digits}f}", f"{estimate.high:.{digits}f}"
    return f"{estimate.mean:.{digits}f}" if low == high else f"{estimate.mean:.{digits}f} ({low} to {high})"
