"""tuner studies: what is there."""

from __future__ import annotations

from typing import Any

import click

from .options import json_option, storage_option


@click.command()
@storage_option
@json_option
def studies(storage: str | None, as_json: bool) -> None:
    """List the studies in the storage, comparisons too, and the study files that could be searched."""
    from rich.table import Table

    from ..compare import rows as comparisons
    from ..compare.figures import list_results
    from ..config.study_files import list_available
    from ..console.narrow import print_table
    from ..console.text import open_console, print_json, say
    from ..study.confirmation import find_confirmation
    from ..study.storage import NoStudyYet, Storage
    from ..study.studies import list_studies, load
    from ..study.trials import find_best

    found: list[dict[str, Any]] = []
    compared: list[dict[str, Any]] = []
    try:
        opened = Storage(storage)
        known, others = list_studies(opened), comparisons.list_comparisons(opened)
    except NoStudyYet:
        known, others = [], []
    for name in known:
        study = load(opened, name)
        counts, top = study.leases.counts(), find_best(study)
        confirmation = find_confirmation(study)
        confirmed = None if confirmation is None else confirmation.leases.counts()
        found.append(
            {
                "study": name,
                "kind": "search",
                "models": list(study.config.models),
                "data": study.config.data.source,
                "objective": study.config.objective,
                "n_trials": counts.n_trials,
                "complete": counts.complete,
                "copies": counts.copies,
                "pruned": counts.pruned,
                "failed": counts.fail,
                "running": counts.running,
                "waiting": counts.queued,
                "paused": counts.paused,
                "best_trial": top[0].number if top else None,
                "best_value": top[0].value if top else None,
                "confirmation_finished": None if confirmed is None else confirmed.finished,
                "confirmation_trials": None if confirmed is None else confirmed.n_trials,
            }
        )
    for name in others:
        networks, rows = comparisons.load(opened, name), list_results(opened, name)
        unfinished = sum(not t.state.is_finished() for t in networks.trials())
        first = {"best_model": rows[0]["model"] if rows else None, "best_value": rows[0]["top1"] if rows else None}
        facts = {"study": name, "kind": "comparison", "models": [row["model"] for row in rows], "data": networks.facts()["data"]}
        compared.append(facts | {"images": networks.facts()["images"], "unfinished": unfinished} | first)
    if as_json:
        print_json(found + compared)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("study", "data", "trials", "pruned", "failed", "unfinished", "best"):
        table.add_column(heading, justify="left" if heading in ("study", "data") else "right", no_wrap=heading != "data")
    for row in found:
        what = "" if row["objective"] == "accuracy" else f"{row['objective']} "
        best_text = "-" if row["best_value"] is None else f"{what}{row['best_value']:.4f} (trial {row['best_trial']})"
        done = f"{row['complete'] + row['pruned'] - row['copies']} of {row['n_trials']}"
        open_rows = row["running"] + row["waiting"] + row["paused"]
        table.add_row(row["study"], row["data"], done, str(row["pruned"]), str(row["failed"]), str(open_rows), best_text)
        if row["confirmation_trials"] is not None:
            table.add_row("  confirmation", "", f"{row['confirmation_finished']} of {row['confirmation_trials']}", "", "", "", "")
    if found:
        print_table(open_console(), table)
    if compared:
        side = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("comparison", "data", "images", "networks", "unfinished", "best"):
            side.add_column(heading, justify="left" if heading in ("comparison", "data") else "right", no_wrap=heading != "data")
        for row in compared:
            best_text = f"{row['best_value']:.4f} ({row['best_model']})" if row["best_model"] else "-"
            side.add_row(row["study"], row["data"], f"{row['images']:,}", str(len(row["models"])), str(row["unfinished"]), best_text)
        print_table(open_console(), side)
    if not (found or compared):
        say("no study yet: make one with `tuner search`")
    say(f"study files: {', '.join(sorted(list_available()))}")
