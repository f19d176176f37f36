"""A study or a trial, whole, as text and as plain facts: what `tuner show` prints."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from ..config.limits import COSTS
from ..config.objective import ACCURACY, describe_optimised
from ..study.certainty import measure_certainty
from ..study.safety import describe_safety
from ..study.study import Study
from ..study.trials import TrialRow, find_best, list_trials
from .curves import Curve, draw
from .listing import choose_rows, print_csv, print_rows
from .narrow import NARROW
from .rules import collect_rules, describe_rules
from .text import format_params, open_console
from .winners import collect_certainty, describe_best


def collect_facts(study: Study, *, sort: str | None = None, first: int | None = None) -> dict[str, Any]:
    """Everything about a study for machines, its trials as `choose_rows` has them; shares are fractions."""
    counts, top = study.leases.counts(), find_best(study)
    rows = choose_rows(list_trials(study), study.config, sort=sort, top=first)
    return {
        "study": study.name,
        "kind": "search",
        "objective": study.config.objective,
        "storage": str(study.storage),
        "checkpoints": str(study.files.folder),
        "definition": study.config.to_dict(),
        "data_fingerprint": study.data,
        "n_trials": counts.n_trials,
        "slots": counts.n_trials,  # its name until now, which scripts may read
        "finished": counts.finished,
        "paused": counts.paused,
        **collect_rules(study, counts),
        "best_trial": top[0].number if top else None,
        "best_value": top[0].value if top else None,
        **{f"best_{name}": fact for name, fact in collect_certainty(study).items()},
        "trials": [row.to_dict() for row in rows],
    }


def show_study(study: Study, *, sort: str | None = None, first: int | None = None) -> None:
    """A study's standing, its trials with their curves (the `first` by `sort`, as `choose_rows` has it), and all curves together."""
    counts = study.leases.counts()
    config, console = study.config, open_console()
    states = {"complete": counts.complete, "pruned": counts.pruned, "failed": counts.fail}
    states |= {"running": counts.running, "paused": counts.paused, "in the queue": counts.queued}
    standing = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    console.print(
        f"Study {study.name}: {counts.finished} of {counts.n_trials} trials finished ({standing or 'none begun'})", highlight=False
    )
    data = config.data
    part = f", {data.train_images} training images" if data.train_images else ""
    methods = f"sampler {config.sampler[0]}, pruner {config.pruner[0]}{describe_optimised(config)}"
    console.print(f"{' or '.join(config.models)} on {data.source}{part}; {methods}", highlight=False)
    top, every, certainty = find_best(study), list_trials(study), measure_certainty(study)
    tied = () if certainty is None else certainty.tied
    marks = dict.fromkeys(tied, "~") | {row.number: "*" for row in top}
    print_rows(console, choose_rows(every, config, sort=sort, top=first), config, marks)
    aim = study.objective
    draw(console, f"Validation {aim.title}", _curves(every, top[0].number if top else None), share=aim.share)
    for sentence in [*describe_safety(study), *describe_rules(study, counts)]:
        console.print(sentence, highlight=False)
    if top:
        console.print(f"* best: trial {top[0].number}, validation {aim.title} {top[0].value:.4f}", highlight=False)
    if tied:
        console.print("~ cannot be told apart from it", highlight=False)
    for line in describe_best(study):
        console.print(line, highlight=False)


def _curves(every: list[TrialRow], best_number: int | None) -> list[Curve]:
    """Pruned trials below, then the others, the best on top; each kind once in the legend."""
    kinds: dict[str, tuple[str, list[TrialRow]]] = {
        "pruned": ("yellow", [row for row in every if row.state == "PRUNED"]),
        "complete": ("blue", [row for row in every if row.state == "COMPLETE" and row.number != best_number]),
        "not finished": ("cyan", [row for row in every if row.state in ("RUNNING", "WAITING")]),
        f"best, trial {best_number}": ("magenta", [row for row in every if row.number == best_number]),
    }
    return [
        Curve(values=row.curve, colour=colour, name="" if index else kind)
        for kind, (colour, found) in kinds.items()
        for index, row in enumerate([row for row in found if row.epochs])
    ]


def print_epochs_csv(row: TrialRow) -> None:
    """A trial's figures, a line an epoch."""
    columns = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", row.objective.key, *row.objective.also, "seconds")
    print_csv(row.epochs, [*dict.fromkeys(columns)])


def show_trial(study: Study, row: TrialRow) -> None:
    """One trial: what it was, why it ended, and its figures epoch by epoch."""
    console = open_console()
    console.print(f"Trial {row.number} of study {study.name}: {row.standing}" + (f", {row.reason}" if row.reason else ""), highlight=False)
    console.print(format_params(row.params), highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    aim = row.objective
    digits = {"train_loss": 4, "train_accuracy": 4, "val_loss": 4, "val_accuracy": 4, aim.key: 4, "seconds": 1}
    if console.width < NARROW:
        digits = {"train_accuracy": 4, "val_accuracy": 4, aim.key: 4}
    for heading in ("epoch", *(name.replace("_", " ") for name in digits)):
        table.add_column(heading, justify="right", no_wrap=True)
    for epoch in row.epochs:
        table.add_row(str(epoch["epoch"]), *(f"{epoch[name]:.{places}f}" for name, places in digits.items()))
    console.print(table)
    parts = (("train_accuracy", "yellow", "training"), ("val_accuracy", "magenta", "validation"))
    draw(console, "Accuracy", [Curve(values=[e[key] for e in row.epochs], colour=colour, name=name) for key, colour, name in parts])
    if aim is not ACCURACY:
        draw(console, f"Validation {aim.title}", [Curve(values=row.curve, colour="magenta")], share=aim.share)
    for note in row.run.get("notes", []):
        console.print(f"note: {note}", highlight=False)
    cost = {name: row.run.get(name) for name in (*COSTS, "draws", "images_per_second", "peak_memory_mb", "device", "threads")}
    console.print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in cost.items() if value is not None), highlight=False)
    if "traceback" in row.run:
        console.print(row.run["traceback"], highlight=False, markup=False)
