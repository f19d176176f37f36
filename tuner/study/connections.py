"""How a database is connected to, so that several processes share it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

BUSY_SECONDS = 60


class WalConnection(sqlite3.Connection):
    """SQLite as several processes need it: readers beside one writer, no fsync at each commit, and a whole database after a crash."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=NORMAL")


class ReadOnlyConnection(sqlite3.Connection):
    """SQLite that only reads. Where not even SQLite's own files can be made beside it, the file is taken as it is."""

    def __init__(self, database: Any, *args: Any, **options: Any) -> None:
        path = Path(database)
        plain = os.access(path.parent, os.W_OK) or Path(f"{path}-wal").exists()
        super().__init__(f"file:{quote(str(path))}?{'mode=ro' if plain else 'immutable=1'}", *args, **{**options, "uri": True})


def set_session(connection: Any, _: Any) -> None:
    """Settings of a new PostgreSQL connection: set now, because poolers refuse them as options of its start."""
    # A worker frozen inside a transaction must not hold up the others for longer than a lease.
    connection.execute("SET idle_in_transaction_session_timeout = 30000")
    connection.commit()
