"""Claims of a study that a rule may end before it has all its trials: a budget, or that nothing is gained any more.

Everything is decided under the study's lock from its rows, so that all workers of all machines come to one answer. A search that
is flat begins no new trial, as though its total were reached; those that pause still race, and those in the queue go on. With a
budget nothing is begun that is not expected to be finished in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from ..config.objective import ACCURACY, Objective
from .cost_model import expect_epoch
from .costs import Cost, read_least, read_rests, read_set_aside, read_spent, write_cost
from .counts import count_used
from .facts import read_facts, read_seconds
from .flat import find_flat
from .lease import Lease, NewTrial, NothingToClaim
from .leases import Leases
from .retry import Retry
from .stopping import Rules, read_rules, write_rules
from .storage import Storage
from .tables import final_values, is_copy, stopping, trials
from .worker_id import WorkerId

OF_THE_MACHINE = ("seed", "threads", "micro_batches")  # configurations that differ in nothing else are one, trained again


class StoppingLeases(Leases):
    """The leases of a study, and its rules."""

    def __init__(self, storage: Storage, study_id: int, retry: Retry | None = None, objective: Objective = ACCURACY) -> None:
        super().__init__(storage, study_id, retry)
        self.objective = objective
        self._rules = Rules()  # as they stood when the lock was taken last
        self._n_trials = 0
        self._refused = False  # whether a trial was refused since then, for want of budget
        self._configs: dict[int, str] = {}  # of COMPLETE trials, by id

    @contextmanager
    def _locked(self) -> Iterator[tuple[sa.Connection, int]]:
        with super()._locked() as (connection, n_trials):
            self._rules = read_rules(connection, self.study_id) if self.storage.has(stopping) else Rules()
            self._n_trials, self._refused = n_trials, False
            yield connection, self._rules.limit(n_trials)

    # -- rules

    def read_rules(self) -> Rules:
        """As they stand now."""

        def read() -> Rules:
            if not self.storage.has(stopping):
                return Rules()
            with self.storage.connect() as connection:
                return read_rules(connection, self.study_id)

        return self.retry(read)

    def set_rules(self, *, budget: float | None = None, patience: int | None = None, images: int | None = None) -> None:
        """Change those that are given; an infinite budget and a patience of 0 lift theirs. `images` are those of the validation part.

        A budget counts what the study has spent already.
        """
        if budget is None and patience is None:
            return

        def attempt() -> None:
            with self._locked() as (connection, _):
                rules = replace(self._rules, images=self._rules.images if images is None else images)
                if budget is not None:
                    rules = replace(rules, budget=None if budget == float("inf") else budget)
                if patience is not None:
                    rules = replace(rules, patience=patience or None)
                if rules.budget is not None:
                    self._count_costs(connection)
                write_rules(connection, self.study_id, rules)

        self.retry(attempt)

    def _count_costs(self, connection: sa.Connection) -> None:
        """Write down what every trial took: some may have been trained while the study had no budget."""
        every = self.storage.optuna.get_all_trials(self.study_id, deepcopy=False)
        rows = [row for row in every if row.intermediate_values]
        for row, facts in zip(rows, read_facts(self.storage, self.study_id, rows, "config", "curve", "run"), strict=True):
            seconds, epochs = read_seconds(facts), int(facts.get("config", {}).get("epochs", 0))
            epoch = expect_epoch(seconds)
            cost = Cost(seconds=sum(seconds), epoch=epoch)
            if epoch is not None and epochs:
                rest = 0.0 if row.state.is_finished() else epoch * self.count_ahead(row.number, len(seconds), epochs)
                cost = replace(cost, whole=epoch * epochs, rest=rest)
            write_cost(connection, self.study_id, row._trial_id, cost)

    def count_ahead(self, number: int, trained: int, epochs: int) -> int:
        """How many epochs a trial is to be trained for, of `epochs` in all, before it is asked whether it goes on."""
        del number
        return max(0, epochs - trained)

    # -- claims

    def claim(self, worker_id: WorkerId, new: Callable[[], NewTrial | None]) -> Lease | NothingToClaim:
        """As of any study. Where nothing is begun any more for want of budget, and nobody trains, that is written down."""
        found, budget = super().claim(worker_id, new), self._rules.budget
        if isinstance(found, NothingToClaim) and found.refused and not found.held and budget is not None:
            self.retry(lambda: self._end_by_budget(budget))
        return found

    def _end_by_budget(self, budget: float) -> None:
        """Unless somebody gave another one meanwhile."""
        with self._locked() as (connection, _):
            if self._rules.budget == budget:
                figures = {"budget": budget, "spent": read_spent(connection, self.study_id)}
                write_rules(connection, self.study_id, replace(self._rules, spent=figures))

    def _unfinished(self, connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Any]:
        """Without those in the queue that cannot be finished in the budget."""
        rows = super()._unfinished(connection, *where)
        if self._rules.budget is None or not any(row.state is TrialState.WAITING for row in rows):
            return rows
        left, rests = self._read_left(connection), read_rests(connection, self.study_id)
        kept = [row for row in rows if row.state is not TrialState.WAITING or 0 < left >= rests.get(row.trial_id, 0.0)]
        self._refused = self._refused or len(kept) < len(rows)
        return kept

    def _find_more(
        self, connection: sa.Connection, n_trials: int, held: int, worker_id: WorkerId, new: Callable[[], NewTrial | None]
    ) -> Lease | NothingToClaim:
        if count_used(connection, self.study_id) < n_trials:
            if self._refused or not self._affords(connection, self._read_least(connection)):
                return NothingToClaim(held=held, refused=True)
            if self._is_flat(connection):
                return NothingToClaim(held=held, full=True)
        found = super()._find_more(connection, n_trials, held, worker_id, new)
        return replace(found, refused=self._refused) if isinstance(found, NothingToClaim) else found

    # -- the budget

    def _read_left(self, connection: sa.Connection, *, but: int | None = None) -> float:
        """Seconds of the budget that are neither spent nor set aside, but for the trial of that id; without end where there is none."""
        if self._rules.budget is None:
            return float("inf")
        return self._rules.budget - read_spent(connection, self.study_id) - read_set_aside(connection, self.study_id, but=but)

    def _affords(self, connection: sa.Connection, seconds: float) -> bool:
        """Whether so much more fits the budget. Where it does not, that is remembered of this claim."""
        fits = (left := self._read_left(connection)) > 0 and seconds <= left
        self._refused = self._refused or not fits
        return fits

    def _read_least(self, connection: sa.Connection) -> float:
        """The least that a new trial may take, of which nothing is drawn yet."""
        return 0.0 if self._rules.budget is None else read_least(connection, self.study_id)[1]

    # -- whether anything is gained

    def _is_flat(self, connection: sa.Connection) -> bool:
        """Whether the newest trials brought nothing. Where they did not, that is written down and holds for all."""
        rules = self._rules
        if rules.patience is None:
            return False
        known = self._read_turns(connection)
        values = [known[number] for number in sorted(known)]
        passed = rules.count_passed(self._n_trials)
        aim, repeated = self.objective, self._read_repeated(connection)
        images = rules.images if aim.counted else None  # of another objective there is no binomial error
        flat = find_flat(values, rules.patience, images=images, repeated=repeated, passed=passed, minimized=aim.minimized)
        if flat is None:
            return False
        counted = {"counted": len(values), "begun": count_used(connection, self.study_id), "n_trials": self._n_trials}
        figures = {"patience": rules.patience, "images": images, **counted, **asdict(flat)}
        self._rules = replace(rules, flat=figures)
        write_rules(connection, self.study_id, self._rules)
        return True

    def _read_turns(self, connection: sa.Connection) -> dict[int, float | None]:
        """By number, of the trials that had their turn, as `flat.find_flat` takes them."""
        rows = self._read_values(connection, TrialState.COMPLETE, TrialState.PRUNED)
        return {row.number: row.value if row.state is TrialState.COMPLETE else None for row in rows}

    def _read_values(self, connection: sa.Connection, *states: TrialState) -> list[Any]:
        first = sa.and_(final_values.c.trial_id == trials.c.trial_id, final_values.c.objective == 0)
        joined = trials.outerjoin(final_values, first)
        query = sa.select(trials.c.trial_id, trials.c.number, trials.c.state, final_values.c.value).select_from(joined)
        return list(connection.execute(query.where(trials.c.study_id == self.study_id, trials.c.state.in_(states), ~is_copy)))

    def _read_repeated(self, connection: sa.Connection) -> list[list[float]]:
        """The values of each configuration that was trained to its end more than once."""
        values = {row.trial_id: row.value for row in self._read_values(connection, TrialState.COMPLETE) if row.value is not None}
        new = [self.storage.optuna.get_trial(trial_id) for trial_id in values if trial_id not in self._configs]
        for row, facts in zip(new, read_facts(self.storage, self.study_id, new, "config"), strict=True):
            config = {name: value for name, value in facts.get("config", {"trial": row.number}).items() if name not in OF_THE_MACHINE}
            self._configs[row._trial_id] = json.dumps(config, sort_keys=True)
        groups: dict[str, list[float]] = {}
        for trial_id, value in values.items():
            groups.setdefault(self._configs[trial_id], []).append(float(value))
        return [values for values in groups.values() if len(values) > 1]
