"""A study: its definition, its rows, its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from ..config.dimension import put_on_step
from ..config.objective import OBJECTIVES, Objective
from ..config.study_config import StudyConfig
from .carried import Carried
from .contestants import Plan
from .facts import read_facts
from .files import StudyFiles
from .finished import Finished, OptunaStudy, Running
from .lease import NewTrial
from .objectives import leave_out_pruned
from .pruners import make_pruner
from .retry import Retry
from .samplers import make_sampler
from .search_space import count_configurations, find_point
from .sizes import Fitting
from .stopping_leases import StoppingLeases
from .storage import Storage


@dataclass(frozen=True, kw_only=True)
class Study:
    """One study: its definition, its rows (`leases`) and its random id (`uid`), which stamps its checkpoints."""

    storage: Storage
    name: str
    uid: str
    config: StudyConfig
    data: str  # fingerprint of the images
    classes: tuple[str, ...] | None  # in the order of the outputs; None for a study of 0.1.0 that was not searched since
    files: StudyFiles
    val_images: int | None  # of the validation part; None for a study that no later version searched yet
    leases: StoppingLeases = field(repr=False)
    _finished: Finished = field(repr=False)
    _carried: Carried | None = field(default=None, repr=False)
    earlier: tuple[FrozenTrial, ...] = field(default=(), repr=False)  # of another study, for the sampler alone
    _row_points: dict[int, tuple[tuple[str, Any], ...]] = field(default_factory=dict, repr=False)  # of COMPLETE rows, by their ids
    plan: Plan | None = field(default=None, repr=False)  # of a confirmation: its trials are these, and no others

    @property
    def objective(self) -> Objective:
        """What the values of its trials are, and which way is better."""
        return OBJECTIVES[self.config.objective]

    @property
    def retry(self) -> Retry:
        """What waits out an outage of the storage, for all of this study's reads and writes."""
        return self.leases.retry

    def checkpoint_path(self, number: int) -> Path:
        """Where a trial's checkpoint is: a name without an ending, for weights and JSON beside them."""
        return self.files.path(number)

    def count_classes(self) -> int:
        """How many classes its images have. Known of every study that this version searched."""
        assert self.classes is not None, self.name
        return len(self.classes)

    @cached_property
    def fitting(self) -> Fitting:
        """Which configurations are within the study's limits."""
        return Fitting(self.config, self.count_classes())

    def optuna_study(self, *, carried: bool = False, attempt: int = 0) -> OptunaStudy:
        """Optuna's study with our sampler and pruner, fresh, over the process's one cached storage.

        With `carried` it is what a sampler should see: trials that paused at their end, and before all those of an earlier study.
        `attempt` counts the draws of a trial before this one.
        """
        made = OptunaStudy(self.name, self.storage.optuna, make_sampler(self.config, attempt), make_pruner(self.config))
        made.running = self._running
        own = self._carried if carried and self._carried is not None else self._finished
        made.finished = (lambda: [*self.earlier, *own()]) if carried and self.earlier else own
        if carried and self.config.cost is not None:
            made.finished = lambda: leave_out_pruned(own())
        return made

    @cached_property
    def _running(self) -> Running:
        return Running(self.storage, self.leases.study_id)

    def finished_trials(self) -> list[FrozenTrial]:
        """The rows that no longer change, by number. Not copies: do not change them."""
        return self.retry(self._finished)

    def find_alike(self, params: Mapping[str, Any]) -> list[FrozenTrial]:
        """The COMPLETE trials for which the same was drawn, by number. A worker asks at every trial: a row's point is made once."""
        point = find_point(self.config, params)
        rows = [row for row in self.finished_trials() if row.state is TrialState.COMPLETE]
        for row in rows:
            if row._trial_id not in self._row_points:
                self._row_points[row._trial_id] = find_point(self.config, row.params)
        return [row for row in rows if self._row_points[row._trial_id] == point]

    def frozen_trials(self) -> list[FrozenTrial]:
        """All rows by number. Not copies: do not change them."""
        return self.retry(lambda: self.storage.optuna.get_all_trials(self.leases.study_id, deepcopy=False))

    def read_facts(self, rows: Sequence[FrozenTrial], *names: str) -> list[dict[str, Any]]:
        """What is long about these trials, in their order (`facts.py`)."""
        return self.retry(lambda: self._facts(rows, *names))

    def _facts(self, rows: Sequence[FrozenTrial], *names: str) -> list[dict[str, Any]]:
        return read_facts(self.storage, self.leases.study_id, rows, *names)

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
        if self.plan is not None:
            return self.plan.find_next(self.config.seed, [facts.get("set", {}) for facts in self._facts(self._live_rows(), "set")])
        total = self._count_configurations()
        if not self.config.start and self.config.drawn and total is None:
            return NewTrial()  # without reading all rows
        rows = self._live_rows()
        used = [facts["set"] for facts in self._facts(rows, "start", "set") if "start" in facts and "set" in facts]
        for index, row in enumerate(self.config.start):
            if dict(row) in used:
                used.remove(dict(row))  # known by what it says, wherever it stands; a row that stands twice runs twice
                continue
            params = {name: put_on_step(value, self.config.drawn[name]) for name, value in row.items() if name in self.config.drawn}
            return NewTrial(params=params, facts={"start": index, "set": dict(row)})
        if not self.config.drawn:
            bare = not self.config.start and not rows
            return NewTrial() if bare else None
        unfinished = [row for row in rows if not row.state.is_finished()]
        begun = sum("config" not in facts for facts in self._facts(unfinished, "config"))  # each will be a point of its own
        if total is not None and len(self._points(rows)) + begun >= total:
            return None
        return NewTrial()

    def _count_configurations(self) -> int | None:
        """How many configurations there are to try; None where there is no end of them, or nobody can count those within the limits."""
        total = count_configurations(self.config)
        if total is None or not self.config.limits.known_before or not self.config.drawn:
            return total
        fitting = self.fitting.count
        return total if fitting is None else fitting

    def tried_points(self, but: int) -> set[tuple[tuple[str, Any], ...]]:
        """The points of the space that have a row which is not FAIL, but for the trial of that number."""
        return self._points([row for row in self._live_rows() if row.number != but])

    def _live_rows(self) -> list[FrozenTrial]:
        rows = self.storage.optuna.get_all_trials(self.leases.study_id, deepcopy=False)
        return [row for row in rows if row.state is not TrialState.FAIL]

    def _points(self, rows: list[FrozenTrial]) -> set[tuple[tuple[str, Any], ...]]:
        """A start row that sets what the study fixes otherwise is no point of the space."""
        fixed = self.config.constants

        def is_free(changed: Mapping[str, Any]) -> bool:
            return all(fixed.get(name, value) == value for name, value in changed.items() if name not in self.config.drawn)

        free = [row for row, facts in zip(rows, self._facts(rows, "set"), strict=True) if is_free(facts.get("set", {}))]
        return {find_point(self.config, row.params) for row in free if row.params}
