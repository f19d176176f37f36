"""The one error class that users see, and its exit codes.

TunerError        1   something that the command needs is missing or broken: a file, a device, a database
  UsageError      2   what was typed, or written in a file, is wrong
  NothingToShow   3   no COMPLETE trial yet
  Interrupted   130   stopped by a signal (Ctrl-C, kill, a closed terminal); the same command goes on
"""

from __future__ import annotations

import difflib
import errno
import re
import unicodedata
from collections.abc import Iterable
from typing import IO, Any

import click

_MORE_MEMORY = "raise the limits of memory and processes (`ulimit -v`, `ulimit -u`), or start fewer workers"
# What a machine refuses, and the remedy. Errors of the operating system by number; a loader's, Python's and PyTorch's by their words.
_REFUSALS = {
    errno.ENOSPC: "free some space, or give another place",
    errno.EDQUOT: "free some space, or give another place",
    errno.EFBIG: "raise `ulimit -f`",
    errno.EROFS: "give another place",
    errno.EACCES: "ask for the right, or give another place",
    errno.EPERM: "ask for the right, or give another place",
    errno.EIO: "look at the disk, or give another place",
    errno.EMFILE: "raise `ulimit -n`",
    errno.ENFILE: "raise the system's limit of open files",
    errno.ENOMEM: _MORE_MEMORY,
    errno.EAGAIN: _MORE_MEMORY,
}
_WORDS = {
    "too many open files": "raise `ulimit -n`",
    "failed to map segment": _MORE_MEMORY,
    "cannot allocate memory": _MORE_MEMORY,
    "can't allocate memory": _MORE_MEMORY,
    "can't start new thread": _MORE_MEMORY,
    "resource temporarily unavailable": _MORE_MEMORY,
}
LONGEST = 500  # characters of a message
MOST = 20_000  # characters of it that are looked at before
HIDDEN = "***"
# A URL's user and password, up to the last @ (a password may hold one that should have been written %40), and a password by name.
_USERINFO = re.compile(r"(:/{1,2}(?!/)[^\s:/@]*:)\S*(?=@)")
_NAMED = re.compile(r"((?:passw(?:or)?d|passfile|pwd|secret)\w{0,20}\s?=\s?)(?:'[^']*'|\S[^\s&]*?(?=['\")]*(?:[\s&,;:]|$)))", re.IGNORECASE)
_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}  # Unicode's categories of what a terminal obeys, cannot write, or ends a line at


class TunerError(click.ClickException):
    """A message of one line that shows the value and the remedy. Anything else that escapes is a bug.

    However long the value is, the line has at most LONGEST characters, or `most` where it lists several things.
    A password in it, typed in whatever place, is hidden.
    """

    exit_code = 1

    def __init__(self, message: str, *, most: int = LONGEST) -> None:
        super().__init__(shorten(hide_passwords(shorten(message, max(MOST, most))), most))


class UsageError(TunerError):
    exit_code = 2


class NothingToShow(TunerError):
    exit_code = 3


class Interrupted(TunerError):
    """What was asked for, and no fault: so no `Error` stands before it."""

    exit_code = 130

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.format_message(), file=file, err=True)


def hide_passwords(text: str) -> str:
    """A text without what reads like a password in it: in a URL, or after its name and a `=`."""
    return _NAMED.sub(rf"\g<1>{HIDDEN}", _USERINFO.sub(rf"\g<1>{HIDDEN}", text))


def shorten(text: str, most: int = LONGEST) -> str:
    """One line of at most so many characters, without control characters.

    What is left out is in the middle: a message begins with the place and ends with the remedy.
    """
    if len(text) > most:
        end = most // 3
        text = f"{text[: most - end - 5]} ... {text[-end:]}"
    line = "".join(c if unicodedata.category(c) not in _UNSEEN else _escape(c) for c in text)
    return line if len(line) <= most else shorten(line, most)


def _escape(character: str) -> str:
    return " " if character in "\t\n\r\u2028\u2029" else character.encode("unicode_escape").decode()


def nearest(word: object, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known one, and else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(str(word)[:100], names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"


def blame_machine(error: BaseException) -> TunerError | None:
    """The line for an error that nobody expected, where the machine is its cause: a full disk, a right or a limit. None for others."""
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        where = "" if error.filename is None else f"{str(error.filename)!r}: "
        return TunerError(f"{where}{str(error.strerror).lower()}: {_REFUSALS[error.errno]}")
    if isinstance(error, MemoryError):
        return TunerError(f"out of memory: {_MORE_MEMORY}")
    if isinstance(error, (ImportError, RuntimeError, OSError)):
        said = " ".join(str(error).split())
        for words, remedy in _WORDS.items():
            if words in said.lower():
                return TunerError(f"{said[:200]}: {remedy}")
    return None
