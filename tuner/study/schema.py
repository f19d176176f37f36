"""Whose tables a database has: ours, another program's, or nobody's yet."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Set

import sqlalchemy as sa
from optuna.storages._rdb import models as optuna_models

from . import tables

Columns = Mapping[str, Set[str]]  # of every table, by its name

OURS: Columns = {name: set(table.columns.keys()) for name, table in tables.metadata.tables.items()}
OPTUNAS: Columns = {name: set(table.columns.keys()) for name, table in optuna_models.BaseModel.metadata.tables.items()}


def list_server_tables(connection: sa.Connection) -> dict[str, set[str]]:
    """The columns of a server's tables by name."""
    listed = sa.inspect(connection).get_multi_columns()
    return {name: {column["name"] for column in columns} for (_, name), columns in listed.items()}


def list_file_tables(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """The tables of a file by name, and the columns of those that are called as ours or Optuna's."""
    found: dict[str, set[str]] = {}
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    for (name,) in names.fetchall():
        known = name in OPTUNAS or name in OURS  # a virtual table of another program may not be read without its module
        found[name] = {row[1] for row in connection.execute(f"PRAGMA table_info({name})")} if known else set()
    return found


def is_made(found: Columns) -> bool:
    """Whether our whole schema is there."""
    return _is_optunas(found) and found.keys() >= tables.FIRST_TABLES


def find_foreign(found: Columns, *, server: bool) -> list[str]:
    """The tables that show a database to be another program's: those of a name of ours or of Optuna's with other columns,
    and in a file all others.

    In a server's database, and in a file that Optuna made, others' tables may stand beside ours.
    """
    if _is_optunas(found):  # of any version: Optuna itself tells an older one
        wanted = {**OURS, "trials": set(tables.trials.columns.keys())}
        return _find_changed(found, wanted)
    changed = _find_changed(found, {**OPTUNAS, **OURS})
    if server:
        beside = found.keys() & {"alembic_version"} if "studies" not in found else set()
    else:
        beside = found.keys() - OPTUNAS.keys() - OURS.keys()
    return sorted({*changed, *beside})


def _is_optunas(found: Columns) -> bool:
    return "version_info" in found and "study_name" in found.get("studies", ())


def _find_changed(found: Columns, wanted: Columns) -> list[str]:
    return [name for name, columns in wanted.items() if name in found and not columns <= found[name]]
