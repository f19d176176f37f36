"""tuner best: the best trial, as a table, as JSON, or as a file that trains it again."""

from __future__ import annotations

from pathlib import Path

import click

from .options import json_option, storage_option


@click.command()
@click.argument("study", required=False)
@click.option("--trial", type=click.IntRange(min=0), metavar="N", help="This trial instead of the best.")
@click.option(
    "--export", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the configuration that `tuner train` reads."
)
@storage_option
@json_option
def best(study: str | None, trial: int | None, export: Path | None, storage: str | None, as_json: bool) -> None:
    """Show the best trial of STUDY (the study searched last), or export it."""
    from ..errors import TunerError
    from ..output import out, print_best, print_json, say, trial_table
    from ..study.record import load
    from ..study.storage import Storage
    from ..study.trials import chosen, exported
    from ..studyfiles import find

    record = load(Storage(storage), find(study)[0] if study else None)
    row = chosen(record, trial)
    text = exported(record, row)
    if export is not None:
        try:
            export.write_text(text, encoding="utf-8")
        except OSError as error:
            raise TunerError(f"cannot write {str(export)!r}: {error.strerror}") from None
    if as_json:
        assert row.config is not None
        print_json({"study": record.name, **row.to_dict(), "val_accuracy": row.value, "config": row.config.to_dict()})
        return
    if trial is None:
        print_best(record, 5)
    else:
        out().print(trial_table([row], f"Trial {trial} of study {record.name}"))
    click.echo()
    click.echo(text.split("\n", 1)[1].rstrip())
    if export is not None:
        say(f"wrote {export}; next: tuner train {export}")
