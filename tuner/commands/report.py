"""tuner report: the journal of a study with its pictures, as one file."""

from __future__ import annotations

from pathlib import Path

import click

from .completion import complete_stored
from .options import force_option, storage_option
from .outputs import make_room


@click.command()
@click.argument("study", required=False, shell_complete=complete_stored)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="One .html file, or an .md file with a folder of pictures beside it.",
)
@click.option(
    "--lang",
    type=click.Choice(["en", "ko"]),
    default="en",
    show_default=True,
    help="The language of the report: English or Korean.",
)
@force_option
@storage_option
def report(study: str | None, out: Path, lang: str, force: bool, storage: str | None) -> None:
    """Write what was asked, tried and found in STUDY (the study searched last), with its pictures."""
    from ..compare.report import make_report as compared
    from ..compare.rows import list_comparisons as comparisons
    from ..config.study_files import find
    from ..console.outputs import check_free
    from ..console.text import say
    from ..errors import UsageError
    from ..placement import find_device
    from ..report.languages import LANGUAGES
    from ..report.page import make_report as make
    from ..report.write import FORMATS, is_report, write
    from ..study.storage import Storage
    from ..study.studies import load

    if out.suffix not in FORMATS:
        raise UsageError(f"--out {str(out)!r} must end in {' or '.join(FORMATS)}")
    opened, name = Storage(storage), find(study)[0] if study else None
    loaded = None if name in comparisons(opened) else load(opened, name)
    if loaded is None and lang != "en":
        raise UsageError(f"--lang {lang}: {name!r} is a comparison, whose report is in English only: leave --lang out")
    make_room(out, "--out")
    made = make(loaded, find_device("auto"), LANGUAGES[lang]) if loaded is not None else compared(opened, str(name))
    if name is None:
        say(f"{made.title}, which was searched last")
    check_free("--out", out, f"a report of {made.title}", lambda path: is_report(made, path), force=force)
    size = write(made, out)
    say(f"wrote {out} ({size / 1e6:.1f} MB): open it in a browser" if out.suffix == ".html" else f"wrote {out} and its pictures")
