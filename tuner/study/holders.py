"""Which workers hold the trials of a study, and which of these trials may have been left behind.

A thousand workers hold a thousand trials, and each claim is decided under the study's lock. So the database counts what the
living hold, each worker is looked for once, and only the rows that may be taken up are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from .contact import tolerated_step
from .lease import read_lease_seconds
from .storage import Storage
from .tables import UNFINISHED, leases, trials
from .worker_id import WorkerId

_joined = trials.outerjoin(leases, leases.c.trial_id == trials.c.trial_id)


def count_held(connection: sa.Connection, study_id: int) -> dict[str, int]:
    """How many trials each worker holds, by its id."""
    held = (trials.c.study_id == study_id, trials.c.state == TrialState.RUNNING, leases.c.owner.is_not(None))
    query = sa.select(leases.c.owner, sa.func.count().label("trials")).select_from(_joined).where(*held).group_by(leases.c.owner)
    return {row.owner: row.trials for row in connection.execute(query)}


def find_dead(owners: Iterable[str]) -> set[str]:
    """Those that are known to have ended: processes of this machine."""
    return {owner for owner in owners if WorkerId.parse(owner).is_dead()}


def left_behind(storage: Storage, dead: set[str]) -> sa.ColumnElement[bool]:
    """Of the rows of `read_unfinished`: waits, or its worker is among the dead or was not heard of for a lease's time."""
    return sa.or_(trials.c.state == TrialState.WAITING, leases.c.owner.in_(dead), ~_lives(storage))


def read_unfinished(connection: sa.Connection, storage: Storage, study_id: int, *where: sa.ColumnElement[bool]) -> list[Any]:
    """The trials in the queue and those that run, by number; `expired` where the worker was not heard of for a lease's time."""
    columns = (trials.c.trial_id, trials.c.number, trials.c.state, leases.c.owner, leases.c.deaths, (~_lives(storage)).label("expired"))
    mine = (trials.c.study_id == study_id, trials.c.state.in_(UNFINISHED))
    return list(connection.execute(sa.select(*columns).select_from(_joined).where(*mine, *where).order_by(trials.c.number)))


def _lives(storage: Storage) -> sa.ColumnElement[bool]:
    # A heartbeat of the future is from before the clock was set back: who lives sends another.
    return leases.c.beat.between(storage.now - read_lease_seconds(), storage.now + tolerated_step())
