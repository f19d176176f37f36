"""A comparison's rows: one trial a network in an Optuna study, found, claimed, resumed and ended.

A trial's parameter is the model, its value the top-1 accuracy. It waits (WAITING) from the moment a comparison names
it, runs while a process has it, and keeps what was counted so far (`progress`), so that whoever comes next goes on.
What only code reads of it is among its facts, and of rows that version 0.1.0 stored among their attributes.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import sqlalchemy as sa
from optuna.distributions import CategoricalDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ..config.study_files import check_name
from ..errors import TunerError, UsageError, nearest
from ..study import tables
from ..study.facts import COMPARED, read_facts, write_facts
from ..study.retry import Retry
from ..study.storage import Storage
from ..study.worker_id import WorkerId

MARK = "comparison"  # the study attribute that says what a study is
SILENT_SECONDS = 300.0  # a process on another machine that was not heard of for so long is gone
Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The comparison `name`. `choices` are the models that its parameter can take."""

    storage: Storage
    name: str
    study_id: int
    choices: tuple[str, ...]
    retry: Retry

    def trials(self) -> list[FrozenTrial]:
        """All rows by number, their facts among their attributes."""
        return self.retry(self._trials)

    def _trials(self) -> list[FrozenTrial]:
        found = self.storage.optuna.get_all_trials(self.study_id, deepcopy=False)
        return [_join(row, facts) for row, facts in zip(found, read_facts(self.storage, self.study_id, found, *COMPARED), strict=True)]

    def _trial(self, trial_id: int) -> FrozenTrial:
        return next(row for row in self._trials() if row._trial_id == trial_id)

    def facts(self) -> Mapping[str, Any]:
        """What is compared: `data`, `images`, `classes`, `choices`."""
        found: Mapping[str, Any] = self.storage.optuna.get_study_user_attrs(self.study_id)[MARK]
        return found

    def finished(self, model: str, stamp: Mapping[str, Any]) -> FrozenTrial | None:
        """The newest COMPLETE trial of this model with these weights on these images."""
        return self._newest(model, stamp, (TrialState.COMPLETE,))

    def take(self, model: str, choice: str, stamp: Mapping[str, Any]) -> FrozenTrial:
        """A trial to run: one that was interrupted, or else a new one. Errors: TunerError where another process has it."""
        row = self._newest(model, stamp, (TrialState.WAITING, TrialState.RUNNING)) or self._new(model, choice, stamp)
        holder, seen = row.user_attrs.get("owner"), float(row.user_attrs.get("seen", 0))
        if row.state is TrialState.RUNNING and holder and not self._gone(holder, seen):
            raise TunerError(
                f"model {model!r} of study {self.name!r} is being compared by another process ({WorkerId.parse(holder).host}, "
                f"pid {WorkerId.parse(holder).pid}): wait for it, or give another --study"
            )

        def claim() -> bool:
            ours = row.state is TrialState.RUNNING or self.storage.optuna.set_trial_state_values(row._trial_id, TrialState.RUNNING)
            if ours:
                self._set(row, owner=str(WorkerId.here()), seen=self._read_clock())
            return ours

        if not self.retry(claim):
            raise TunerError(f"model {model!r} of study {self.name!r} was just taken by another process: wait for it")
        return self.retry(lambda: self._trial(row._trial_id))

    def keep(self, row: FrozenTrial, progress: Mapping[str, Any]) -> None:
        """Write down what was counted so far."""
        self.retry(lambda: self._set(row, progress=dict(progress), seen=self._read_clock()))

    def give_back(self, row: FrozenTrial) -> None:
        """An interrupted trial waits for the next call."""
        self.retry(lambda: self.storage.optuna.set_trial_state_values(row._trial_id, TrialState.WAITING))

    def complete(self, row: FrozenTrial, value: float, facts: Mapping[str, Any]) -> None:
        self._end(row, TrialState.COMPLETE, [value], facts)

    def fail(self, row: FrozenTrial, reason: str) -> None:
        self._end(row, TrialState.FAIL, None, {"reason": reason})

    def _end(self, row: FrozenTrial, state: TrialState, values: Sequence[float] | None, facts: Mapping[str, Any]) -> None:
        def end() -> None:
            if self.storage.optuna.get_trial(row._trial_id).state.is_finished():
                return  # an earlier attempt committed, and the acknowledgement was lost
            with self.storage.transaction():
                self._set(row, progress=None, owner=None, **facts)
                self.storage.optuna.set_trial_state_values(row._trial_id, state, values)

        self.retry(end)

    def _set(self, row: FrozenTrial, **attributes: Any) -> None:
        with self.storage.transaction():
            write_facts(self.storage, self.study_id, row._trial_id, **{k: v for k, v in attributes.items() if k in COMPARED})
            for name, value in attributes.items():
                if name not in COMPARED:
                    self.storage.optuna.set_trial_user_attr(row._trial_id, name, value)

    def _newest(self, model: str, stamp: Mapping[str, Any], states: Sequence[TrialState]) -> FrozenTrial | None:
        fitting = (t for t in self.trials() if t.state in states and t.user_attrs.get("model") == model)
        return next((t for t in reversed(list(fitting)) if t.user_attrs.get("stamp") == dict(stamp)), None)

    def _new(self, model: str, choice: str, stamp: Mapping[str, Any]) -> FrozenTrial:
        if choice not in self.choices:
            raise TunerError(
                f"study {self.name!r} was made by another version or torchvision, without model {choice!r}: give another name with --study"
            )
        template = optuna.trial.create_trial(
            state=TrialState.WAITING,
            params={"model": choice},
            distributions={"model": CategoricalDistribution(self.choices)},
            user_attrs={"model": model},
        )
        before = {t.number for t in self.trials()}

        def make() -> FrozenTrial:
            # An earlier attempt may have committed although its acknowledgement was lost: then the row is there.
            made = (t for t in self._trials() if t.number not in before)
            ours = next((t for t in made if t.user_attrs.get("stamp") == dict(stamp) and t.user_attrs.get("model") == model), None)
            if ours is not None:
                return ours
            with self.storage.transaction():
                trial_id = self.storage.optuna.create_new_trial(self.study_id, template_trial=template)
                write_facts(self.storage, self.study_id, trial_id, stamp=dict(stamp))
            return self._trial(trial_id)

        return self.retry(make)

    def _gone(self, holder: str, seen: float) -> bool:
        who = WorkerId.parse(holder)
        if who.is_dead() or who == WorkerId.here():
            return True
        return who.machine != WorkerId.here().machine and self.retry(self._read_clock) - seen > SILENT_SECONDS

    def _read_clock(self) -> float:
        """The database's, in seconds: the clocks of machines differ."""
        with self.storage.connect() as connection:
            return float(connection.execute(sa.select(self.storage.now)).scalar_one())


def _join(row: FrozenTrial, facts: Mapping[str, Any]) -> FrozenTrial:
    joined = copy.copy(row)
    joined.user_attrs = {**row.user_attrs, **facts}
    return joined


def create_or_load(storage: Storage, name: str, choices: Sequence[str], facts: Mapping[str, Any]) -> Rows:
    """The comparison of that name, made where it is missing. `facts` say what is compared.

    Errors: TunerError where another kind of study has the name, UsageError for what cannot be one.
    """
    check_name(name)
    with storage.exclusive():
        storage.make_tables()
        if name not in {s.study_name for s in storage.optuna.get_all_studies()}:
            with storage.transaction():
                study = optuna.create_study(storage=storage.optuna, study_name=name, direction="maximize")
                study.set_metric_names(["top-1 accuracy"])
                study.set_user_attr(MARK, {**facts, "choices": list(choices)})
                # A study that another tool deleted leaves our rows behind, and SQLite gives its number out again.
                _delete_facts(storage, study._study_id)
    rows = load(storage, name)
    if storage.optuna.get_study_directions(rows.study_id) != [StudyDirection.MAXIMIZE]:
        raise TunerError(f"study {name!r} does not maximize: give another name with --study")
    return rows


def load(storage: Storage, name: str) -> Rows:
    """A comparison that is there. Errors: UsageError for another kind of study or an unknown name."""
    studies = {s.study_name: s for s in storage.optuna.get_all_studies()}
    if name not in studies:
        known = list_comparisons(storage)
        raise UsageError(
            f"no comparison {name!r} in {str(storage)!r}: {nearest(name, known) if known else 'make one with `tuner compare`'}"
        )
    mark = studies[name].user_attrs.get(MARK)
    if mark is None:
        raise UsageError(f"study {name!r} in {str(storage)!r} is no comparison: give another name with --study")
    return Rows(storage=storage, name=name, study_id=studies[name]._study_id, choices=tuple(mark["choices"]), retry=Retry(storage))


def list_comparisons(storage: Storage) -> list[str]:
    """The comparisons in the storage."""
    return [s.study_name for s in storage.optuna.get_all_studies() if MARK in s.user_attrs]


def delete(storage: Storage, rows: Rows) -> None:
    """Delete the comparison with all its rows."""
    with storage.exclusive(), storage.transaction():
        storage.optuna.delete_study(rows.study_id)
        if storage.has(tables.facts):
            _delete_facts(storage, rows.study_id)


def _delete_facts(storage: Storage, study_id: int) -> None:
    with storage.transaction() as connection:
        connection.execute(sa.delete(tables.facts).where(tables.facts.c.study_id == study_id))


def pack(bits: Bits) -> str:
    """Any array of truth values as text."""
    return base64.b64encode(np.packbits(bits).tobytes()).decode("ascii")


def unpack(text: str, shape: tuple[int, ...]) -> Bits:
    """The reverse of `pack`."""
    raw = np.frombuffer(base64.b64decode(text), dtype=np.uint8)
    return np.unpackbits(raw, count=int(np.prod(shape))).astype(np.bool_).reshape(shape)
