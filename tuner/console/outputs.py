"""Files that commands write: what something else left under their names is not overwritten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import TunerError, UsageError


def check_free(option: str, path: Path, ours: str, is_ours: Callable[[Path], bool], *, force: bool) -> None:
    """Errors: UsageError where the file at `path` is not what `ours` says, unless `force`. Devices and pipes are written to."""
    if not force and path.is_file() and not is_ours(path):
        raise UsageError(f"{option} {str(path)!r} is there already, and is not {ours}: give another name, or --force to replace it")


def write_output(path: Path, content: bytes) -> None:
    """Errors: TunerError where it cannot be written."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise TunerError(f"cannot write {str(path)!r}: {error.strerror}") from None
