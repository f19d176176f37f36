"""tuner stop: let a search end."""

from __future__ import annotations

from shlex import quote

import click

from .completion import complete_stored
from .options import storage_option


@click.command()
@click.argument("study", shell_complete=complete_stored)
@storage_option
def stop(study: str, storage: str | None) -> None:
    """Let every search of STUDY, and its confirmation, finish its running trials and end, on all machines."""
    from ..config.study_files import find
    from ..console.text import say
    from ..study.confirmation import find_confirmation
    from ..study.storage import Storage
    from ..study.studies import load

    loaded = load(Storage(storage), find(study)[0])
    loaded.leases.stop()
    running = loaded.leases.counts().running
    if (confirmation := find_confirmation(loaded)) is not None:
        confirmation.leases.stop()
        running += confirmation.leases.counts().running
    say(f"study {loaded.name!r}: {running} running trials will finish, no new ones begin; `tuner search {quote(loaded.name)}` goes on")
