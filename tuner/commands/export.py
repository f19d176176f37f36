"""tuner export: a study for other tools."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from .options import storage_option

ENDINGS = {"csv": ".csv", "jsonl": ".jsonl", "tensorboard": "-tensorboard"}


@click.command()
@click.argument("study", required=False)
@click.argument("url", required=False)
@click.option(
    "--to",
    type=click.Choice([*ENDINGS, "optuna"]),
    required=True,
    help="Tables of trials and epochs; a JSON line a trial; runs for TensorBoard; a copy in the storage URL.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="PATH", help="The file, or TensorBoard's folder.  [default: STUDY.csv, ...]"
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.option("--name", metavar="NAME", help="The copy's name.  [default: the study's]")
@storage_option
def export(study: str | None, url: str | None, to: str, out: Path | None, force: bool, name: str | None, storage: str | None) -> None:
    """Write the trials of STUDY (the study searched last) with their curves, configurations and costs for other tools.

    csv writes a row a trial to STUDY.csv and a row an epoch to STUDY-epochs.csv. optuna takes the URL of another storage.
    """
    from ..config.study_files import find
    from ..console.text import say
    from ..study.storage import Storage
    from ..study.studies import load

    if url is None and study is not None and "://" in study:
        study, url = None, study
    _check(to, url, out, force, name)
    loaded = load(Storage(storage), find(study)[0] if study else None)
    if url is not None:
        from ..export.copy import copy_study

        target, count = copy_study(loaded, url, name)
        say(f"copied study {loaded.name!r} with {count} trials to {str(target)!r}; next: optuna-dashboard {quote(str(target))}")
        return
    path = out or Path(f"{loaded.name}{ENDINGS[to]}")
    if to == "tensorboard":
        from ..export.tensorboard import write_runs

        count = write_runs(loaded, path, force=force)
        say(f"wrote {count} runs to {path}; next: tensorboard --logdir {quote(str(path))}")
        return
    from ..export.files import write_csv, write_jsonl

    written = (write_csv if to == "csv" else write_jsonl)(loaded, path, force=force)
    say(f"wrote {' and '.join(map(str, written))}")


def _check(to: str, url: str | None, out: Path | None, force: bool, name: str | None) -> None:
    """Errors: UsageError for what does not go together."""
    from ..errors import UsageError

    if to != "optuna":
        if url is not None:
            raise UsageError(f"--to {to} writes a file and no storage: leave the URL out, or give --to optuna")
        if name is not None:
            raise UsageError(f"--name {name} is for --to optuna: give --out")
        return
    if url is None:
        raise UsageError("--to optuna needs the URL of another storage: tuner export STUDY --to optuna sqlite:///FILE")
    if out is not None or force:
        raise UsageError(
            f"{'--force' if out is None else f'--out {str(out)!r}'} is for files, and --to optuna copies into a storage: use --name"
        )
