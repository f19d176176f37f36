"""The files that commands write: their place is tried before any work is done for them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..errors import UsageError


def make_room(path: Path, option: str) -> None:
    """Make the folder of a file that `option` names, and see that a file can be made there. Errors: UsageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UsageError(f"{option} {str(path)!r} cannot be written: {str(error.strerror).lower()}: give another place") from None
