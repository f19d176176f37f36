"""tuner show: one study, trial by trial."""

from __future__ import annotations

import click

from .options import json_option, storage_option


@click.command()
@click.argument("study", required=False)
@click.option("--trial", type=click.IntRange(min=0), metavar="N", help="One trial, epoch by epoch.")
@storage_option
@json_option
def show(study: str | None, trial: int | None, storage: str | None, as_json: bool) -> None:
    """Show the trials of STUDY (the study searched last) with their curves, or one trial epoch by epoch.

    Of a comparison: its networks side by side.
    """
    from ..compare.rows import list_comparisons as comparisons
    from ..config.study_files import find
    from ..console.show import collect_facts, show_study, show_trial
    from ..console.text import print_json
    from ..errors import UsageError
    from ..study.storage import Storage
    from ..study.studies import load
    from ..study.trials import list_trials

    opened, name = Storage(storage), find(study)[0] if study else None
    if name is not None and name in comparisons(opened):
        if trial is not None:
            raise UsageError(f"--trial {trial}: {name!r} is a comparison, whose trials are whole networks: leave --trial out")
        from ..compare.table import show_comparison

        show_comparison(opened, name, as_json=as_json)
        return
    loaded = load(opened, name)
    if trial is None:
        if as_json:
            print_json(collect_facts(loaded))
        else:
            show_study(loaded)
        return
    row = next((r for r in list_trials(loaded) if r.number == trial), None)
    if row is None:
        raise UsageError(f"--trial {trial}: study {loaded.name!r} has no such trial")
    if as_json:
        print_json(row.to_dict())
    else:
        show_trial(loaded, row)
