"""From a URL to an Optuna storage that several processes share."""

from __future__ import annotations

import os
import sqlite3
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa
from filelock import FileLock, Timeout

from ..config.environment import check_seconds
from ..config.study_files import DEFAULT_URL
from ..errors import MOST, TunerError, UsageError, hide_passwords
from . import schema, tables
from .connections import BUSY_SECONDS, CONNECT_ARGS, OneConnection, ReadOnlyConnection, describe_file
from .database_url import find_sqlite_path, hide_secrets, parse
from .driver_errors import FirstError, find_cause, is_damage, is_read_only
from .file_systems import find_network

SCHEMA_LOCK = 0x74756E6572  # PostgreSQL advisory lock: "tuner"

# What Optuna would warn of, such as independent draws of a grid, is what a study file asked for.
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


_opened: deque[weakref.ref[Storage]] = deque(maxlen=1)


class NoStudyYet(UsageError):
    """There is no database to read: nothing was searched here."""


class NotOpen(TunerError):
    """The database does not open now: away, locked, or not what the URL says."""


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


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
            raise NoStudyYet(f"no study in {hide_secrets(self.url)!r} yet: make one with `tuner search`")
        if self.path is not None:
            _check_place(self.path, make=make and url is None)
        self.read_only = self.path is not None and self.path.exists() and not _may_write(self.path)
        self._one, self._first = OneConnection(), FirstError()
        self._seen: set[str] = set()  # newer tables of ours
        self._held = threading.local()  # `connection` of the transaction that a thread is in
        options = self._one.describe_server() if self.path is None else describe_file(read_only=self.read_only)
        try:
            if not self._is_made():
                if not make:
                    raise NoStudyYet(f"no study in {str(self)!r} yet: make one with `tuner search`")
                with self.exclusive():
                    if not self._is_made():  # nobody else was quicker
                        self._make_schema(options["connect_args"])
            self._rdb = self._open(options)
        except (sa.exc.SQLAlchemyError, sqlite3.Error, optuna.exceptions.StorageInternalError, OSError, UnicodeError) as error:
            if is_damage(error):
                raise self.refuse_damage(read_first_line(error)) from None
            raise NotOpen(f"storage {hide_secrets(self.url)!r} does not open: {read_first_line(error)}") from None
        except RuntimeError as error:  # Optuna's own: a schema of another version
            raise TunerError(f"storage {hide_secrets(self.url)!r}: {read_first_line(error)}") from None
        self.engine = self._one.engine = self._rdb.engine
        self._first.watch(self.engine)
        self.optuna = optuna.storages.get_storage(self._rdb)
        self._inode = self.path.stat().st_ino if self.path is not None else 0
        _opened.append(weakref.ref(self))

    def _make_schema(self, connect_args: dict[str, Any]) -> None:
        # Optuna opens connections within each other while it makes its tables.
        rdb = optuna.storages.RDBStorage(self._plain, engine_kwargs={"poolclass": sa.NullPool, "connect_args": connect_args})
        tables.metadata.create_all(rdb.engine)

    def _open(self, options: dict[str, Any]) -> optuna.storages.RDBStorage:
        # And while it compares their version, so that is done here.
        given: dict[str, Any] = {"skip_table_creation": True, "skip_compatibility_check": True}
        rdb = optuna.storages.RDBStorage(self._plain, engine_kwargs=options, **given)
        there, wanted = rdb.get_current_version(), rdb.get_head_version()
        if there != wanted:
            remedy = "run `optuna storage upgrade`" if there in rdb.get_all_versions() else "install a newer Optuna"
            raise TunerError(f"storage {str(self)!r} has tables of Optuna's version {there}, and {wanted} is wanted: {remedy}")
        return rdb

    @property
    def _plain(self) -> str:
        """The URL for Optuna, which fills in what stands in braces."""
        return self.url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")

    def _is_made(self) -> bool:
        """Whether our schema is there; the database is only read. Errors: TunerError for one that another program made."""
        found = self._list_tables()
        if foreign := schema.find_foreign(found, server=self.path is None):
            told = ", ".join(foreign[:3])
            raise TunerError(f"storage {str(self)!r} is another program's database (it has {told}), left as it was: give another --storage")
        return schema.is_made(found)

    def _list_tables(self) -> dict[str, set[str]]:
        """The names of all tables, and the columns of those that are called as ours."""
        if self.path is None:
            with self._connect_aside() as connection:
                return schema.list_server_tables(connection)
        if not self.path.exists():
            return {}
        with closing(sqlite3.connect(self.path, factory=ReadOnlyConnection, timeout=BUSY_SECONDS)) as connection:
            return schema.list_file_tables(connection)

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
                raise self.refuse_to_write(error) from error  # a search looks at the cause, and waits
            if isinstance(error, (sa.exc.ProgrammingError, sa.exc.IntegrityError, sa.exc.DataError)):
                raise
            if is_damage(error):
                raise self.refuse_damage(read_first_line(error)) from None
            raise NotOpen(f"storage {hide_secrets(self.url)!r} does not open: {read_first_line(error)}") from None

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        if self.path is not None:
            if self.read_only or not os.access(self.path.parent, os.W_OK):
                raise self.refuse_to_write(None)
            with FileLock(f"{self.path}.lock", timeout=BUSY_SECONDS):
                yield
            return
        # All that is done under the lock is done by the transaction that holds it. Only the schema is made by Optuna's own.
        with self.transaction() if hasattr(self, "_rdb") else self._connect_aside() as connection:
            connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})
            yield

    def refuse_to_write(self, error: BaseException | None) -> TunerError:
        why = f" ({read_first_line(error)})" if error is not None else ""
        return TunerError(f"storage {str(self)!r} may only be read here{why}: ask for the right to write, or give another --storage")

    def refuse_damage(self, what: str) -> TunerError:
        return TunerError(f"storage {str(self)!r} is damaged, or was never one ({what}): go back to a copy, or give another --storage")

    def drop_cache(self) -> None:
        """Drop the cache: after a transaction that was rolled back it may hold rows that never were."""
        self.optuna = optuna.storages.get_storage(self._rdb)

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """One transaction for our own tables and for all that Optuna's storage does inside it. Inside one it is that one."""
        if self.in_transaction:
            yield self._held.connection
            return
        self.check_file()
        sessions = self._rdb.scoped_session
        with self.engine.begin() as connection:
            self._first.forget()
            sessions.remove()
            sessions(bind=connection, join_transaction_mode="rollback_only")
            self._held.connection = connection
            try:
                yield connection
            except BaseException as error:
                self.drop_cache()
                raise self._first.find(error)  # noqa: B904 - it came before
            finally:
                self._held.connection = None
                sessions.remove()

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside a transaction."""
        return getattr(self._held, "connection", None) is not None

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """For reading: the connection of the transaction that this thread is in, else one that is given back at the end."""
        if self.in_transaction:
            yield self._held.connection
            return
        with self.engine.connect() as connection:
            yield connection

    def has(self, table: sa.Table) -> bool:
        """Whether the database has a table of ours that is newer than the first two. Where it is once, it stays."""
        if table.name not in self._seen:
            with self.connect() as connection:
                if not sa.inspect(connection).has_table(table.name):
                    return False
            self._seen.add(table.name)
        return True

    def make_tables(self) -> None:
        """Make the tables of ours that a database of an earlier version lacks. Under the lock of `exclusive`."""
        with self.transaction() as connection:
            tables.metadata.create_all(connection)

    def visit(self) -> AbstractContextManager[None]:
        """Around calls that follow each other closely: what a server's connection costs is paid once for all of them."""
        return self._one.visit() if self.path is None else nullcontext()

    def linger(self) -> None:
        """Within a call that the next one follows at once: it is to use the same connection."""
        self._one.linger()

    @contextmanager
    def _connect_aside(self) -> Iterator[sa.Connection]:
        """A server's connection outside the pool: before there is one."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool, connect_args=CONNECT_ARGS)
        with engine.connect() as connection:
            yield connection

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
        return hide_secrets(self.url)


def find_open() -> Storage | None:
    """The storage that this process opened last, for when something fails."""
    return _opened[0]() if _opened else None


def read_first_line(error: BaseException) -> str:
    """What went wrong in one line, from the innermost cause, without SQLAlchemy's links and without passwords."""
    cause = find_cause(error)
    lines = [line.strip() for line in hide_passwords(str(cause)[:MOST]).splitlines() if line.strip()]
    return (lines[0] if lines else type(cause).__name__).removesuffix(".")


def _check_place(path: Path, *, make: bool) -> None:
    if make:
        path.parent.mkdir(parents=True, exist_ok=True)
    if not path.parent.is_dir() and path == find_sqlite_path(parse(DEFAULT_URL)):
        raise NoStudyYet(f"no study in {DEFAULT_URL!r} yet: make one with `tuner search`")
    if not path.parent.is_dir():
        raise TunerError(f"storage folder {str(path.parent)!r} does not exist: make it, or give another --storage")
    if path.is_dir():
        raise TunerError(f"storage {str(path)!r} is a folder: give the path of a file")
    if (system := find_network(path)) is not None:
        raise TunerError(f"storage {str(path)!r} is on a network file system ({system}), where SQLite loses data: use postgresql://")
