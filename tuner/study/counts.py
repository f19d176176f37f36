"""How many trials a study has, by state, read from its rows."""

from __future__ import annotations

import sqlalchemy as sa
from optuna.trial import TrialState

from .lease import Counts
from .storage import Storage
from .tables import is_copy, list_tables, pauses, studies, trials


def read_counts(storage: Storage, study_id: int) -> Counts:
    storage.check_file()
    ours = trials.c.study_id == study_id
    with storage.engine.connect() as connection:
        found = connection.execute(sa.select(studies.c.slots, studies.c.stops).where(studies.c.study_id == study_id)).one()
        by_state = sa.select(trials.c.state, sa.func.count()).where(ours).group_by(trials.c.state)
        states = {state.name.lower(): count for state, count in connection.execute(by_state)}
        copies = connection.execute(sa.select(sa.func.count()).select_from(trials).where(ours, is_copy)).scalar_one()
        paused = 0
        if states.get("waiting") and pauses in list_tables(connection):
            waiting = (pauses.c.study_id == study_id, pauses.c.paused, trials.c.state == TrialState.WAITING)
            joined = pauses.join(trials, trials.c.trial_id == pauses.c.trial_id)
            paused = connection.execute(sa.select(sa.func.count()).select_from(joined).where(*waiting)).scalar_one()
    return Counts(n_trials=found.slots, stops=found.stops, copies=copies, paused=paused, **states)


def count_used(connection: sa.Connection, study_id: int) -> int:
    """How many places of its total a study has given out: all rows but the failed and the copies of others."""
    used = (trials.c.study_id == study_id, trials.c.state != TrialState.FAIL, ~is_copy)
    return int(connection.execute(sa.select(sa.func.count()).select_from(trials).where(*used)).scalar_one())
