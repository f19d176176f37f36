"""tuner delete: remove a study for good."""

from __future__ import annotations

import click

from .completion import complete_stored
from .options import storage_option


@click.command()
@click.argument("study", shell_complete=complete_stored)
@click.option("--yes", is_flag=True, help="Do not ask.")
@storage_option
def delete(study: str, yes: bool, storage: str | None) -> None:
    """Delete STUDY, a search or a comparison, with its trials, its confirmation, checkpoints and artifacts."""
    import contextlib

    from ..compare import rows as comparisons
    from ..config.study_files import find
    from ..console.text import say
    from ..dashboard.artifacts import list_artifact_files
    from ..study.confirmation import find_confirmation
    from ..study.storage import Storage
    from ..study.studies import delete as delete_study
    from ..study.studies import load

    opened = Storage(storage)
    name = find(study)[0]
    if name in comparisons.list_comparisons(opened):
        compared = comparisons.load(opened, name)
        _confirm(f"comparison {name!r} with its {len(compared.trials())} networks", yes)
        comparisons.delete(opened, compared)
        say(f"deleted comparison {name!r}")
        return
    loaded = load(opened, name)
    counts = loaded.leases.counts()
    if counts.running:
        say(f"{counts.running} of its trials are RUNNING: their workers will stop when they next write")
    confirmation = find_confirmation(loaded)
    too = "" if confirmation is None else " and its confirmation"
    _confirm(f"study {loaded.name!r} with its {counts.used + counts.copies + counts.fail} trials{too}", yes)
    files = list_artifact_files(loaded)
    for each in filter(None, (confirmation, loaded)):  # the study last: without it nobody finds the other
        delete_study(opened, each)
        each.files.remove()
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink()
    say(f"deleted study {loaded.name!r}")


def _confirm(what: str, yes: bool) -> None:
    from ..errors import TunerError

    if yes:
        return
    try:
        click.confirm(f"Delete {what}?", abort=True, err=True)
    except click.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise
        raise TunerError(f"{what.split(' with ')[0]} was not deleted: confirm, or give --yes") from None
