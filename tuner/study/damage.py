"""A database that does not hold what was written to it: flipped bytes, a half copied file, another tool's hand."""

from __future__ import annotations

import json

import sqlalchemy as sa
from optuna.storages._rdb import models as optuna_models

from ..errors import TunerError
from . import tables
from .driver_errors import is_damage, is_read_only
from .retry import StorageAway, is_outage
from .storage import Storage, find_open, read_first_line
from .studies import list_studies, load
from .trials import list_trials

FIGURES = {"epoch", "val_accuracy", "seconds"}  # the least of an epoch in a curve


def blame_storage(error: Exception) -> TunerError | None:
    """The line for an error that nobody expected, where a database that is open is its cause; None for a bug of ours."""
    storage = find_open()
    if storage is None:
        return None
    if is_outage(error):
        return StorageAway(f"storage {str(storage)!r} is away ({read_first_line(error)}): the same command goes on")
    if is_read_only(error):
        return storage.refuse_to_write(error)
    found = read_first_line(error) if is_damage(error) else find_damage(storage)
    return None if found is None else storage.refuse_damage(found)


def find_damage(storage: Storage) -> str | None:
    """Read all there is. The first thing that is not as it was written, in a few words; None where nothing is seen."""
    try:
        with storage.connect() as connection:
            return (_check_pages(storage, connection) or _check_rows(connection)) or _check_studies(storage)
    except Exception as error:  # whatever reading meets
        return read_first_line(error)


def _check_pages(storage: Storage, connection: sa.Connection) -> str | None:
    if storage.path is None:
        return None
    said = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
    return None if said == "ok" else " ".join(said.split())


def _check_rows(connection: sa.Connection) -> str | None:
    """That every row of every table has values of its columns' kinds."""
    for table in (*optuna_models.BaseModel.metadata.sorted_tables, *tables.list_tables(connection)):
        try:
            for row in connection.execute(sa.select(table)).mappings():
                for column, value in row.items():
                    if column.endswith("_json") and value is not None:
                        json.loads(value)
        except Exception as error:
            if is_outage(error):
                return None
            return f"table {table.name}: {read_first_line(error)}"
    return None


def _check_studies(storage: Storage) -> str | None:
    """That every study and every trial can be read as ours."""
    for name in list_studies(storage):
        try:
            study = load(storage, name)
            for row in list_trials(study):
                figures = {*FIGURES, row.objective.key, *row.objective.also}
                if any(not epoch.keys() >= figures for epoch in row.epochs) or dict(row.run).get("outcome", row.outcome) != row.outcome:
                    return f"study {name!r}, trial {row.number}: its curve"
        except TunerError as error:
            return error.message
        except Exception as error:
            return f"study {name!r}: {type(error).__name__}: {read_first_line(error)}"
    return None
