"""The finished trials of a study, and the parameters of those that run: each row is read once, as it no longer changes."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Container

import optuna
import sqlalchemy as sa
from optuna.trial import FrozenTrial, TrialState

from .frozen import read_trials
from .storage import Storage
from .tables import UNFINISHED, trials


class Finished:
    """The rows of one study that no longer change. Finished trials are only ever added, so a changed count says that there are more."""

    def __init__(self, storage: Storage, study_id: int) -> None:
        self._storage = storage
        self._study_id = study_id
        self._rows: list[FrozenTrial] = []
        self._known: set[int] = set()  # their ids

    def __call__(self) -> list[FrozenTrial]:
        """By number. Not copies: do not change them."""
        ours = (trials.c.study_id == self._study_id, trials.c.state.not_in(UNFINISHED))
        with self._storage.connect() as connection:
            count = connection.execute(sa.select(sa.func.count()).where(*ours)).scalar_one()
            if count != len(self._known):
                new = set(connection.execute(sa.select(trials.c.trial_id).where(*ours)).scalars()) - self._known
                found = [row for row in read_trials(connection, new) if row.state.is_finished()]
                self._known |= {row._trial_id for row in found}
                self._rows = sorted([*self._rows, *found], key=lambda row: row.number)
        return self._rows


class Running:
    """The trials of one study that run, with the parameters that were drawn for them; what they reported since is not seen.

    A sampler keeps away from what others train, so it asks at every draw: with a thousand workers for a thousand rows.
    """

    def __init__(self, storage: Storage, study_id: int) -> None:
        self._storage = storage
        self._study_id = study_id
        self._drawn: dict[int, FrozenTrial] = {}  # by id

    def __call__(self) -> list[FrozenTrial]:
        """In the order of their ids. Not copies: do not change them."""
        ours = (trials.c.study_id == self._study_id, trials.c.state == TrialState.RUNNING)
        with self._storage.connect() as connection:
            ids = list(connection.execute(sa.select(trials.c.trial_id).where(*ours).order_by(trials.c.trial_id)).scalars())
            self._drawn = {each: self._drawn[each] for each in ids if each in self._drawn}
            new = [each for each in ids if each not in self._drawn]
            rows = {row._trial_id: row for row in read_trials(connection, new) if row.state is TrialState.RUNNING}
        self._drawn |= {each: rows[each] for each in new if each in rows and rows[each].params}
        return [self._drawn.get(each) or rows[each] for each in ids if each in self._drawn or each in rows]


class OptunaStudy(optuna.Study):
    """Optuna's study, which asks `finished` for finished trials, and `running` for those that run.

    Optuna's own reads the rows of all running trials whenever a sampler or a pruner asks for the finished ones. Rows that
    `finished` shows although they are not stand in no other list.
    """

    finished: Callable[[], list[FrozenTrial]]
    running: Callable[[], list[FrozenTrial]]

    def read_once(self) -> OptunaStudy:
        """The same study, which asks for its trials at the first question only."""
        made = copy.copy(self)
        made.finished, made.running = functools.cache(self.finished), functools.cache(self.running)
        return made

    def _get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False) -> list[FrozenTrial]:
        unfinished: list[FrozenTrial] = []
        if states is not None and TrialState.RUNNING in states and TrialState.WAITING not in states:
            unfinished = self.running()
        elif states is None or TrialState.WAITING in states:
            unfinished = super()._get_trials(False, UNFINISHED, use_cache)  # first: a trial may end meanwhile
        rows = self.finished()
        if unfinished:
            numbers = {row.number for row in rows}
            rows = sorted([*rows, *(row for row in unfinished if row.number not in numbers)], key=lambda row: row.number)
        rows = [row for row in rows if states is None or row.state in states]
        return copy.deepcopy(rows) if deepcopy else rows
