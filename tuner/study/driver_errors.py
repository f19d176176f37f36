"""What the error of a database's driver says, however often it was wrapped."""

from __future__ import annotations


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
