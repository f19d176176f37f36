"""A study: its definition, its rows, its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..config.study_config import StudyConfig
from .files import StudyFiles
from .finished import Finished, OptunaStudy
from .lease import NewTrial
from .leases import Leases
from .pruners import make_pruner
from .retry import Retry
from .samplers import make_sampler
from .search_space import count_configurations
from .storage import Storage


@dataclass(frozen=True, kw_only=True)
class Study:
    """One study: its definition, its rows (`leases`) and its random id (`uid`), which stamps its checkpoints."""

    storage: Storage
    name: str
    uid: str
    config: StudyConfig
    data: str  # fingerprint of the images
    files: StudyFiles
    leases: Leases = field(repr=False)
    _finished: Finished = field(repr=False)

    @property
    def retry(self) -> Retry:
        """What waits out an outage of the storage, for all of this study's reads and writes."""
        return self.leases.retry

    def checkpoint_path(self, number: int) -> Path:
        """Where a trial's checkpoint is: a name without an ending, for weights and JSON beside them."""
        return self.files.path(number)

    def optuna_study(self) -> optuna.Study:
        """Optuna's study with our sampler and pruner, fresh, over the process's one cached storage."""
        made = OptunaStudy(self.name, self.storage.optuna, make_sampler(self.config), make_pruner(self.config))
        made.finished = self._finished
        return made

    def finished_trials(self) -> list[FrozenTrial]:
        """The rows that no longer change, by number. Not copies: do not change them."""
        return self.retry(self._finished)

    def frozen_trials(self) -> list[FrozenTrial]:
        """All rows by number. Not copies: do not change them."""
        return self.retry(lambda: self.storage.optuna.get_all_trials(self.leases.study_id, deepcopy=False))

    def find_decision(self, name: str) -> dict[str, Any] | None:
        """What was decided once for all trials of the study; None where nothing was yet."""
        return self.retry(lambda: self._read_decision(name))

    def decide(self, name: str, decision: dict[str, Any]) -> dict[str, Any]:
        """Decide it now, unless another worker already has. Returns what stands."""

        def write() -> dict[str, Any]:
            with self.storage.exclusive():
                found = self._read_decision(name)
                if found is None:
                    self.storage.optuna.set_study_user_attr(self.leases.study_id, name, decision)
                return found or decision

        return self.retry(write)

    def _read_decision(self, name: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.storage.optuna.get_study_user_attrs(self.leases.study_id).get(name)
        return found

    def new_trial(self) -> NewTrial | None:
        """What the next trial starts with: the first start row that no trial has yet, and after the last one nothing fixed.

        None where nothing is left to try: all start rows of a study that searches nothing are used, or every
        configuration of a finite space has a row.
        """
        total = count_configurations(self.config)
        if not self.config.start and self.config.space and total is None:
            return NewTrial(params={}, user_attrs={})  # without reading all rows
        rows = [t for t in self.storage.optuna.get_all_trials(self.leases.study_id, deepcopy=False) if t.state is not TrialState.FAIL]
        used = {t.user_attrs.get("start") for t in rows}
        for index, row in enumerate(self.config.start):
            if index not in used:
                params = {name: value for name, value in row.items() if name in self.config.space}
                return NewTrial(params=params, user_attrs={"start": index, "set": dict(row)})
        if not self.config.space:
            bare = not self.config.start and not rows
            return NewTrial(params={}, user_attrs={}) if bare else None
        if total is not None and len({tuple(sorted(t.params.items(), key=lambda p: p[0])) for t in rows if t.params}) >= total:
            return None
        return NewTrial(params={}, user_attrs={})
