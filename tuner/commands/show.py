"""tuner show: one study, trial by trial."""

from __future__ import annotations

import click

from .completion import complete_stored
from .options import json_option, storage_option


@click.command()
@click.argument("study", required=False, shell_complete=complete_stored)
@click.option("--trial", type=click.IntRange(min=0), metavar="N", help="One trial, epoch by epoch.")
@click.option("--sort", metavar="NAME", help="By value (best first), number, state, epochs_trained, seconds or a hyper-parameter.")
@click.option("--top", type=click.IntRange(min=1), metavar="K", help="Only the first K trials.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: a line a trial with every hyper-parameter, or a line an epoch.")
@storage_option
@json_option
def show(study: str | None, trial: int | None, sort: str | None, top: int | None, as_csv: bool, storage: str | None, as_json: bool) -> None:
    """Show the trials of STUDY (the study searched last) with their curves, or one trial epoch by epoch.

    Of a comparison: its networks side by side.
    """
    from ..compare.rows import list_comparisons as comparisons
    from ..config.study_files import find
    from ..console.listing import choose_rows, print_trials_csv
    from ..console.show import collect_facts, print_epochs_csv, show_study, show_trial
    from ..console.text import print_json
    from ..errors import UsageError
    from ..study.storage import Storage
    from ..study.studies import load
    from ..study.trials import list_trials

    if as_csv and as_json:
        raise UsageError("--csv and --json say two things: give one of them")
    if trial is not None and (sort is not None or top is not None):
        raise UsageError(f"--trial {trial} is one trial: leave --sort and --top out")
    opened, name = Storage(storage), find(study)[0] if study else None
    if name is not None and name in comparisons(opened):
        for option, value in (("--trial", trial), ("--sort", sort), ("--top", top)):
            if value is not None:
                raise UsageError(f"{option} {value}: {name!r} is a comparison, whose trials are whole networks: leave {option} out")
        from ..compare.table import show_comparison

        show_comparison(opened, name, as_json=as_json, as_csv=as_csv)
        return
    loaded = load(opened, name)
    if trial is None:
        if as_json:
            print_json(collect_facts(loaded, sort=sort, first=top))
        elif as_csv:
            print_trials_csv(choose_rows(list_trials(loaded), loaded.config, sort=sort, top=top), loaded.config)
        else:
            show_study(loaded, sort=sort, first=top)
        return
    row = next((r for r in list_trials(loaded) if r.number == trial), None)
    if row is None:
        raise UsageError(f"--trial {trial}: study {loaded.name!r} has no such trial")
    if as_json:
        print_json(row.to_dict())
    elif as_csv:
        print_epochs_csv(row)
    else:
        show_trial(loaded, row)
