"""What the error of a database's driver says, however often it was wrapped."""

from __future__ import annotations

import sqlite3

_FULL = ("too many clients", "connection slots are reserved", "too many connections for")  # a refused connection has no code


def find_cause(error: BaseException) -> BaseException:
    """The driver's own error."""
    while error.__cause__ is not None:
        error = error.__cause__
    original: BaseException | None = getattr(error, "orig", None)
    return original or error


def is_read_only(error: BaseException) -> bool:
    """Whether the database, or what we may do in it, is for reading only."""
    return getattr(find_cause(error), "sqlstate", None) == "42501" or takes_no_writes(error)


def takes_no_writes(error: BaseException) -> bool:
    """Whether the database takes nobody's writes: a server's standby, a disk that was made read-only."""
    cause = find_cause(error)
    return getattr(cause, "sqlstate", None) == "25006" or "readonly database" in str(cause)


def is_full(error: BaseException) -> bool:
    """Whether a server has no connection left for us now: it is there, and busy with others."""
    cause = find_cause(error)
    return getattr(cause, "sqlstate", None) == "53300" or any(words in str(cause) for words in _FULL)


def is_damage(error: BaseException) -> bool:
    """Whether an error says that a SQLite file is broken, or that its text is none."""
    cause = find_cause(error)
    return type(cause) is sqlite3.DatabaseError or isinstance(cause, UnicodeError) or "decode to UTF-8" in str(cause)
