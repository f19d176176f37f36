"""How many trials a study has, by state, read from its rows."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from .costs import read_spent
from .lease import Counts
from .stopping import Rules, read_rules
from .storage import Storage
from .tables import is_copy, pauses, stopping, studies, trials


def read_counts(storage: Storage, study_id: int) -> Counts:
    storage.check_file()
    ours, has_rules = trials.c.study_id == study_id, storage.has(stopping)  # asked first: a process has one connection to a server
    with storage.connect() as connection:
        found = connection.execute(sa.select(studies.c.slots, studies.c.stops).where(studies.c.study_id == study_id)).one()
        by_state = sa.select(trials.c.state, sa.func.count()).where(ours).group_by(trials.c.state)
        states = {state.name.lower(): count for state, count in connection.execute(by_state)}
        copies = connection.execute(sa.select(sa.func.count()).select_from(trials).where(ours, is_copy)).scalar_one()
        paused, promoted = {}, 0
        if sa.inspect(connection).has_table(pauses.name):
            query = _waiting(sa.select(pauses.c.epoch, sa.func.count().label("trials")), study_id)
            by_epoch = query.group_by(pauses.c.epoch).order_by(pauses.c.epoch)
            paused = {row.epoch: row.trials for row in connection.execute(by_epoch)}
            went_on = (pauses.c.study_id == study_id, pauses.c.taken.is_not(None))
            promoted = connection.execute(sa.select(sa.func.count()).select_from(pauses).where(*went_on)).scalar_one()
        rules = read_rules(connection, study_id) if has_rules else Rules()
        spent = 0.0 if rules.budget is None else read_spent(connection, study_id)
    return Counts(
        n_trials=found.slots,
        stops=found.stops,
        copies=copies,
        rungs=paused,
        promoted=promoted,
        budget=rules.budget,
        spent=spent,
        ended=rules.find_end(found.slots),
        **states,
    )


def read_paused(storage: Storage, study_id: int) -> set[int]:
    """The ids of the trials that pause."""
    with storage.connect() as connection:
        if not sa.inspect(connection).has_table(pauses.name):
            return set()
        return set(connection.execute(_waiting(sa.select(pauses.c.trial_id), study_id)).scalars())


def _waiting(query: sa.Select[Any], study_id: int) -> sa.Select[Any]:
    joined = pauses.join(trials, trials.c.trial_id == pauses.c.trial_id)
    return query.select_from(joined).where(pauses.c.study_id == study_id, pauses.c.paused, trials.c.state == TrialState.WAITING)


def count_used(connection: sa.Connection, study_id: int) -> int:
    """How many places of its total a study has given out: all rows but the failed and the copies of others."""
    used = (trials.c.study_id == study_id, trials.c.state != TrialState.FAIL, ~is_copy)
    return int(connection.execute(sa.select(sa.func.count()).select_from(trials).where(*used)).scalar_one())
