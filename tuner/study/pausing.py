"""Claims of a study whose pruner is `promote`: trials pause, and go on when the rule says so.

A worker takes up, in this order: a trial that was left behind, a paused one that its rung lets go on, a new one, and, when
no new one may start, the paused one that is worth most in the race to the end (see `promotion.py`). When none is worth
anything any more and nobody trains, all that are paused are ended. Everything is decided under the study's lock from its
rows alone, so that any worker, after any interruption, comes to the same answer.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from ..config.objective import ACCURACY, Objective
from .audit import find_audited
from .cost_model import expect_epoch
from .costs import read_least
from .facts import read_facts, read_seconds, write_run
from .files import StudyFiles
from .lease import Lease, LeaseLost, NewTrial, NothingToClaim
from .outcome import Outcome
from .promotion import Costs, Curves, Promotion, estimate_chances, find_hopeless, find_promoted, find_raced, predict_errors
from .retry import Retry
from .standing import Standing
from .stopping_leases import StoppingLeases
from .storage import Storage
from .tables import leases, pauses, studies, trials
from .worker_id import WorkerId

PROMOTION, RACE, AUDIT, TIME = "promotion", "race", "audit", "time"  # why a paused trial goes on; part of the stored format
BUDGET = "budget"  # why there is no time, beside TIME
SPARE = 1.2  # how much longer than measured an epoch may take, where the time for the best is reckoned


class PausingLeases(StoppingLeases):
    """The leases of a study whose trials pause."""

    def __init__(
        self,
        storage: Storage,
        study_id: int,
        rule: Promotion,
        files: StudyFiles,
        seed: int,
        retry: Retry | None = None,
        objective: Objective = ACCURACY,
        *,
        cost: str | None = None,
    ) -> None:
        super().__init__(storage, study_id, retry, objective)
        self.rule = rule
        self.deadline: float | None = None  # by this machine's clock; in time before it the best are trained to their end
        self._files = files
        self._seed = seed
        self._cost = cost  # the study's second objective
        self._standing = Standing(study_id, rule.epochs, objective, cost)

    def count_images(self, images: int) -> None:
        """Say of how many validation images the errors are fractions. They are no such thing where the objective is not counted."""
        if self._standing.objective.counted:
            self.rule = replace(self.rule, val_images=images)

    def read_standing(self) -> Standing:
        """How the study stands now, as it is committed. Do not change it."""
        with self.storage.connect() as connection:
            self._standing.read(connection)
        return self._standing

    # -- claims

    def _find_more(
        self, connection: sa.Connection, n_trials: int, held: int, worker_id: WorkerId, new: Callable[[], NewTrial | None]
    ) -> Lease | NothingToClaim:
        standing = self._standing
        standing.read(connection)
        racing = standing.is_racing(n_trials, (RACE, AUDIT))

        def take(why: str, *, far: bool) -> Lease | None:
            paused = standing.paused(self.rule.rungs if why == PROMOTION else self.rule.levels)
            while (number := self._find(why, standing.best, paused, self._costs)) is not None:
                if (far or not self._is_far(number)) and self._affords(connection, self._count_seconds(why, number, paused[number])):
                    return self._take_up(connection, number, why, n_trials, worker_id)
                del paused[number]
            return None

        if late := self._find_late(connection, standing.best, standing.paused(self.rule.levels), self._costs):
            if lease := take(TIME, far=False):
                return lease
            if late == BUDGET:  # what is left of it is for the best, which may be in training
                return NothingToClaim(held=held, refused=True)
        if not racing and (lease := take(PROMOTION, far=False)):
            return lease
        found = super()._find_more(connection, n_trials, held, worker_id, new)
        if isinstance(found, Lease):
            return found
        if not racing and (lease := take(PROMOTION, far=True)):
            return lease
        n_trials = self._rules.limit(n_trials)  # which is less where the study was just found to be flat
        lease = take(RACE, far=False) or (None if held else take(RACE, far=True)) or take(AUDIT, far=not held)
        if lease is None and self._refused:
            return replace(found, refused=True)  # they stay paused for a larger budget
        return lease or replace(found, settled=0 if held else self._settle(connection))

    @property
    def _costs(self) -> Costs | None:
        """The second objective of the trials that were decided on or ended; None where the study has none."""
        return None if self._cost is None else self._standing.costs

    def _find(self, why: str, best: Curves, paused: Mapping[int, int], costs: Costs | None) -> int | None:
        """Which of the paused trials goes on for this reason. One without any rung goes on to its first."""
        if (early := min((number for number, epoch in paused.items() if epoch == 0), default=None)) is not None:
            return early
        if not paused:
            return None
        if why == PROMOTION:
            return find_promoted(self.rule, best, paused, costs)
        if why == AUDIT:
            return find_audited(self.rule, best, paused, seed=self._seed)
        searched, audited = self._standing.split_final(AUDIT)
        return find_raced(self.rule, best, searched, paused, costs, audited)

    def _is_far(self, number: int) -> bool:
        """Whether only another machine has the trial's checkpoint."""
        return self._standing.decided[number].host != socket.gethostname() and not self._files.has(number)

    def _find_late(
        self, connection: sa.Connection, best: Curves, paused: Mapping[int, int], costs: Costs | None, but: int | None = None
    ) -> str | None:
        """TIME or BUDGET where there is just enough of it left to train to its end what is worth most; None while there is more.

        What is set aside for the trial of the id `but` counts as left.
        """
        if (self.deadline is None and self._rules.budget is None) or (number := self._find(TIME, best, paused, costs)) is None:
            return None
        # One epoch more, because workers are asked after an epoch.
        needed = (self.rule.epochs - paused[number] + 1) * self._read_epoch_seconds(number) * SPARE
        if self.deadline is not None and self.deadline - time.time() < needed:
            return TIME
        return BUDGET if self._read_left(connection, but=but) < needed else None

    def _read_epoch_seconds(self, number: int) -> float:
        """Seconds that an epoch of a trial takes, by those it had."""
        trial_id = self.storage.optuna.get_trial_id_from_study_id_trial_number(self.study_id, number)
        [facts] = read_facts(self.storage, self.study_id, [self.storage.optuna.get_trial(trial_id)], "curve")
        return expect_epoch(read_seconds(facts)) or 0.0

    def _count_seconds(self, why: str, number: int, epoch: int) -> float:
        """What a trial that pauses at this epoch takes where it goes on for that reason; 0 where there is no budget to know it for."""
        if self._rules.budget is None:
            return 0.0
        following = [each for each in (self.rule.rungs if why == PROMOTION else self.rule.levels) if each > epoch and why != TIME]
        return (min(following, default=self.rule.epochs) - epoch) * self._read_epoch_seconds(number)

    def count_ahead(self, number: int, trained: int, epochs: int) -> int:
        """To where it pauses next; to its end, where it is the one that is trained to it."""
        to_end = number in self.read_standing().list_taken(TIME)
        following = [] if to_end else [level for level in self.rule.levels if level > trained]
        return max(0, min([*following, epochs]) - trained)

    def _read_least(self, connection: sa.Connection) -> float:
        """Up to its first pause."""
        first = min(self.rule.levels, default=self.rule.epochs)
        return 0.0 if self._rules.budget is None else read_least(connection, self.study_id)[0] * first

    def _read_turns(self, connection: sa.Connection) -> dict[int, float | None]:
        """Those that pause too, with what is expected of them."""
        standing, rule = self._standing, self.rule
        paused = standing.paused(rule.levels)
        expected = predict_errors(rule, standing.best, standing.final, {number: epoch for number, epoch in paused.items() if epoch})
        return {
            **dict.fromkeys(paused),
            **{number: self.objective.from_error(error) for number, error in expected.items()},
            **super()._read_turns(connection),
        }

    def _take_up(self, connection: sa.Connection, number: int, why: str, n_trials: int, worker_id: WorkerId) -> Lease:
        trial_id = self._standing.decided[number].trial_id
        self.storage.optuna.set_trial_state_values(trial_id, TrialState.RUNNING)
        crashes = connection.execute(sa.select(leases.c.deaths).where(leases.c.trial_id == trial_id)).scalar() or 0
        self._note(connection, trial_id, paused=False, taken=why, slots=n_trials)
        return replace(self._lease(connection, trial_id, number, worker_id, crashes=crashes, resumed=True), taken=why)

    def _settle(self, connection: sa.Connection) -> int:
        """End the paused trials: none of them is likely enough to win. How many there were."""
        standing, paused = self._standing, self._standing.paused(self.rule.levels)
        searched, audited = standing.split_final(AUDIT)
        chances = estimate_chances(self.rule, standing.best, searched, paused, self._costs, audited) if paused else {}
        aim = "a new best" if self._cost is None else "a place on the front"
        for number in paused:
            trial_id = standing.decided[number].trial_id
            frozen = self.storage.optuna.get_trial(trial_id)
            place = standing.find_place(standing.best, number)
            reason = f"paused {place}; left there: its chance of {aim} was {100 * chances[number]:.2g} %"
            [facts] = read_facts(self.storage, self.study_id, [frozen], "run")
            run = {**facts.get("run", {}), "reason": reason, "outcome": Outcome.BELOW_OTHERS, "chance": chances[number]}
            write_run(self.storage, self.study_id, trial_id, run)
            last = frozen.intermediate_values[max(frozen.intermediate_values)]
            self.storage.optuna.set_trial_state_values(trial_id, TrialState.PRUNED, [last] if self._cost is None else None)
            self._note(connection, trial_id, paused=False)
        return len(paused)

    def _unfinished(self, connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Any]:
        """Without those that pause: nobody left them behind."""
        waits = sa.exists().where(pauses.c.trial_id == trials.c.trial_id, pauses.c.paused)
        return super()._unfinished(connection, ~waits, *where)

    # -- pauses

    def pause(self, lease: Lease, epoch: int, prepare: Callable[[str], None]) -> str | None:
        """Pause the trial after this epoch, if it would not go on at once. The reason; None where it goes on.

        `prepare` writes with the pause what is to stand on the trial; it is given the reason. Errors as for `write`.
        """
        if epoch not in self.rule.levels:
            return None

        def attempt() -> str | None:
            with self._locked() as (connection, n_trials):
                if not self._renew(connection, lease):
                    if self._given_up(connection, lease):  # the commit before the outage had succeeded
                        self._standing.read(connection)
                        return f"paused {self._standing.find_place(self._standing.best, lease.number)}"
                    raise LeaseLost(f"trial {lease.number} was taken over by another worker")
                return self._unless_ended(connection, lease, lambda: decide(connection, n_trials))

        def decide(connection: sa.Connection, n_trials: int) -> str | None:
            standing = self._standing
            standing.read(connection)
            known = standing.decided.get(lease.number)
            if known is not None and known.epoch >= epoch:
                return None  # it was let go on from here before
            best = {**standing.best, lease.number: standing.read_curve(connection, lease.trial_id)[:epoch]}
            costs = None if self._costs is None else {**self._costs, lease.number: standing.read_cost(connection, lease.trial_id)}
            racing, levels = standing.is_racing(n_trials, (RACE, AUDIT)), {**standing.paused(self.rule.levels), lease.number: epoch}
            late = known is not None and known.taken == TIME
            late = late or self._find_late(connection, best, levels, costs, lease.trial_id) is not None
            if not (racing or late) and epoch not in self.rule.rungs:
                return None
            reasons = [RACE, AUDIT] if racing else [TIME] if late else []
            if not racing and epoch in self.rule.rungs:
                reasons.append(PROMOTION)
            for why in reasons:
                rungs = {**standing.paused(self.rule.rungs), lease.number: epoch} if why == PROMOTION else levels
                if (chosen := self._find(why, best, rungs, costs)) == lease.number:
                    self._note(connection, lease.trial_id, epoch=epoch, paused=False, taken=why, slots=n_trials)
                    return None
                if chosen is not None:
                    break
            reason = f"paused {standing.find_place(best, lease.number)}"
            prepare(reason)
            self.storage.optuna.set_trial_state_values(lease.trial_id, TrialState.WAITING)
            self._note(connection, lease.trial_id, epoch=epoch, paused=True, host=socket.gethostname())
            connection.execute(sa.update(leases).where(leases.c.trial_id == lease.trial_id).values(owner=None))
            return reason

        if (reason := self.retry(attempt)) is not None:
            self.storage.write_through()
        return reason

    def find_hopeless(self) -> set[int]:
        """As `promotion.find_hopeless`: should one of them go on all the same without its checkpoint, it is trained from the start."""
        standing, rule = self.read_standing(), self.rule
        paused = standing.paused(rule.levels)
        if not standing.final or not paused or 0 in paused.values() or self._cost is not None:
            return set()  # with a cost, the places of a size class change with every trial
        searched, audited = standing.split_final(AUDIT)
        return find_hopeless(rule, standing.best, searched, paused, audited)

    @contextmanager
    def _ending(self, lease: Lease) -> Iterator[sa.Connection]:
        """Under the study's lock, so that every process reads the row again that ends or is interrupted."""
        with self._locked() as (connection, _):
            yield connection
            self._note(connection, lease.trial_id)

    def _fail_if_it_crashes_too_often(self, connection: sa.Connection, row: Any, *, crashed: bool, cause: str = "") -> bool:
        failed = super()._fail_if_it_crashes_too_often(connection, row, crashed=crashed, cause=cause)
        if failed:
            self._note(connection, row.trial_id)
        return failed

    def _note(self, connection: sa.Connection, trial_id: int, **changed: Any) -> None:
        """Change the trial's row among the pauses, made where there is none yet, so that other processes see it."""
        turn = sa.select(studies.c.turn).where(studies.c.study_id == self.study_id).scalar_subquery()
        updated = connection.execute(sa.update(pauses).where(pauses.c.trial_id == trial_id).values(turn=turn, **changed))
        if updated.rowcount == 0:
            first = {"epoch": 0, "paused": False, "host": ""} | changed
            connection.execute(sa.insert(pauses).values(trial_id=trial_id, study_id=self.study_id, turn=turn, **first))
