"""Trials as Optuna shows them, many by as many statements as one.

Optuna's own calls read one, by seven statements, or all that are not finished, and make an object of every row of every table. A worker
reads what all the others finish: of a hundred, a hundred trials while it trains one.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages._rdb.models import (
    TrialIntermediateValueModel,
    TrialModel,
    TrialParamModel,
    TrialSystemAttributeModel,
    TrialUserAttributeModel,
    TrialValueModel,
)
from optuna.trial import FrozenTrial

MOST_IDS = 500  # in one statement: each is one of the variables that a database counts

_trials = sa.inspect(TrialModel).local_table
_params = sa.inspect(TrialParamModel).local_table
_values = sa.inspect(TrialValueModel).local_table
_steps = sa.inspect(TrialIntermediateValueModel).local_table
_user_attrs = sa.inspect(TrialUserAttributeModel).local_table
_system_attrs = sa.inspect(TrialSystemAttributeModel).local_table
_to_value = TrialValueModel.stored_repr_to_value
_to_step_value = TrialIntermediateValueModel.stored_repr_to_intermediate_value
_read_distribution = functools.lru_cache(maxsize=1000)(json_to_distribution)


def read_trials(connection: sa.Connection, ids: Iterable[int]) -> list[FrozenTrial]:
    """The trials with these ids, in the order of their ids; those that are gone are left out. Their distributions are shared."""
    wanted = sorted(ids)
    parts = [wanted[at : at + MOST_IDS] for at in range(0, len(wanted), MOST_IDS)]
    return [trial for part in parts for trial in _read_part(connection, part)]


def read_trial(connection: sa.Connection, trial_id: int) -> FrozenTrial:
    """The trial with this id. KeyError where it is gone."""
    found = read_trials(connection, [trial_id])
    if not found:
        raise KeyError(f"no trial with the id {trial_id}")
    return found[0]


def _read_part(connection: sa.Connection, ids: list[int]) -> list[FrozenTrial]:
    made = {row.trial_id: _make_trial(row) for row in _read(connection, _trials, ids)}

    def read(table: sa.Table) -> Iterator[tuple[FrozenTrial, Any]]:
        return ((made[row.trial_id], row) for row in _read(connection, table, ids) if row.trial_id in made)

    for trial, row in read(_params):
        distribution: BaseDistribution = _read_distribution(row.distribution_json)
        trial.distributions[row.param_name] = distribution
        trial.params[row.param_name] = distribution.to_external_repr(row.param_value)
    values: dict[int, dict[int, float]] = {}
    for trial, row in read(_values):
        values.setdefault(trial._trial_id, {})[row.objective] = _to_value(row.value, row.value_type)
    for trial_id, by_objective in values.items():
        made[trial_id].values = [by_objective[objective] for objective in sorted(by_objective)]
    for trial, row in read(_steps):
        trial.intermediate_values[row.step] = _to_step_value(row.intermediate_value, row.intermediate_value_type)
    for trial, row in read(_user_attrs):
        trial.user_attrs[row.key] = json.loads(row.value_json)
    for trial, row in read(_system_attrs):
        trial.system_attrs[row.key] = json.loads(row.value_json)
    return list(made.values())


def _read(connection: sa.Connection, table: sa.Table, ids: list[int]) -> Iterable[Any]:
    return connection.execute(sa.select(table).where(table.c.trial_id.in_(ids)).order_by(*table.primary_key))


def _make_trial(row: Any) -> FrozenTrial:
    return FrozenTrial(
        number=row.number,
        state=row.state,
        value=None,
        datetime_start=row.datetime_start,
        datetime_complete=row.datetime_complete,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
        trial_id=row.trial_id,
    )
