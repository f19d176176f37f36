"""From a URL to an Optuna storage that several processes share."""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
import psutil
import sqlalchemy as sa
from filelock import FileLock, Timeout
from optuna.storages._rdb import models as optuna_models

from ..config.environment import check_seconds
from ..errors import TunerError, UsageError
from . import tables

DEFAULT_URL = "sqlite:///studies/tuner.db"
BUSY_SECONDS = 60
SCHEMA_LOCK = 0x74756E6572  # PostgreSQL advisory lock: "tuner"
NETWORK_FILE_SYSTEMS = {
    *("nfs", "nfs4", "cifs", "smbfs", "smb2", "smb3", "afpfs", "afs", "9p", "ceph", "glusterfs"),
    *("lustre", "gpfs", "beegfs", "pvfs2", "orangefs", "panfs", "wekafs"),
}
LOCAL_FUSE = {"fuse.fuse-overlayfs", "fuse.overlayfs", "fuse.ntfs-3g", "fuse.exfat"}  # any other may be a network's

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


class _ReadOnlyConnection(sqlite3.Connection):
    """SQLite that only reads. Where not even SQLite's own files can be made beside it, the file is taken as it is."""

    def __init__(self, database: Any, *args: Any, **options: Any) -> None:
        path = Path(database)
        plain = os.access(path.parent, os.W_OK) or Path(f"{path}-wal").exists()
        super().__init__(f"file:{quote(str(path))}?{'mode=ro' if plain else 'immutable=1'}", *args, **{**options, "uri": True})


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _set_session(connection: Any, _: Any) -> None:
    """Settings of a new PostgreSQL connection: set now, because poolers refuse them as options of its start."""
    # A worker frozen inside a transaction must not hold up the others for longer than a lease.
    connection.execute("SET idle_in_transaction_session_timeout = 30000")
    connection.commit()


def is_read_only(error: BaseException) -> bool:
    """Whether an error says that the database, or what we may do in it, is for reading only."""
    while error.__cause__ is not None:
        error = error.__cause__
    original = getattr(error, "orig", None) or error
    return getattr(original, "sqlstate", None) in ("42501", "25006") or "readonly database" in str(original)


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
        """Open the database. With `make` its file and its schema are made where they are missing; else nothing is written.

        Errors: TunerError where it does not open or is another program's, NoStudyYet where there is nothing to read.
        """
        check_seconds()
        self.url = parse(url or DEFAULT_URL)
        self.path = find_sqlite_path(self.url)
        if self.path is not None and not make and self.path.parent.is_dir() and not self.path.exists():
            raise NoStudyYet(f"no study in {hide_password(self.url)!r} yet: make one with `tuner search`")
        if self.path is not None:
            _check_place(self.path, make=make and url is None)
        self.read_only = self.path is not None and self.path.exists() and not _may_write(self.path)
        options: dict[str, Any] = {"pool_pre_ping": True}
        if self.path is not None:
            options["connect_args"] = {"timeout": BUSY_SECONDS, "factory": _ReadOnlyConnection if self.read_only else _WalConnection}
        else:
            options |= {"pool_size": 2, "max_overflow": 3, "pool_recycle": 1800, "pool_events": [(_set_session, "connect")]}
            # A server whose own encoding is SQL_ASCII would else answer in bytes. Statements are not prepared: behind a
            # pooler the next one may run on another connection.
            named = {"application_name": "tuner", "client_encoding": "utf8", "prepare_threshold": None}
            options["connect_args"] = {"connect_timeout": 10, **named}
        self._connect_args = options["connect_args"]
        try:
            if not self._is_made():
                if not make:
                    raise NoStudyYet(f"no study in {str(self)!r} yet: make one with `tuner search`")
                with self.exclusive():
                    if not self._is_made():  # nobody else was quicker
                        self._open(options, make=True)
                        tables.metadata.create_all(self._rdb.engine)
            if not hasattr(self, "_rdb"):
                self._open(options, make=False)
        except (sa.exc.SQLAlchemyError, sqlite3.Error, optuna.exceptions.StorageInternalError, OSError) as error:
            raise NotOpen(f"storage {hide_password(self.url)!r} does not open: {read_first_line(error)}") from None
        except RuntimeError as error:  # Optuna's own: a schema of another version
            raise TunerError(f"storage {hide_password(self.url)!r}: {read_first_line(error)}") from None
        self.engine = self._rdb.engine
        self.optuna = optuna.storages.get_storage(self._rdb)
        self._inode = self.path.stat().st_ino if self.path is not None else 0

    def _open(self, options: dict[str, Any], *, make: bool) -> None:
        plain = self.url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
        self._rdb = optuna.storages.RDBStorage(plain, engine_kwargs=options, skip_table_creation=not make)

    def _is_made(self) -> bool:
        """Whether our schema is there; the database is only read. Errors: TunerError for one that another program made."""
        names, columns = self._list_tables()
        if "version_info" in names and "study_name" in columns:  # Optuna's; others' tables may stand beside it
            return tables.metadata.tables.keys() <= names
        known = {*optuna_models.BaseModel.metadata.tables, *tables.metadata.tables}
        strange = bool(columns) and "study_name" not in columns
        foreign = names - known  # a file is one program's; in a server's database others' tables may stand beside ours
        if self.path is None:
            foreign = names & ({"alembic_version"} if not columns else set())
        if foreign or strange:
            told = ", ".join(sorted(foreign or names)[:3])
            raise TunerError(f"storage {str(self)!r} is another program's database (it has {told}), left as it was: give another --storage")
        return False

    def _list_tables(self) -> tuple[set[str], set[str]]:
        """The names of all tables, and of the columns of `studies`."""
        if self.path is None:
            engine = sa.create_engine(self.url, poolclass=sa.NullPool, connect_args=self._connect_args)
            found = sa.inspect(engine)
            names = set(found.get_table_names())
            return names, {column["name"] for column in found.get_columns("studies")} if "studies" in names else set()
        if not self.path.exists():
            return set(), set()
        with closing(sqlite3.connect(self.path, factory=_ReadOnlyConnection, timeout=BUSY_SECONDS)) as connection:
            listed = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            names = {str(name) for (name,) in listed}
            return names, {row[1] for row in connection.execute("PRAGMA table_info(studies)")}

    def check_file(self) -> None:
        """Errors: TunerError where the SQLite file was removed or replaced: what is written would be lost."""
        if self.path is None:
            return
        try:
            same = self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            same = False
        except OSError:
            return  # the disk is away: the database itself says so
        if not same:
            raise TunerError(f"storage {str(self)!r} was removed or replaced meanwhile: put the file back, then search again to go on")

    def write_through(self) -> None:
        """Move what was committed from SQLite's log into its file, as far as no reader hinders it: who copies the file has it."""
        if self.path is not None and not self.read_only:
            with suppress(sa.exc.SQLAlchemyError), self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """The one lock under which schema and studies are made: whoever comes first makes them, the others wait.

        Errors: NotOpen where the database goes away meanwhile. Then nothing was made, or all of it.
        """
        try:
            with self._exclusive():
                yield
        except (sa.exc.DBAPIError, optuna.exceptions.StorageInternalError, Timeout) as error:
            if is_read_only(error):
                raise self.refuse_to_write(error) from None
            if isinstance(error, (sa.exc.ProgrammingError, sa.exc.IntegrityError, sa.exc.DataError)):
                raise
            raise NotOpen(f"storage {hide_password(self.url)!r} does not open: {read_first_line(error)}") from None

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        if self.path is not None:
            if self.read_only or not os.access(self.path.parent, os.W_OK):
                raise self.refuse_to_write(None)
            with FileLock(f"{self.path}.lock", timeout=BUSY_SECONDS):
                yield
            return
        engine = sa.create_engine(self.url, poolclass=sa.NullPool, connect_args=self._connect_args)
        with engine.connect() as connection:
            connection.execute(sa.text("SET idle_in_transaction_session_timeout = 0"))
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})
            yield

    def refuse_to_write(self, error: BaseException | None) -> TunerError:
        why = f" ({read_first_line(error)})" if error is not None else ""
        return TunerError(f"storage {str(self)!r} may only be read here{why}: ask for the right to write, or give another --storage")

    def drop_cache(self) -> None:
        """Drop the cache: after a transaction that was rolled back it may hold rows that never were."""
        self.optuna = optuna.storages.get_storage(self._rdb)

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """One transaction for our own tables and for all that Optuna's storage does inside it."""
        self.check_file()
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
    system = _name_file_system(path.resolve())
    if system in NETWORK_FILE_SYSTEMS or (system.split(".")[0] == "fuse" and system not in LOCAL_FUSE):
        raise TunerError(f"storage {str(path)!r} is on a network file system ({system}), where SQLite loses data: use postgresql://")


def _name_file_system(path: Path) -> str:
    """The type of the file system that a path without links is on; empty where that cannot be seen."""
    mounts = sorted(psutil.disk_partitions(all=True), key=lambda part: len(part.mountpoint))
    return next((part.fstype for part in reversed(mounts) if path.is_relative_to(part.mountpoint)), "")
