"""What the trials of a study with a budget took, and what is set aside for those in training; seconds of training and validation.

A row a trial, written with every epoch. Its figures are absolute, so that a write that is repeated changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from optuna.trial import TrialState

from .tables import costs, trials


@dataclass(frozen=True, kw_only=True)
class Cost:
    """`seconds` of the epochs that a trial has; expected are `epoch` for its next one and `whole` for all its epochs, None where
    nothing is known; `rest` is what is set aside while it is in training."""

    seconds: float = 0.0
    epoch: float | None = None
    whole: float | None = None
    rest: float = 0.0


def write_cost(connection: sa.Connection, study_id: int, trial_id: int, cost: Cost) -> None:
    """In place of what was there."""
    row = {"study_id": study_id, **asdict(cost)}
    if connection.execute(sa.update(costs).where(costs.c.trial_id == trial_id).values(**row)).rowcount == 0:
        connection.execute(sa.insert(costs).values(trial_id=trial_id, **row))


def read_spent(connection: sa.Connection, study_id: int) -> float:
    """Seconds of all trials together."""
    query = sa.select(sa.func.coalesce(sa.func.sum(costs.c.seconds), 0.0)).where(costs.c.study_id == study_id)
    return float(connection.execute(query).scalar_one())


def read_set_aside(connection: sa.Connection, study_id: int, *, but: int | None = None) -> float:
    """Seconds that trials in training are still to take, but for the trial of that id."""
    joined = costs.join(trials, trials.c.trial_id == costs.c.trial_id)
    ours = (costs.c.study_id == study_id, trials.c.state == TrialState.RUNNING, trials.c.trial_id != (-1 if but is None else but))
    query = sa.select(sa.func.coalesce(sa.func.sum(costs.c.rest), 0.0)).select_from(joined).where(*ours)
    return float(connection.execute(query).scalar_one())


def read_rests(connection: sa.Connection, study_id: int) -> Mapping[int, float]:
    """By the id of each trial, what it is still to take."""
    query = sa.select(costs.c.trial_id, costs.c.rest).where(costs.c.study_id == study_id)
    return {row.trial_id: float(row.rest) for row in connection.execute(query)}


def read_least(connection: sa.Connection, study_id: int) -> tuple[float, float]:
    """The least that an epoch, and that all epochs of one trial are expected to take; 0 where nothing is known."""
    query = sa.select(sa.func.min(costs.c.epoch), sa.func.min(costs.c.whole)).where(costs.c.study_id == study_id)
    epoch, whole = connection.execute(query).one()
    return float(epoch or 0.0), float(whole or 0.0)
