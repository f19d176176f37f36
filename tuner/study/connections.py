"""Connections to a database: to SQLite as several processes need it, to a server one at a time, and none while nobody asks.

A server's connections are few, 100 in PostgreSQL as it comes, and its workers may be a thousand. Each asks it for some
milliseconds an epoch. So a process has one connection at most, and it is closed when its transaction ends. Where calls
follow each other closely, a `visit` keeps it from the first to the last of them, and after a call that said so it `lingers`
for the next one: to open it costs the server some milliseconds of a core.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

BUSY_SECONDS = 60
# A server whose own encoding is SQL_ASCII would else answer in bytes. Statements are not prepared: behind a pooler the next
# one may run on another connection.
CONNECT_ARGS = {"connect_timeout": 10, "application_name": "tuner", "client_encoding": "utf8", "prepare_threshold": None}
LINGER_SECONDS = 0.5
IN_TURN_SECONDS = 5  # how long a thread waits until another one has given back the process's connection


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


def describe_file(*, read_only: bool) -> dict[str, Any]:
    """What an engine for a SQLite file is made with."""
    return {"connect_args": {"timeout": BUSY_SECONDS, "factory": ReadOnlyConnection if read_only else WalConnection}}


class OneConnection:
    """The one connection that this process has to a server, as its engine's pool is told of it."""

    engine: sa.Engine  # that was made with `describe_server`

    def __init__(self) -> None:
        self._visits = 0
        self._counting = threading.Lock()
        self._kept = False  # open, and nobody uses it
        self._lingers = False  # is kept for a moment when it is given back

    def describe_server(self) -> dict[str, Any]:
        """What an engine for a server is made with."""
        events = [(_set_session, "connect"), (self._take, "checkout"), (self._give_back, "checkin")]
        return {
            "pool_size": 1,
            "max_overflow": 0,
            "pool_timeout": IN_TURN_SECONDS,
            "pool_events": events,
            "connect_args": CONNECT_ARGS,
        }

    @contextmanager
    def visit(self) -> Iterator[None]:
        """Keep the connection that is opened inside until the end."""
        with self._counting:
            self._visits += 1
        try:
            yield
        finally:
            with self._counting:
                self._visits -= 1
                lingers = self._take_note() if self._visits == 0 else True
            if not lingers:
                self._close()

    def linger(self) -> None:
        """The next call comes at once: when the connection is given back, keep it for that, for LINGER_SECONDS at most."""
        self._lingers = True

    def _take(self, connection: Any, record: Any, proxy: Any) -> None:
        self._kept = False

    def _give_back(self, connection: Any, record: Any) -> None:
        with self._counting:
            self._kept = connection is not None
            if self._visits == 0:
                self._kept = self._take_note() and self._kept
        if not self._kept:
            record.close()

    def _take_note(self) -> bool:
        """Whether the connection is to linger now. Then it is closed a moment later."""
        lingers, self._lingers = self._lingers, False
        if lingers:
            timer = threading.Timer(LINGER_SECONDS, self._close)
            timer.daemon = True
            timer.start()
        return lingers

    def _close(self) -> None:
        """Close the connection, if nobody took it meanwhile."""
        with suppress(sa.exc.SQLAlchemyError):
            if self._kept and self._visits == 0:
                self.engine.connect().close()  # given back once more


def _set_session(connection: Any, _: Any) -> None:
    """Settings of a new PostgreSQL connection: set now, because poolers refuse them as options of its start."""
    # A worker frozen inside a transaction must not hold up the others for longer than a lease.
    connection.autocommit = True
    connection.execute("SET idle_in_transaction_session_timeout = 30000")
    connection.autocommit = False
