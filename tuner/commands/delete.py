"""tuner delete: remove a study for good."""

from __future__ import annotations

import click

from .options import storage_option


@click.command()
@click.argument("study")
@click.option("--yes", is_flag=True, help="Do not ask.")
@storage_option
def delete(study: str, yes: bool, storage: str | None) -> None:
    """Delete STUDY with its trials, checkpoints and artifacts."""
    import contextlib
    import shutil

    from ..artifacts import artifact_files
    from ..errors import TunerError
    from ..output import say
    from ..study.record import delete as delete_record
    from ..study.record import load
    from ..study.storage import Storage
    from ..studyfiles import find

    opened = Storage(storage)
    record = load(opened, find(study)[0])
    counts = record.ledger.counts()
    if counts.running:
        say(f"{counts.running} of its trials are RUNNING: their workers will stop when they next write")
    if not yes:
        try:
            click.confirm(f"Delete study {record.name!r} with its {counts.used + counts.fail} trials?", abort=True, err=True)
        except click.Abort:
            raise TunerError(f"study {record.name!r} was not deleted: confirm, or give --yes") from None
    files = artifact_files(record)
    delete_record(opened, record)
    shutil.rmtree(record.checkpoints, ignore_errors=True)
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink()
    say(f"deleted study {record.name!r}")
