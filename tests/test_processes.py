"""Who is alive: told by facts that no clock can move. A made-up /proc stands for the machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from tests.conftest import Tuner
from tests.test_leases import claim, states, study  # noqa: F401
from tuner.study.lease import Released
from tuner.study.processes import HERE, Processes
from tuner.study.storage import Storage
from tuner.study.studies import load
from tuner.study.study import Study
from tuner.study.tables import leases, studies
from tuner.study.worker_id import WorkerId

BOOT = "5a3c0a4e-0000-4000-8000-000000000001"


class Machine:
    """A machine of our making: its boot, and its processes by pid with their state and start."""

    def __init__(self, proc: Path, *, boot: str | None = BOOT) -> None:
        self.proc = proc
        (proc / "self").mkdir(parents=True)
        (proc / "self/stat").write_text("1 (x) R")
        if boot is not None:
            (proc / "sys/kernel/random").mkdir(parents=True)
            (proc / "sys/kernel/random/boot_id").write_text(f"{boot}\n")

    def run(self, pid: int, start: int, state: str = "S") -> None:
        (self.proc / str(pid)).mkdir(exist_ok=True)
        fields = [state, *["0"] * 18, str(start), "4096"]
        (self.proc / str(pid) / "stat").write_text(f"{pid} (a) name (x)) {' '.join(fields)}\n")

    def end(self, pid: int) -> None:
        (self.proc / str(pid) / "stat").unlink()
        (self.proc / str(pid)).rmdir()

    @property
    def processes(self) -> Processes:
        """As a process that has just started sees it: nothing remembered."""
        return Processes(self.proc)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "proc")


def test_a_process_lives_while_its_pid_has_its_start(machine: Machine) -> None:
    machine.run(77, start=5000)
    worker = WorkerId.of(77, machine.processes)
    assert (worker.pid, worker.ticks) == (77, 5000)
    assert not worker.is_dead(machine.processes)
    machine.run(77, start=5001)
    assert worker.is_dead(machine.processes), "another process has its pid"
    machine.run(77, start=5000, state="Z")
    assert worker.is_dead(machine.processes)
    machine.end(77)
    assert worker.is_dead(machine.processes)


def test_an_identity_is_read_as_it_was_written(machine: Machine) -> None:
    machine.run(77, start=5000)
    worker = WorkerId.of(77, machine.processes)
    assert WorkerId.parse(str(worker)) == worker
    assert str(worker) == f"{machine.processes.machine}:77:t5000:{socket.gethostname()}"


def test_a_clock_that_is_set_makes_nobody_look_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    before = WorkerId.here()
    create_time, boot_time = psutil.Process.create_time, psutil.boot_time
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_time() + 5)
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: create_time(self) + 5)
    assert not before.is_dead()
    assert WorkerId.here() == before, "and it is the same worker still"
    assert Processes().machine == HERE.machine


def test_an_identity_of_0_1_0_is_dead_only_when_its_process_is_gone(machine: Machine) -> None:
    machine.run(77, start=5000)
    old = WorkerId.parse(f"{machine.processes.machine}:77:1764000000.25:host:with:colons")
    assert (old.pid, old.started, old.host) == (77, 1764000000.25, "host:with:colons")
    assert str(old) == f"{machine.processes.machine}:77:1764000000.25:host:with:colons"
    assert not old.is_dead(machine.processes), "its start by the wall clock says nothing"
    machine.end(77)
    assert old.is_dead(machine.processes)


def test_another_boot_is_another_machine_and_judged_by_its_lease(machine: Machine, tmp_path: Path) -> None:
    machine.run(77, start=5000)
    worker = WorkerId.of(77, machine.processes)
    again = Machine(tmp_path / "again", boot=BOOT.replace("1", "2"))
    assert not worker.is_dead(again.processes)


def test_without_a_boot_id_the_machine_keeps_its_name_when_the_clock_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = Processes(tmp_path / "none")
    before = bare.machine
    monkeypatch.setattr(psutil, "boot_time", lambda: 1.0)
    assert Processes(tmp_path / "none").machine == before
    mine = WorkerId.of(os.getpid(), bare)
    assert mine.ticks == 0 and not mine.is_dead(bare)
    monkeypatch.setattr(psutil, "Process", _raise_gone)
    assert mine.is_dead(bare)


def _raise_gone(pid: int) -> psutil.Process:
    raise psutil.NoSuchProcess(pid)


def test_a_trial_that_is_ended_while_another_is_claimed_is_told(study: Study) -> None:  # noqa: F811
    for start in range(1, 4):
        claim(study, WorkerId(machine=HERE.machine, pid=2**22 + start, ticks=start, host="here"))
    got = claim(study)
    assert got.number == 1 and states(study)[0] == "FAIL"
    assert got.failed == (Released(number=0, failed="its worker died 3 times while training it"),)
    assert claim(study).failed == ()


def test_trials_that_are_ended_while_claiming_count_for_the_rules_that_end_a_search(
    tuner: Tuner, small_study: Path, tmp_path: Path
) -> None:
    tuner("search", "small.yaml", "--trials", "1", "--workers", "1")
    storage = Storage(f"sqlite:///{tmp_path}/studies/tuner.db")
    study = load(storage, "small")  # noqa: F811
    with storage.engine.begin() as connection:
        connection.execute(sa.update(studies).values(slots=9))
    for pid in range(3):
        claim(study, WorkerId(machine="another", pid=pid, host="far"))
    with storage.engine.begin() as connection:
        gone = str(WorkerId(machine=HERE.machine, pid=2**22 + 1, ticks=1, host="here"))
        connection.execute(sa.update(leases).where(leases.c.owner.is_not(None)).values(owner=gone, deaths=2))
    storage.close()
    done = tuner("search", "small.yaml", "--trials", "9", "--workers", "1", code=1)
    assert "3 trials in a row failed the same way: its worker died 3 times while training it" in done.stderr.splitlines()[-1]
    assert [line for line in done.stderr.splitlines() if line.startswith("trial 2 fail: its worker died")]
