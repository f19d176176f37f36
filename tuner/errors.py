"""The one error class that users see, and its exit codes.

TunerError        1   something that the command needs is missing or broken: a file, a device, a database
  UsageError      2   what was typed, or written in a file, is wrong
  NothingToShow   3   no COMPLETE trial yet
  Interrupted   130   stopped by a signal (Ctrl-C, kill, a closed terminal); the same command goes on
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import click


class TunerError(click.ClickException):
    """A message of one line that shows the value and the remedy. Anything else that escapes is a bug."""

    exit_code = 1


class UsageError(TunerError):
    exit_code = 2


class NothingToShow(TunerError):
    exit_code = 3


class Interrupted(TunerError):
    exit_code = 130


def nearest(word: object, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known one, and else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(str(word), names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
