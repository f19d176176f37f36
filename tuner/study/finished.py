"""The finished trials of a study, read again only when there are more of them."""

from __future__ import annotations

import copy
from collections.abc import Container

import optuna
import sqlalchemy as sa
from optuna.trial import FrozenTrial, TrialState

from .storage import Storage
from .tables import UNFINISHED, trials


class Finished:
    """The rows of one study that no longer change. Finished trials are only ever added, so a changed count says that there are more."""

    def __init__(self, storage: Storage, study_id: int) -> None:
        self._storage = storage
        self._study_id = study_id
        self._rows: list[FrozenTrial] = []
        self._from_id = 0  # rows before it are finished, and known
        self._counted = 0  # finished rows from it on, when they were last read

    def __call__(self) -> list[FrozenTrial]:
        """By number. Not copies: do not change them."""
        ours = (trials.c.study_id == self._study_id, trials.c.trial_id >= self._from_id, trials.c.state.not_in(UNFINISHED))
        with self._storage.connect() as connection:
            count = connection.execute(sa.select(sa.func.count()).where(*ours)).scalar_one()
        if count != self._counted:
            self._read()
        return self._rows

    def _read(self) -> None:
        rows = self._storage.optuna.get_all_trials(self._study_id, deepcopy=False)
        self._rows = [row for row in rows if row.state.is_finished()]
        last = max((row._trial_id for row in rows), default=0)
        self._from_id = min((row._trial_id for row in rows if not row.state.is_finished()), default=last + 1)
        self._counted = sum(row._trial_id >= self._from_id for row in self._rows)


class OptunaStudy(optuna.Study):
    """Optuna's study, which asks `finished` for finished trials.

    Optuna's own reads the rows of all running trials whenever a sampler or a pruner asks for the finished ones.
    """

    finished: Finished

    def _get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False) -> list[FrozenTrial]:
        if states is None or any(state in states for state in UNFINISHED):
            return super()._get_trials(deepcopy, states, use_cache)
        rows = [row for row in self.finished() if row.state in states]
        return copy.deepcopy(rows) if deepcopy else rows
