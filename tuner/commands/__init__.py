"""The command line: one file a command. Heavy imports stand inside the commands, so that --help is quick."""

from __future__ import annotations

import codecs
import errno
import io
import sys
from typing import Any

import click

from .. import __version__
from ..errors import Interrupted, TunerError, UsageError, blame_machine, hide_passwords, nearest
from ..signals import end_cleanly
from . import (
    best,
    compare,
    dashboard,
    delete,
    evaluate,
    export,
    export_model,
    predict,
    repair,
    report,
    search,
    show,
    simulate,
    stop,
    studies,
    train,
    worker,
)

LONGEST_SUMMARY = 1000  # characters of a command's first sentence in `tuner --help`: it folds there and is never cut


class _Group(click.Group):
    """Commands in the order of the work, and a misspelt one names the nearest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(LONGEST_SUMMARY)) for name, command in self.commands.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise UsageError(f"no command {args[0]!r}: {nearest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **options: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A letter that the terminal's encoding lacks is no reason to end; in UTF-8 only bytes of a file's name are such.
                stream.reconfigure(errors="backslashreplace" if stream.encoding.lower() in ("utf-8", "utf8") else "replace")
        with end_cleanly():
            return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # before the command could see to it itself: nothing has begun
            raise Interrupted("interrupted: the same command starts again") from None
        except click.UsageError as error:  # it shows what it does not understand
            said = error.format_message()
            if hide_passwords(said) == said:
                raise
            raise click.UsageError(hide_passwords(said), error.ctx) from None
        except click.Abort as abort:
            if isinstance(abort.__context__, KeyboardInterrupt):  # click's own, where it asks something
                raise Interrupted("interrupted: nothing was changed") from None
            raise
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
                raise UsageError(f"{str(error.filename)!r} is no path: a name in it is too long, give a shorter one") from None
            told = blame_machine(error) or _blame_encoding(error) or _blame_storage(error) or _blame_code(error)
            if told is None:
                raise
            raise told from None


def _blame_code(error: Exception) -> TunerError | None:
    """The line for an error of a network of the user's own."""
    from ..config.named_code import blame_code

    return blame_code(error)


def _blame_storage(error: Exception) -> TunerError | None:
    if "tuner.study.storage" not in sys.modules:  # nothing was opened
        return None
    from ..study.damage import blame_storage

    return blame_storage(error)


def _blame_encoding(error: Exception) -> TunerError | None:
    """The line for a name that was typed in another encoding than the terminal's, or that this one has no letters for."""
    if not isinstance(error, UnicodeEncodeError):
        return None
    ours = codecs.lookup(sys.getfilesystemencoding()).name
    if codecs.lookup(error.encoding).name != ours and not any("\ud800" <= letter <= "\udfff" for letter in error.object):
        return None
    return UsageError(f"{error.object!r} cannot be written in this terminal's encoding ({ours}): set PYTHONUTF8=1, or give another name")


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="tuner")
def main() -> None:
    """Search the hyper-parameters of image-classification networks, and remember everything.

    \b
    tuner search --trials 50 --gpu 0     search; run it again to go on
    tuner dashboard                      look at it in a browser
    tuner best --export config.yaml      the best configuration, as a file
    tuner train config.yaml              train it, and test it once
    """


for _command in (
    search.search,
    best.best,
    train.train,
    evaluate.evaluate,
    predict.predict,
    export_model.export_model,
    compare.compare,
    dashboard.dashboard,
    report.report,
    studies.studies,
    show.show,
    export.export,
    simulate.simulate,
    delete.delete,
    worker.worker,
    stop.stop,
    repair.repair,
):
    main.add_command(_command)
