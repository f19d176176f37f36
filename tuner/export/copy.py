"""A study with its trials in another storage, for Optuna and its tools."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import datetime

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ..errors import UsageError
from ..study.objectives import list_directions
from ..study.storage import Storage
from ..study.study import Study
from ..study.trials import TrialRow, list_trials

# What binds a study to its storage and its checkpoints. A copy has neither: `tuner` does not take it for a study of its own.
BOUND = ("uid", "checkpoints", "database", "copy", "added")


def copy_study(study: Study, url: str, name: str | None = None) -> tuple[Storage, int]:
    """Copy it as `optuna.copy_study` does, all of it or nothing. The storage, made where it is missing, and how many trials there are.

    Trials keep their numbers. One that is not finished cannot go on there, where no worker and no checkpoint is: it is PRUNED at the
    last value it reported, and FAIL without one. Facts of a trial are user attributes: `curve`, `run`, `config`.
    Errors: UsageError where a study of that name is there, and those of a Storage.
    """
    rows = {row.number: row for row in list_trials(study)}
    directions = list_directions(study.config)
    trials = [_close(trial, rows[trial.number], directions) for trial in study.frozen_trials() if trial.number in rows]
    source, study_id = study.storage.optuna, study.leases.study_id
    system_attrs, user_attrs = source.get_study_system_attrs(study_id), source.get_study_user_attrs(study_id)
    target, name = Storage(url, make=True), name or study.name
    with target.exclusive(), target.transaction():
        if name in [each.study_name for each in target.optuna.get_all_studies()]:
            raise UsageError(f"study {name!r} is in {str(target)!r} already: give another --name")
        copied = target.optuna.create_new_study(directions, name)
        for key, value in system_attrs.items():
            target.optuna.set_study_system_attr(copied, key, value)
        for key, value in user_attrs.items():
            if key not in BOUND:
                target.optuna.set_study_user_attr(copied, key, value)
        for trial in trials:
            target.optuna.create_new_trial(copied, template_trial=trial)
    target.write_through()
    return target, len(trials)


def _close(trial: FrozenTrial, row: TrialRow, directions: Sequence[StudyDirection]) -> FrozenTrial:
    """The trial as it is to stand in the copy."""
    closed = copy.deepcopy(trial)
    facts = {"curve": row.epochs, "run": dict(row.run), **({} if row.config is None else {"config": row.config.to_dict()})}
    closed.user_attrs = {**trial.user_attrs, **{name: value for name, value in facts.items() if value}}
    if trial.state.is_finished():
        return closed
    closed.datetime_start = trial.datetime_start or datetime.now()
    closed.datetime_complete = datetime.now()
    last = trial.last_step
    closed.state = TrialState.FAIL if last is None else TrialState.PRUNED
    if len(directions) == 1:
        closed.value = None if last is None else trial.intermediate_values[last]
    return closed
