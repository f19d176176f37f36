"""Runs the searches, lets the events of a schedule happen to them, and counts what is left."""

from __future__ import annotations

import queue
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa

from tuner.study.storage import Storage
from tuner.study.tables import leases, trials
from tuner.study.worker_id import WorkerId

from .chaos_clock import Clock
from .chaos_databases import Database, Outage
from .chaos_journal import Journal
from .chaos_schedule import Event
from .chaos_search import Search

QUIET_SECONDS = 180.0  # without a word from any search: it hangs


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A study in `folder`, what happens to its searches, and how many of them there are."""

    folder: Path
    database: Database
    events: list[Event]
    trials: int
    workers: int  # of `tuner search`
    joined: int  # of `tuner worker`; 0 for none
    lease_seconds: float
    outage_seconds: float
    log: Path | None = None
    clock: Clock | None = None
    checkpoints: Path | None = None  # a folder for them that others have files in too

    @property
    def env(self) -> dict[str, str]:
        return {"TUNER_STORAGE": self.database.url, "TUNER_LEASE_SECONDS": str(self.lease_seconds), "TUNER_PATIENCE_SECONDS": "120"}


@dataclass
class Driver:
    plan: Plan
    lines: queue.Queue[tuple[Search, str]] = field(default_factory=queue.Queue)
    journal: Journal = field(default_factory=Journal)
    searches: list[Search] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)
    gave_up: list[str] = field(default_factory=list)
    left: list[Event] = field(init=False)
    _reported: int = 0
    _heard: float = field(default_factory=time.monotonic)
    _asleep: list[tuple[float, psutil.Process]] = field(default_factory=list)  # when to wake whom
    _storage: Storage | None = None

    def __post_init__(self) -> None:
        self.left = list(self.plan.events)

    def run(self) -> None:
        """From the first command to the end of the last one."""
        plan = self.plan
        where = ("--checkpoints", str(plan.checkpoints)) if plan.checkpoints else ()
        self._begin("search", "chaos.yaml", "--trials", str(plan.trials), "--workers", str(plan.workers), *where)
        try:
            while not all(search.ended() for search in self.searches) or not self.lines.empty():
                self._wake()
                self._hear()
                if plan.joined and len(self.searches) == 1 and self.journal.epochs:
                    self._begin("worker", "chaos", "--workers", str(plan.joined))
                self._happen()
                if time.monotonic() - self._heard > QUIET_SECONDS:
                    self.gave_up.append(f"nothing was heard for {QUIET_SECONDS:.0f} s")
                    break
        finally:
            self._wake(all_of_them=True)
            for search in self.searches:
                search.end()
            if plan.log:
                plan.log.write_text("\n".join(self.said) + "\n")
        self.gave_up += [f"`tuner {s.args[0]}` ended with exit code {s.exit_code}" for s in self.searches if s.exit_code]

    def _begin(self, *args: str) -> None:
        self.searches.append(Search([*args, "--device", "cpu"], self.plan.folder, self.plan.env, self.lines))

    def _hear(self) -> None:
        """All lines that are there, and a moment's wait for the first."""
        with suppress(queue.Empty):
            search, line = self.lines.get(timeout=0.1)
            while True:
                self._heard = time.monotonic()
                self.said.append(line)
                self._reported += self.journal.hear(search, line)
                search, line = self.lines.get_nowait()

    # -- events

    def _happen(self) -> None:
        """The first event that is due and can meet somebody."""
        due = [event for event in self.left if self._reported >= event.after]
        holders = self._holders() if due else []
        for event in due:
            if event.kind == "outage":
                met = self._outage(event, holders)
            elif event.kind == "supervisor":
                met = self._kill_supervisor(event.target)
            elif event.kind == "terminal":
                met = self._close_terminal(event.target)
            elif event.kind == "clock":
                met = self._set_clock(event.target)
            else:
                met = self._kill(event.kind, event.target, holders)
            if met:
                self.left.remove(event)
                return

    def _kill_supervisor(self, target: float) -> bool:
        living = [search for search in self.searches if not search.ended()]
        if not living:
            return False
        search = _pick(living, target)
        search.kill()
        self._hear()
        self.journal.killed(search)
        self.said.append(f"--- killed a supervisor: tuner {search.args[0]}")
        self.done["supervisors killed"] += 1
        search.start()
        return True

    def _close_terminal(self, target: float) -> bool:
        """SIGHUP: the search ends cleanly by itself, and is begun again."""
        running = [search for search in self.searches if not search.ended() and search.workers()]
        if not running:
            return False
        search = _pick(running, target)
        self._wake(all_of_them=True)
        search.process.send_signal(signal.SIGHUP)
        search.process.wait(60)
        while not search.ended():
            self._hear()
        self._hear()
        self.said.append(f"--- closed a terminal: tuner {search.args[0]} ended with exit code {search.exit_code}")
        self.done["terminals closed"] += 1
        search.start()
        return True

    def _set_clock(self, target: float) -> bool:
        assert self.plan.clock is not None
        self.said.append(f"--- the clock was set by {self.plan.clock.step(target)} s")
        self.done["clock steps"] += 1
        return True

    def _kill(self, kind: str, target: float, holders: list[tuple[int, psutil.Process]]) -> bool:
        """A signal for a worker that has a trial in hand."""
        asleep = [process for _, process in self._asleep]
        awake = [(number, process) for number, process in holders if process not in asleep]
        if not awake or (kind == "SIGSTOP" and asleep):
            return False  # somebody must be awake to take over from the sleeper
        number, process = _pick(awake, target)
        try:
            if kind == "SIGSTOP":
                process.suspend()
                self.journal.frozen(number)
                self._asleep.append((time.monotonic() + 2.5 * self.plan.lease_seconds, process))
            else:
                process.send_signal(getattr(signal, kind))
        except psutil.NoSuchProcess:
            return False
        self.said.append(f"--- {kind} for the worker of trial {number}")
        self.done[kind] += 1
        return True

    def _outage(self, event: Event, holders: list[tuple[int, psutil.Process]]) -> bool:
        if any(not search.ended() and not search.workers() for search in self.searches):
            return False  # a command that finds no database when it begins says so and ends, as it should
        read_only = self.done["outages"] % 2 == 1
        outage = Outage(self.plan.database, self.plan.outage_seconds, read_only=read_only)
        self.said.append(f"--- the database {'takes no writes' if read_only else 'is away'} for {self.plan.outage_seconds:g} s")
        try:
            if event.kill and holders:
                number, process = _pick(holders, event.target)
                with suppress(psutil.NoSuchProcess):
                    process.kill()
                    self.said.append(f"--- SIGKILL for the worker of trial {number} meanwhile")
                    self.done["SIGKILL"] += 1
        finally:
            while not outage.over.is_set():
                self._wake()
                outage.over.wait(0.2)
            outage.wait()
        self.said.append("--- the database is back")
        self.done["outages"] += 1
        return True

    def _holders(self) -> list[tuple[int, psutil.Process]]:
        """Trials in hand, and the living worker that has each."""
        ours = {worker.pid: worker for search in self.searches for worker in search.workers()}
        if self._storage is None:
            self._storage = Storage(self.plan.database.url)
        held = sa.select(trials.c.number, leases.c.owner).join(leases, leases.c.trial_id == trials.c.trial_id)
        with self._storage.engine.connect() as connection:
            rows = connection.execute(held.where(leases.c.owner.is_not(None)).order_by(trials.c.number)).all()
        self._storage.close()
        return [(row.number, ours[pid]) for row in rows if (pid := WorkerId.parse(row.owner).pid) in ours]

    def _wake(self, *, all_of_them: bool = False) -> None:
        due = [(when, process) for when, process in self._asleep if all_of_them or when <= time.monotonic()]
        for item in due:
            self._asleep.remove(item)
            with suppress(psutil.NoSuchProcess):
                item[1].resume()


def _pick(items: list[Any], target: float) -> Any:
    return items[min(len(items) - 1, int(target * len(items)))]
