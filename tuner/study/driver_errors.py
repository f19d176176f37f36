"""What the error of a database's driver says, however often it was wrapped."""

from __future__ import annotations

import sqlite3
import threading

import sqlalchemy as sa

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


class FirstError:
    """What first went wrong in a thread's transaction.

    Optuna makes a trial in up to five attempts. Inside a transaction of ours the later ones only say that it is closed: whether the
    connection was lost, which is waited out, the first one knows.
    """

    def __init__(self) -> None:
        self._held = threading.local()

    def watch(self, engine: sa.Engine) -> None:
        sa.event.listen(engine, "handle_error", self._note)

    def forget(self) -> None:
        """A transaction begins."""
        self._held.error = None

    def find(self, error: BaseException) -> BaseException:
        """The error that the transaction ends with: the first, where this one only says that it had ended."""
        first: BaseException | None = getattr(self._held, "error", None)
        says_closed = isinstance(error.__cause__ or error, sa.exc.InvalidRequestError)
        return first if first is not None and says_closed else error

    def _note(self, context: sa.engine.ExceptionContext) -> None:
        if getattr(self._held, "error", None) is None:
            self._held.error = context.sqlalchemy_exception
