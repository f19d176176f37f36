"""tuner repair: trials that other tools left RUNNING."""

from __future__ import annotations

from shlex import quote
from time import sleep

import click

from .completion import complete_stored
from .options import json_option, storage_option


@click.command()
@click.argument("study", shell_complete=complete_stored)
@click.option("--yes", is_flag=True, help="Mend without asking.")
@storage_option
@json_option
def repair(study: str, yes: bool, storage: str | None, as_json: bool) -> None:
    """Show the trials of STUDY that are RUNNING though no worker trains them, and put them back in the queue.

    A search of tuner mends its own: this is for rows that other tools left behind.
    """
    from ..config.study_files import find
    from ..console.text import print_json, say
    from ..study.lease import read_lease_seconds
    from ..study.storage import Storage
    from ..study.studies import load

    loaded = load(Storage(storage), find(study)[0])
    found = loaded.leases.stale_trials()
    if silent := [str(stale.number) for stale in found if stale.silent]:
        # Where the database's clock was just set, those of living workers look like this, and this process saw no time before.
        seconds = read_lease_seconds()
        say(f"no word from the workers of trials {', '.join(silent)} on other machines: giving them {seconds:g} s for a heartbeat")
        sleep(seconds)
        found = loaded.leases.stale_trials()
    if as_json:
        print_json([{"number": stale.number, "why": stale.why} for stale in found])
    elif not found:
        say(f"study {loaded.name!r} has no trial that is RUNNING without a worker")
    for stale in found:
        if not as_json:
            click.echo(f"trial {stale.number}: RUNNING, {stale.why}")
    if found and not as_json and (yes or click.confirm(f"Put {len(found)} back in the queue?", err=True)):
        mended = loaded.leases.requeue_stale(found)
        trials = "1 trial is" if mended == 1 else f"{mended} trials are"
        say(f"{trials} back in the queue: `tuner search {quote(loaded.name)}` goes on with them")
