"""A worker that hangs is ended, and its trial goes back in the queue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Tuner
from tests.test_failures import shown
from tests.test_leases import claim, elsewhere, states, study  # noqa: F401
from tuner.study.lease import Released
from tuner.study.study import Study
from tuner.study.worker_id import WorkerId
from tuner.workers.watch import Watch, Watcher, share

ONCE = """
import os, signal, sys, time
from pathlib import Path
if "--multiprocessing-fork" in sys.orig_argv:
    from tuner.data.resident import Resident
    gather = Resident.gather
    def sleep(self, *rows):
        if not Path("hung").exists():
            Path("hung").touch()
            {hang}
        return gather(self, *rows)
    Resident.gather = sleep
"""


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(clock: Clock, *, stall: float = 20.0, timeout: float | None = None) -> tuple[Watch, Callable[[float], str | None]]:
    """A watch, and a parent that looks every second of the time that passes until something takes too long."""
    shared = share()
    watch, watcher = Watch(shared, stall=stall, timeout=timeout, clock=clock), Watcher(shared, clock)

    def wait(seconds: float) -> str | None:
        for _ in range(int(seconds)):
            clock.now += 1
            if late := watcher.look():
                return late
        return None

    return watch, wait


def test_each_kind_of_step_is_measured_by_its_own_kind(clock: Clock) -> None:
    watch, wait = make(clock)
    watch.begin_trial()
    watch.step()
    assert wait(15) is None  # the first epoch's first step
    watch.begin("evaluation")
    assert wait(4) is None
    watch.end_epoch()
    watch.begin("checkpoint")
    watch.rest()
    assert wait(320) is None, "the database may be away for 300 s"
    watch.step()
    assert wait(20) is None
    assert wait(1) == "a training step took longer than 20 s, see --stall"
    watch.begin("evaluation")
    assert wait(40) is None, "ten times the slowest so far"
    assert wait(1) == "an evaluation took longer than 40 s, see --stall"


def test_a_trial_has_a_limit_of_its_own_and_nothing_is_watched_after_it(clock: Clock) -> None:
    watch, wait = make(clock, stall=0, timeout=30)
    watch.begin_trial()
    watch.step()
    assert wait(30) is None
    assert wait(1) == "a trial took longer than 30 s, see --trial-timeout"
    assert watch.late
    watch.end_trial()
    assert wait(1000) is None and not watch.late


def test_a_parent_that_was_stopped_with_its_workers_gives_them_that_time(clock: Clock) -> None:
    watch, wait = make(clock)
    watch.begin_trial()
    watch.step()
    assert wait(10) is None
    clock.now += 500
    assert wait(11) is None
    assert wait(1) == "a training step of the first epoch took longer than 20 s, see --stall"


def test_the_third_death_by_a_step_that_hangs_ends_the_trial_with_that_reason(study: Study, elsewhere: WorkerId) -> None:  # noqa: F811
    cause = "a training step took longer than 300 s, see --stall"
    for _ in range(2):
        claim(study, elsewhere)
        assert study.leases.release(elsewhere, cause=cause) == [Released(number=0, failed=None)]
    claim(study, elsewhere)
    reason = f"its worker died 3 times while training it, at last because {cause}"
    assert study.leases.release(elsewhere, cause=cause) == [Released(number=0, failed=reason)]
    assert states(study) == ["FAIL"] and study.read_facts(study.frozen_trials())[0]["run"]["reason"] == reason


def test_data_that_never_comes_end_the_worker_and_the_trial_goes_on(tuner: Tuner, small_study: Path, tmp_path: Path) -> None:
    (tmp_path / "hangs").mkdir()
    (tmp_path / "hangs/sitecustomize.py").write_text(ONCE.replace("{hang}", "time.sleep(1e6)"))
    env = {"PYTHONPATH": str(tmp_path / "hangs"), "TUNER_SELF_CHECK": "0"}
    done = tuner("search", "small.yaml", "--trials", "1", "--workers", "1", "--stall", "8", env=env)
    assert "worker died (a training step of the first epoch took longer than 8 s, see --stall), trial 0 back in the queue" in done.stderr
    [trial] = shown()["trials"]
    assert trial["state"] == "COMPLETE" and trial["run"]["workers_lost"] == 1


def test_a_worker_that_was_stopped_within_a_step_is_ended(tuner: Tuner, small_study: Path, tmp_path: Path) -> None:
    (tmp_path / "hangs").mkdir()
    (tmp_path / "hangs/sitecustomize.py").write_text(ONCE.replace("{hang}", "os.kill(os.getpid(), signal.SIGSTOP)"))
    env = {"PYTHONPATH": str(tmp_path / "hangs"), "TUNER_SELF_CHECK": "0"}
    done = tuner("search", "small.yaml", "--trials", "1", "--workers", "1", "--stall", "8", env=env)
    assert "took longer than 8 s, see --stall), trial 0 back in the queue" in done.stderr
    assert shown()["trials"][0]["state"] == "COMPLETE"


def test_a_trial_s_time_limit_ends_its_worker(tuner: Tuner, small_study: Path, tmp_path: Path) -> None:
    (tmp_path / "hangs").mkdir()
    (tmp_path / "hangs/sitecustomize.py").write_text(ONCE.replace("{hang}", "time.sleep(1e6)"))
    limits = ("--stall", "0", "--trial-timeout", "10s")
    done = tuner(
        "search",
        "small.yaml",
        "--trials",
        "1",
        "--workers",
        "1",
        *limits,
        env={"PYTHONPATH": str(tmp_path / "hangs"), "TUNER_SELF_CHECK": "0"},
    )
    assert "worker died (a trial took longer than 10 s, see --trial-timeout), trial 0 back in the queue" in done.stderr
    assert shown()["trials"][0]["state"] == "COMPLETE"
    assert "--trial-timeout takes a time" in tuner("search", "small.yaml", "--trial-timeout", "abc", code=2).stderr
