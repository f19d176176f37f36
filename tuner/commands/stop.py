"""tuner stop: let a search end."""

from __future__ import annotations

import click

from .options import storage_option


@click.command()
@click.argument("study")
@storage_option
def stop(study: str, storage: str | None) -> None:
    """Let every search of STUDY finish its running trials and end, on all machines."""
    from ..output import say
    from ..study.record import load
    from ..study.storage import Storage
    from ..studyfiles import find

    record = load(Storage(storage), find(study)[0])
    record.ledger.stop()
    running = record.ledger.counts().running
    say(f"study {record.name!r}: {running} running trials will finish, no new ones begin; `tuner search {record.name}` goes on")
