"""What the rule that pauses and promotes reads of a study: each row once, and again only when it changed."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from ..config.objective import ACCURACY, Objective
from .promotion import SMALLEST_ERROR, Curves, to_curve
from .tables import UNFINISHED, facts, is_copy, pauses, studies, trials, values


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A trial up to where it was decided on. With `paused` it waits there, on the machine `host`; `taken` says why it went on last."""

    trial_id: int
    number: int
    epoch: int
    paused: bool
    host: str
    taken: str | None
    slots: int | None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a trial stands among all that were trained to its epoch, by their best error so far; the best has rank 1."""

    epoch: int
    rank: int
    of: int

    def __str__(self) -> str:
        ending = {1: "st", 2: "nd", 3: "rd"}.get(self.rank % 10 if self.rank % 100 not in (11, 12, 13) else 0, "th")
        return f"at epoch {self.epoch}: {self.rank}{ending} of {self.of}"


class Standing:
    """The curves of a study's trials up to their last decision, by number, as `promotion.py` takes them.

    The same rows give the same answer in any process: what running trials report between two decisions does not count.
    """

    def __init__(self, study_id: int, epochs: int, objective: Objective = ACCURACY, cost: str | None = None) -> None:
        self.study_id = study_id
        self.epochs = epochs  # of the longest trial
        self.objective = objective
        self._cost = cost  # the study's second objective
        self.costs: dict[int, float] = {}  # by number, of all that were decided on or ended; empty without a second objective
        self.best: dict[int, list[float]] = {}
        self.final: dict[int, float] = {}
        self.decided: dict[int, Decided] = {}
        self._paused: dict[int, int] = {}  # of those decided
        self.version = 0  # rises when anything changed
        self._turn = -1  # the study's when rows were last read
        self._ended: set[int] = set()

    def read(self, connection: sa.Connection) -> None:
        """Take in what changed. Call it under the study's lock, before anything is written."""
        turn = connection.execute(sa.select(studies.c.turn).where(studies.c.study_id == self.study_id)).scalar_one()
        if self._turn >= 0:
            self._take_in(connection, self._rows(connection, pauses.c.study_id == self.study_id, pauses.c.turn >= self._turn))
        ended = (trials.c.study_id == self.study_id, trials.c.state.not_in(UNFINISHED))
        if self._turn < 0 or connection.execute(sa.select(sa.func.count()).where(*ended)).scalar_one() != len(self._ended):
            # The first time, and where a trial was ended by another tool or another pruner.
            self.best, self.final, self.decided, self._paused, self._ended = {}, {}, {}, {}, set()
            known = sa.or_(trials.c.state.not_in(UNFINISHED), pauses.c.trial_id.is_not(None))
            self._take_in(connection, self._rows(connection, trials.c.study_id == self.study_id, known))
        self._turn = turn

    def _rows(self, connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Any]:
        joined = trials.outerjoin(pauses, pauses.c.trial_id == trials.c.trial_id)
        columns = (trials.c.trial_id, trials.c.number, trials.c.state, is_copy.label("copy"), pauses.c.epoch, pauses.c.paused)
        query = sa.select(*columns, pauses.c.host, pauses.c.taken, pauses.c.slots).select_from(joined)
        return list(connection.execute(query.where(*where).order_by(trials.c.number)))

    def _take_in(self, connection: sa.Connection, rows: list[Any]) -> None:
        curves = self._read_curves(connection, [row.trial_id for row in rows])
        costs = self.read_costs(connection, [row.trial_id for row in rows])
        self.version += bool(rows)
        for row in rows:
            number, ended = row.number, row.state not in UNFINISHED
            for known in (self.best, self.final, self.decided, self._paused):
                known.pop(number, None)
            if ended:
                self._ended.add(row.trial_id)
            if row.state is TrialState.FAIL or row.copy:
                continue
            if self._cost is not None:
                if row.trial_id not in costs:
                    continue  # of another tool, which told no cost: it cannot be compared
                self.costs[number] = costs[row.trial_id]
            errors = curves.get(row.trial_id, [])
            errors = errors if ended else errors[: row.epoch]
            if errors:
                self.best[number] = to_curve(errors)
            if row.state is TrialState.COMPLETE and len(errors) >= self.epochs:
                self.final[number] = math.log(max(errors[self.epochs - 1], SMALLEST_ERROR))
            if row.epoch is not None:
                if row.paused and row.state is TrialState.WAITING:
                    self._paused[number] = row.epoch
                self.decided[number] = Decided(
                    trial_id=row.trial_id,
                    number=number,
                    epoch=row.epoch,
                    paused=row.paused and row.state is TrialState.WAITING,
                    host=row.host,
                    taken=row.taken,
                    slots=row.slots,
                )

    def _read_curves(self, connection: sa.Connection, trial_ids: list[int]) -> dict[int, list[float]]:
        """Errors of the epochs 1, 2, ... by trial, up to the first that is missing."""
        query = sa.select(values.c.trial_id, values.c.step, values.c.intermediate_value).order_by(values.c.trial_id, values.c.step)
        if len(trial_ids) > 500:
            joined = values.join(trials, trials.c.trial_id == values.c.trial_id)
            query = query.select_from(joined).where(trials.c.study_id == self.study_id)
        else:
            query = query.where(values.c.trial_id.in_(trial_ids))
        curves: dict[int, list[float]] = {}
        for trial_id, step, value in connection.execute(query):
            curve = curves.setdefault(trial_id, [])
            if step == len(curve) + 1 and value is not None:
                curve.append(self.objective.to_error(value))
        return curves

    def read_costs(self, connection: sa.Connection, trial_ids: list[int]) -> dict[int, float]:
        """The second objective by trial; nothing where the study has none."""
        if self._cost is None:
            return {}
        query = sa.select(facts.c.trial_id, facts.c.value_json).where(facts.c.study_id == self.study_id, facts.c.name == "cost")
        if len(trial_ids) <= 500:
            query = query.where(facts.c.trial_id.in_(trial_ids))
        found = {trial_id: json.loads(text) for trial_id, text in connection.execute(query)}
        return {trial_id: float(cost[self._cost]) for trial_id, cost in found.items() if self._cost in cost}

    def read_cost(self, connection: sa.Connection, trial_id: int) -> float:
        """That of one trial of a study that has one."""
        return self.read_costs(connection, [trial_id])[trial_id]

    def place(self, numbers: Iterable[int], epochs: Iterable[int]) -> dict[int, int]:
        """The last of these epochs that each of the trials has; those that have none are left out."""
        places = sorted(epochs)
        found = {number: max((epoch for epoch in places if epoch <= len(self.best.get(number, []))), default=0) for number in numbers}
        return {number: epoch for number, epoch in found.items() if epoch}

    def read_curve(self, connection: sa.Connection, trial_id: int) -> list[float]:
        """The curve of one trial as it stands now."""
        return to_curve(self._read_curves(connection, [trial_id]).get(trial_id, []))

    def is_racing(self, slots: int, reasons: Collection[str]) -> bool:
        """Whether the race to the end has begun in a study of so many trials: one was taken up for these reasons."""
        return any(row.slots == slots and row.taken in reasons for row in self.decided.values())

    def list_taken(self, reason: str) -> set[int]:
        """The trials that went on last for this reason."""
        return {number for number, row in self.decided.items() if row.taken == reason}

    def split_final(self, reason: str) -> tuple[dict[int, float], dict[int, float]]:
        """The ends of the trials but for those that went on last for this reason, and the ends of these."""
        taken = self.list_taken(reason)
        others = {number: end for number, end in self.final.items() if number not in taken}
        return others, {number: end for number, end in self.final.items() if number in taken}

    def find_place(self, best: Curves, number: int) -> Place:
        """Where a trial stands at the end of its curve; equals stand as they began."""
        epoch = len(best[number])
        mine = (best[number][-1], number)
        reached = [(curve[epoch - 1], other) for other, curve in best.items() if len(curve) >= epoch]
        return Place(epoch=epoch, rank=1 + sum(other < mine for other in reached), of=len(reached))

    def paused(self, epochs: Iterable[int]) -> dict[int, int]:
        """The paused trials, each with the last of these epochs that it has; 0 where it has none of them."""
        places = sorted(epochs)
        last = {epoch: max((place for place in places if place <= epoch), default=0) for epoch in set(self._paused.values())}
        return {number: last[epoch] for number, epoch in self._paused.items()}
