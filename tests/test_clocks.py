"""Clocks that are set: the database's, by which leases are dated, and the machine's own."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa

from tests.test_leases import claim, elsewhere, study  # noqa: F401 - fixtures
from tuner.study.contact import read_clock
from tuner.study.lease import Lease, NothingToClaim, read_lease_seconds
from tuner.study.storage import Storage
from tuner.study.studies import load
from tuner.study.study import Study
from tuner.study.worker_id import WorkerId
from tuner.workers.leased_trial import LeasedTrial

STEPS = (-86400.0, -7200.0, -45.0, -2.0, 2.0, 45.0, 7200.0, 86400.0)


class Clocks:
    """The database's clock and a process's own, as a test sets them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database = 1_000_000.0
        self.own = 500.0
        monkeypatch.setattr(Storage, "now", property(lambda _: sa.literal(self.database, sa.Float)))

    def pass_by(self, seconds: float) -> None:
        self.database += seconds
        self.own += seconds

    def open(self, study: Study) -> Study:  # noqa: F811
        """The study as another worker has it, which hears of others by these clocks."""
        opened = load(study.storage, study.name)
        opened.retry.clock = lambda: self.own
        return load(study.storage, study.name, opened.retry)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


@pytest.mark.parametrize("step", STEPS)
def test_a_database_s_clock_that_is_set_takes_no_trial_from_the_living(
    study: Study,  # noqa: F811
    clocks: Clocks,
    elsewhere: WorkerId,  # noqa: F811
    step: float,
) -> None:
    ours, theirs = clocks.open(study), clocks.open(study)
    held = claim(theirs, elsewhere)
    mine = claim(ours)
    for _ in range(20):
        clocks.pass_by(read_lease_seconds() / 3)
        assert theirs.leases.heartbeat(held) and ours.leases.heartbeat(mine)
    clocks.pass_by(5)
    clocks.database += step
    for _ in range(10):
        got = ours.leases.claim(WorkerId.here(), lambda: None)
        assert isinstance(got, NothingToClaim) and got.held == 2
        clocks.pass_by(5)
        assert theirs.leases.heartbeat(held) and ours.leases.heartbeat(mine)


@pytest.mark.parametrize("step", STEPS)
def test_a_dead_worker_s_trial_is_taken_up_in_time_however_the_database_s_clock_is_set(
    study: Study,  # noqa: F811
    clocks: Clocks,
    elsewhere: WorkerId,  # noqa: F811
    step: float,
) -> None:
    ours = clocks.open(study)
    held = claim(clocks.open(study), elsewhere)
    mine = claim(ours)
    clocks.database += step
    waited = 0.0
    while isinstance(got := ours.leases.claim(WorkerId.here(), lambda: None), NothingToClaim):
        assert waited <= 2.5 * read_lease_seconds() + 1, "silent for one, given another, and half a one for small steps"
        clocks.pass_by(1)
        waited += 1
        assert ours.leases.heartbeat(mine)
    assert isinstance(got, Lease) and (got.number, got.crashes) == (held.number, 1)


def test_a_process_s_own_clock_is_not_the_one_that_is_set(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    before = read_clock()
    monkeypatch.setattr(time, "time", lambda: before + 7200)
    assert 0 <= read_clock() - before < 60
    held = claim(study)
    trial = LeasedTrial(study, held)
    monkeypatch.setattr(study.leases, "write", lambda *_, **__: pytest.fail("asked, although no time went by"))
    trial.prove()


def test_who_slept_asks_whether_its_trial_is_still_its_own(study: Study, clocks: Clocks) -> None:  # noqa: F811
    ours = clocks.open(study)
    held = claim(ours)
    trial = LeasedTrial(ours, held)
    asked: list[Lease] = []
    ours.leases.write = lambda lease, *_, **__: asked.append(lease)  # type: ignore[method-assign, assignment]
    trial.prove()
    clocks.own += read_lease_seconds()
    trial.prove()
    assert asked == [held]
