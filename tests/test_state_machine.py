"""Three workers and all that can happen to them, in any order: no living worker loses a trial, and the total is exact."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from optuna.trial import TrialState

from tests.test_crash_points import Crash
from tests.test_leases import config
from tuner.study.lease import EndedByOtherTool, Lease, LeaseLost, NothingToClaim, read_lease_seconds
from tuner.study.retry import Retry
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, load
from tuner.study.study import Study
from tuner.study.worker_id import WorkerId
from tuner.workers.leased_trial import LeasedTrial

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "fail": TrialState.FAIL}
NAMES = itertools.count()


class Time:
    """The database's clock, and the machines' own that nobody sets."""

    database = 1_000_000.0
    own = 1_000.0


@dataclass
class Worker:
    """A worker on a machine of its own, so that only its heartbeats say that it lives."""

    study: Study
    worker_id: WorkerId
    trial: LeasedTrial | None = None
    awake: bool = True

    @property
    def lease(self) -> Lease | None:
        return None if self.trial is None else self.trial.lease


class Ledger(RuleBasedStateMachine):
    """`open_storage` gives each worker the process-wide storage that it has."""

    open_storage: Callable[[int], Storage]

    @initialize(total=st.integers(1, 5))
    def begin(self, total: int) -> None:
        self.name, self.total = f"s{next(NAMES)}", total
        self.ended: dict[int, str] = {}
        create_or_load(self.open_storage(0), self.name, config(), "f", trials=total)
        self.workers = [self.start(number) for number in range(3)]

    def start(self, number: int) -> Worker:
        storage = self.open_storage(number)
        storage.drop_cache()
        retry = Retry(storage, clock=lambda: Time.own)
        retry.notice()  # as a worker does when it begins
        return Worker(load(storage, self.name, retry), WorkerId(machine=f"m{number}", pid=1, host=f"h{number}"))

    def has_successor(self, number: int) -> bool:
        mine = self.workers[number].lease
        assert mine is not None
        others = [w.lease for n, w in enumerate(self.workers) if n != number]
        return any(lease is not None and lease.trial_id == mine.trial_id and lease.fence > mine.fence for lease in others)

    @rule()
    def all_claim(self) -> None:
        """Who is awake and has no trial asks for one."""
        for number in range(3):
            self.claim(number)

    def pick_holder(self, pick: int) -> int:
        """A worker that has a trial, if there is one."""
        holders = [number for number, worker in enumerate(self.workers) if worker.trial is not None]
        return holders[pick % len(holders)] if holders else pick

    def claim(self, number: int) -> None:
        worker = self.workers[number]
        if worker.trial is not None or not worker.awake:
            return
        got = worker.study.leases.claim(worker.worker_id, worker.study.new_trial)
        for lost in got.failed:
            self.ended[lost.number] = "FAIL"
        if isinstance(got, NothingToClaim):
            return
        for other in self.workers:
            if other.lease is not None and other.lease.trial_id == got.trial_id:
                assert not other.awake, "a living worker's trial was taken"
        assert got.number not in self.ended, "a finished trial was given out again"
        worker.trial = LeasedTrial(worker.study, got)
        worker.trial.configure(threads=1, precision="fp32")

    @rule(pick=st.integers(0, 2), how=st.sampled_from([*STATES, "requeue"]), crash=st.none() | st.none() | st.integers(0, 25))
    def end(self, pick: int, how: str, crash: int | None) -> None:
        self.end_trial(self.pick_holder(pick), how, crash)

    def end_trial(self, number: int, how: str, crash: int | None = None) -> None:
        worker = self.workers[number]
        if worker.trial is None:
            return
        worker.awake = True
        trial, succeeded, seen = worker.trial, self.has_successor(number), 0

        def meet(*_: Any) -> None:
            nonlocal seen
            if seen == crash:
                raise Crash
            seen += 1

        engine = worker.study.storage.engine
        for event in ("before_cursor_execute", "commit"):
            sa.event.listen(engine, event, meet)
        died = False
        try:
            if how == "requeue":
                worker.study.leases.requeue(trial.lease)
            else:
                trial.finish(STATES[how], {"reason": "x"}, value=0.5 if how == "complete" else None)
                assert trial.lease.number not in self.ended, "finished twice"
                self.ended[trial.lease.number] = how.upper()
            assert not succeeded, "a writer that lost its lease was let in"
        except (LeaseLost, EndedByOtherTool):
            assert succeeded or trial.lease.number in self.ended or not self.holds(trial.lease)
        except Crash:
            died = True
        finally:
            for event in ("before_cursor_execute", "commit"):
                sa.event.remove(engine, event, meet)
        worker.trial = None
        if died:
            row = worker.study.frozen_trials()[trial.lease.number]
            if row.state.is_finished() and not succeeded:  # it died when that was done
                self.ended[row.number] = row.state.name
            self.workers[number] = self.start(number)

    def holds(self, lease: Lease) -> bool:
        return any(each.trial_id == lease.trial_id and each.fence == lease.fence for each in self.held())

    def held(self) -> list[Any]:
        query = "SELECT trial_id, epoch AS fence FROM tuner_leases WHERE owner IS NOT NULL"
        with self.workers[0].study.storage.connect() as connection:
            return list(connection.execute(sa.text(query)))

    @rule(pick=st.integers(0, 2))
    def dies(self, pick: int) -> None:
        number = self.pick_holder(pick)
        self.workers[number] = self.start(number)

    @rule(pick=st.integers(0, 2), long=st.booleans())
    def falls_asleep(self, pick: int, long: bool) -> None:
        """For long: the others end theirs and look for trials until its lease has run out."""
        sleeper = self.pick_holder(pick)
        self.workers[sleeper].awake = False
        for number in {0, 1, 2} - {sleeper} if long else ():
            self.end_trial(number, "complete")
        for _ in range(5 * long):
            self.time_passes(20)
            self.all_claim()

    @rule()
    def all_wake(self) -> None:
        for worker in self.workers:
            if not worker.awake:
                worker.awake = True
                if worker.lease is not None and not worker.study.leases.heartbeat(worker.lease):
                    worker.trial = None

    @rule(seconds=st.sampled_from([1, 9, 31, 100]))
    def time_passes(self, seconds: int) -> None:
        """Who is awake sends its heartbeats meanwhile."""
        left = float(seconds)
        while left > 0:
            step = min(left, read_lease_seconds() / 3)
            Time.database += step
            Time.own += step
            left -= step
            for worker in self.workers:
                if worker.awake and worker.lease is not None:
                    assert worker.study.leases.heartbeat(worker.lease), "a living worker lost its lease"

    @rule(step=st.sampled_from([-86400.0, -7200.0, -45.0, -2.0, 2.0, 45.0, 7200.0, 86400.0]))
    def the_database_s_clock_is_set(self, step: float) -> None:
        for _ in range(3):  # they are in touch
            self.all_claim()
            self.time_passes(15)
        self.end_trial(self.pick_holder(0), "complete")
        Time.database += step
        self.all_claim()

    @rule(number=st.integers(0, 2), more=st.integers(1, 2))
    def more_trials(self, number: int, more: int) -> None:
        if self.total <= 6:
            self.total += more
            create_or_load(self.workers[number].study.storage, self.name, config(), "f", trials=self.total)

    @invariant()
    def is_sound(self) -> None:
        if not hasattr(self, "workers"):
            return
        study = self.workers[0].study
        rows = study.frozen_trials()
        assert sum(row.state is not TrialState.FAIL for row in rows) <= self.total, "a row in surplus"
        assert [row.number for row in rows] == list(range(len(rows)))
        for row in rows:
            assert row.state.is_finished() == (row.number in self.ended), (row.number, row.state, self.ended)

    def teardown(self) -> None:
        """All but one die, and that one reaches the exact total."""
        if not hasattr(self, "workers"):
            return
        alone = self.start(0)
        for _ in range(300):
            Time.database += 7
            Time.own += 7
            got = alone.study.leases.claim(alone.worker_id, alone.study.new_trial)
            if isinstance(got, NothingToClaim):
                if not got.held:
                    break
                continue
            trial = LeasedTrial(alone.study, got)
            trial.configure(threads=1, precision="fp32")
            trial.finish(TrialState.COMPLETE, {"reason": "x"}, value=0.5)
        counts = alone.study.leases.counts()
        assert (counts.finished, counts.running, counts.waiting) == (self.total, 0, 0), counts


@pytest.fixture
def open_storage(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Storage]]:
    monkeypatch.setenv("TUNER_PATIENCE_SECONDS", "0.001")
    monkeypatch.setattr(Storage, "now", property(lambda _: sa.literal(Time.database, sa.Float(53))))
    opened = [Storage(url, make=True) for _ in range(3)]
    yield lambda number: opened[number]
    for storage in opened:
        storage.close()


def test_whatever_happens_in_whatever_order(open_storage: Callable[[int], Storage], url: str) -> None:
    machine = type("Machine", (Ledger,), {"open_storage": staticmethod(open_storage)})
    bounds = settings(
        max_examples=4 if url.startswith("postgresql") else 12,
        stateful_step_count=25,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # a failure is told as it is: to make it shorter takes minutes
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=bounds)  # type: ignore[no-untyped-call]
