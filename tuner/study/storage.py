"""From a URL to an Optuna storage that several processes share."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import psutil
import sqlalchemy as sa
from filelock import FileLock, Timeout

from ..errors import TunerError, UsageError
from . import tables

DEFAULT_URL = "sqlite:///studies/tuner.db"
BUSY_SECONDS = 60
SCHEMA_LOCK = 0x74756E6572  # PostgreSQL advisory lock: "tuner"
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smbfs", "smb3", "afpfs", "fuse.sshfs", "9p", "ceph", "glusterfs", "lustre"}

# What Optuna would warn of, such as independent draws of a grid, is what a study file asked for.
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


class NoStudyYet(UsageError):
    """There is no database to read: nothing was searched here."""


class NotOpen(TunerError):
    """The database does not open now: away, locked, or not what the URL says."""


class _WalConnection(sqlite3.Connection):
    """SQLite as several processes need it: readers beside one writer, no fsync at each commit, and a whole database after a crash."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=NORMAL")


def parse(url: str) -> sa.URL:
    """The URL with its driver named; one that cannot be used is a UsageError without its password."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise UsageError(f"storage {url!r} is not a URL: give sqlite:///FILE or postgresql://USER@HOST/DATABASE") from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise UsageError(f"storage {hide_password(parsed)!r}: {backend} is not supported: give sqlite:///FILE or postgresql://...")
    if parsed.database in (None, "", ":memory:"):
        raise UsageError(f"storage {url!r} is in memory only, and workers are processes of their own: give sqlite:///FILE")
    return parsed


def hide_password(url: sa.URL) -> str:
    """A URL for people: the password hidden, the driver as they typed it."""
    return url.render_as_string(hide_password=True).replace("postgresql+psycopg:", "postgresql:")


def find_sqlite_path(url: sa.URL) -> Path | None:
    """The SQLite file; None for a server."""
    return Path(str(url.database)).absolute() if url.get_backend_name() == "sqlite" else None


class Storage:
    """One database of studies, opened. `optuna` is the process's one cached Optuna storage over it."""

    def __init__(self, url: str | None = None, *, make: bool = False) -> None:
        """Open the database, and make its schema if it has none; with `make` also a SQLite file that is missing.

        Errors: TunerError where it does not open, NoStudyYet where there is no file to read.
        """
        self.url = parse(url or DEFAULT_URL)
        self.path = find_sqlite_path(self.url)
        if self.path is not None and not make and self.path.parent.is_dir() and not self.path.exists():
            raise NoStudyYet(f"no study in {hide_password(self.url)!r} yet: make one with `tuner search`")
        if self.path is not None:
            _check_place(self.path, make=make and url is None)
        options: dict[str, Any] = {"pool_pre_ping": True}
        if self.path is not None:
            options["connect_args"] = {"timeout": BUSY_SECONDS, "factory": _WalConnection}
        else:
            # A worker frozen inside a transaction must not hold up the others for longer than a lease.
            settings = "-c idle_in_transaction_session_timeout=30000"
            options |= {"pool_size": 2, "max_overflow": 3, "pool_recycle": 1800}
            # A server whose own encoding is SQL_ASCII would else answer in bytes.
            named = {"application_name": "tuner", "client_encoding": "utf8"}
            options["connect_args"] = {"connect_timeout": 10, "options": settings, **named}
        plain = self.url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
        self._connect_args = options["connect_args"]
        try:
            with self.exclusive():
                self._rdb = optuna.storages.RDBStorage(plain, engine_kwargs=options)
                tables.metadata.create_all(self._rdb.engine)
        except (sa.exc.SQLAlchemyError, sqlite3.Error, optuna.exceptions.StorageInternalError, OSError) as error:
            raise NotOpen(f"storage {hide_password(self.url)!r} does not open: {read_first_line(error)}") from None
        except RuntimeError as error:  # Optuna's own: a schema of another version
            raise TunerError(f"storage {hide_password(self.url)!r}: {read_first_line(error)}") from None
        self.engine = self._rdb.engine
        self.optuna = optuna.storages.get_storage(self._rdb)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """The one lock under which schema and studies are made: whoever comes first makes them, the others wait.

        Errors: NotOpen where the database goes away meanwhile. Then nothing was made, or all of it.
        """
        try:
            with self._exclusive():
                yield
        except (sa.exc.OperationalError, sa.exc.InterfaceError, optuna.exceptions.StorageInternalError, Timeout) as error:
            raise NotOpen(f"storage {hide_password(self.url)!r} does not open: {read_first_line(error)}") from None

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        if self.path is not None:
            with FileLock(f"{self.path}.lock", timeout=BUSY_SECONDS):
                yield
            return
        engine = sa.create_engine(self.url, poolclass=sa.NullPool, connect_args=self._connect_args)
        with engine.connect() as connection:
            connection.execute(sa.text("SET idle_in_transaction_session_timeout = 0"))
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})
            yield

    def drop_cache(self) -> None:
        """Drop the cache: after a transaction that was rolled back it may hold rows that never were."""
        self.optuna = optuna.storages.get_storage(self._rdb)

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """One transaction for our own tables and for all that Optuna's storage does inside it."""
        sessions = self._rdb.scoped_session
        with self.engine.begin() as connection:
            sessions.remove()
            sessions(bind=connection, join_transaction_mode="rollback_only")
            try:
                yield connection
            except BaseException:
                self.drop_cache()
                raise
            finally:
                sessions.remove()

    @property
    def now(self) -> sa.ColumnElement[float]:
        """The database's clock in seconds, as SQL: leases must not depend on the clocks of machines."""
        if self.path is not None:
            return sa.literal_column("((julianday('now') - 2440587.5) * 86400.0)", sa.Float)
        return sa.literal_column("extract(epoch from clock_timestamp())::float8", sa.Float)

    def close(self) -> None:
        self._rdb.remove_session()
        self.engine.dispose()

    def __str__(self) -> str:
        return hide_password(self.url)


def read_first_line(error: BaseException) -> str:
    """What went wrong in one line, from the innermost cause, without SQLAlchemy's links."""
    while error.__cause__ is not None:
        error = error.__cause__
    original = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    return (lines[0] if lines else type(original).__name__).removesuffix(".")


def _check_place(path: Path, *, make: bool) -> None:
    if make:
        path.parent.mkdir(parents=True, exist_ok=True)
    if not path.parent.is_dir() and path == find_sqlite_path(parse(DEFAULT_URL)):
        raise NoStudyYet(f"no study in {DEFAULT_URL!r} yet: make one with `tuner search`")
    if not path.parent.is_dir():
        raise TunerError(f"storage folder {str(path.parent)!r} does not exist: make it, or give another --storage")
    if path.is_dir():
        raise TunerError(f"storage {str(path)!r} is a folder: give the path of a file")
    mounts = sorted(psutil.disk_partitions(all=True), key=lambda part: len(part.mountpoint))
    system = [part.fstype for part in mounts if path.is_relative_to(part.mountpoint)]
    if system and system[-1] in NETWORK_FILE_SYSTEMS:
        raise TunerError(f"storage {str(path)!r} is on a network file system ({system[-1]}), where SQLite loses data: use postgresql://")
