"""tuner best: the best trial, as a table, as JSON, or as a file that trains it again."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from .completion import complete_stored
from .options import json_option, storage_option


@click.command()
@click.argument("study", required=False, shell_complete=complete_stored)
@click.option("--trial", type=click.IntRange(min=0), metavar="N", help="This trial instead of the best.")
@click.option(
    "--export", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the configuration that `tuner train` reads."
)
@storage_option
@json_option
def best(study: str | None, trial: int | None, export: Path | None, storage: str | None, as_json: bool) -> None:
    """Show the best trial of STUDY (the study searched last), or export it."""
    from ..config.study_files import find
    from ..console.tables import make_trial_table, print_best
    from ..console.text import open_console, print_json, say
    from ..errors import TunerError
    from ..study.storage import Storage
    from ..study.studies import load
    from ..study.trials import choose_trial, export_config

    loaded = load(Storage(storage), find(study)[0] if study else None)
    row = choose_trial(loaded, trial)
    text = export_config(loaded, row)
    if export is not None:
        try:
            export.write_text(text, encoding="utf-8")
        except OSError as error:
            raise TunerError(f"cannot write {str(export)!r}: {error.strerror}") from None
    if as_json:
        assert row.config is not None
        print_json({"study": loaded.name, **row.to_dict(), "config": row.config.to_dict()})
        return
    if trial is None:
        print_best(loaded, 5)
    else:
        open_console().print(make_trial_table([row], f"Trial {trial} of study {loaded.name}"))
    click.echo()
    click.echo(text.split("\n", 1)[1].rstrip())
    if export is not None:
        say(f"wrote {export}; next: tuner train {quote(str(export))}")
