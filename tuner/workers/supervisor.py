"""The supervisor: starts workers, starts dead ones again, and ends them all. No worker outlives it."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from ..placement import Placement
from ..signals import handle_stop_signals
from ..study.lease import Counts, Released
from ..study.outcome import Outcome
from ..study.retry import StorageAway
from ..study.study import Study
from ..study.worker_id import WorkerId
from .engine import Engine, Worker
from .events import Command, EpochReported, Event, NothingLeft, TrialEnded, WorkerDied, WorkerFailed
from .watch import STALL_SECONDS
from .worker import EXIT_STALLED, EXIT_STOPPED, Assignment

SAME_FAULTS = 3  # FAIL trials in a row with one reason end a search
FAULTS = 10  # FAIL trials in a row whatever their reasons
CRASHES_IN_A_ROW = 5  # workers that die without finishing an epoch end it too
POLL_SECONDS = 0.2
COUNT_SECONDS = 2.0
GRACE_SECONDS = 30.0


class View(Protocol):
    """Whoever watches: told of every event of a worker and, now and then, of the study's counts."""

    def event(self, worker: int, event: Event) -> None: ...

    def counts(self, counts: Counts) -> None: ...


class StopReason(Enum):
    """What ends a search."""

    FULL = auto()  # its total of trials is reached
    EXHAUSTED = auto()  # every configuration of its space was tried
    INTERRUPTED = auto()  # by a signal
    TIMEOUT = auto()
    TARGET = auto()
    STOPPED = auto()  # by `tuner stop`
    FAILED = auto()
    STORAGE_AWAY = auto()


@dataclass(frozen=True, kw_only=True)
class Stop:
    """That a search has to end, or has ended: why, as a code and in words."""

    reason: StopReason
    text: str = ""


@dataclass
class _Slot:
    """One placement and the worker in it."""

    assignment: Assignment
    worker: Worker | None = None
    ended: bool = False


class Supervisor:
    """Runs one worker a placement until the study is full or something ends the search.

    `interrupted` is set by a stop signal, while `run` lasts.
    """

    def __init__(
        self,
        study: Study,
        url: str | None,
        placements: Sequence[Placement],
        view: View,
        engine: Engine,
        *,
        source: str | None = None,
        keep: int = 5,
        timeout: float | None = None,
        target: float | None = None,
        stall: float = STALL_SECONDS,
        trial_timeout: float | None = None,
    ) -> None:
        self._study = study
        self._view = view
        self._deadline = None if timeout is None else time.monotonic() + timeout
        wall = None if timeout is None else time.time() + timeout  # workers may be on other machines
        self._target = target
        self._slots = [
            _Slot(
                assignment=Assignment(
                    url=url,
                    study=study.name,
                    source=source,
                    keep=keep,
                    placement=each,
                    stall=stall,
                    trial_timeout=trial_timeout,
                    deadline=wall,
                )
            )
            for each in placements
        ]
        self._engine = engine
        self._stop: Stop | None = None
        self._faults: list[str] = []
        self._crashes = 0
        self._signals = 0
        self._asked = 0  # of them SIGINT and SIGTERM
        self._stops = study.leases.counts().stops
        self._kill_at = float("inf")
        self._exhausted = False
        self._full = False
        self.interrupted = threading.Event()

    def run(self) -> Stop:
        """Work until the search ends. When this returns, every worker has ended; unfinished trials are queued if the storage answers."""
        with self._catch_signals():
            try:
                for slot in self._slots:
                    self._start(slot)
                counted = 0.0
                while any(not slot.ended for slot in self._slots):
                    self._listen()
                    self._check_signals_and_clock()
                    if time.monotonic() - counted > COUNT_SECONDS:
                        counted = time.monotonic()
                        self._heed_stops(self._count())
                self._count()  # trials that ended since the last look
            finally:
                self._kill_all()
        if self._stop is None:
            self._stop = Stop(reason=StopReason.EXHAUSTED if self._exhausted else StopReason.FULL)
        return self._stop

    @contextmanager
    def _catch_signals(self) -> Iterator[None]:
        """Every stop signal ends the search cleanly; the second SIGINT or SIGTERM kills the workers."""

        def handle(number: int, _: object) -> None:
            # A terminal that is closed sends more than one SIGHUP, and Slurm a SIGTERM some time after its warning.
            asked = number in (signal.SIGINT, signal.SIGTERM)
            self._asked += asked
            self._signals = max(self._asked, 1)
            self.interrupted.set()

        with handle_stop_signals(handle):
            yield

    # -- processes

    def _start(self, slot: _Slot) -> None:
        slot.worker = self._engine.start(slot.assignment)

    def _living(self) -> list[tuple[_Slot, Worker]]:
        return [(slot, slot.worker) for slot in self._slots if not slot.ended and slot.worker is not None]

    def _listen(self) -> None:
        """Pass on what workers say, and see to those that ended."""
        slots = {id(worker): slot for slot, worker in self._living()}
        for worker in self._engine.wait([worker for _, worker in self._living()], POLL_SECONDS):
            slot = slots[id(worker)]
            gone = worker.ended  # asked before its last events are read, so that none is missed
            self._hear(slot, worker)
            if gone and not slot.ended:
                self._replace(slot, worker)
        if self._stop is None and self._full:
            for slot, worker in self._living():
                if worker.worker_id is None:  # it waits for a place in a cluster, and there is nothing left to do
                    worker.kill()
                    slot.ended = True

    def _hear(self, slot: _Slot, worker: Worker) -> None:
        for event in worker.hear():
            self._take_in(slot, event)

    def _replace(self, slot: _Slot, worker: Worker) -> None:
        """A worker has ended and its last events were read: release its trials, and start another worker if there is work."""
        crashed = worker.code not in (0, EXIT_STOPPED)
        told = self._stop is not None  # we told it to end, or killed it
        if worker.code != 0:
            left = self._release(worker, worker.worker_id, crashed=crashed and not told) if worker.worker_id is not None else []
            if crashed and not told:
                self._crashes += 1
                trials = "".join(f", trial {each.number} {each.failed or 'back in the queue'}" for each in left)
                self._view.event(self._slots.index(slot), WorkerDied(text=f"worker died ({worker.cause}){trials}"))
            for each in left:
                if each.failed is not None:
                    self._count_faults(each.failed)
            told = self._stop is not None
        if told or worker.code == 0:
            slot.ended = True
        elif self._crashes >= CRASHES_IN_A_ROW:
            slot.ended = True
            self._end(StopReason.FAILED, f"workers die again and again without finishing an epoch ({worker.cause})")
        else:
            self._start(slot)

    def _release(self, worker: Worker, worker_id: WorkerId, *, crashed: bool) -> list[Released]:
        cause = worker.cause if worker.code == EXIT_STALLED else ""
        try:
            return self._study.leases.release(worker_id, crashed=crashed, cause=cause)
        except StorageAway:
            if self._stop is None:
                raise
            return []  # that is why the search ends; the next one sees that the worker is dead

    def _kill_all(self) -> None:
        for _, worker in self._living():
            worker.kill()

    # -- what ends a search

    def _take_in(self, slot: _Slot, event: Event) -> None:
        self._view.event(self._slots.index(slot), event)
        match event:
            case EpochReported(new=True):
                self._crashes = 0
            case NothingLeft(exhausted=exhausted):
                self._full = True
                self._exhausted = self._exhausted or exhausted
            case WorkerFailed(text=text, storage_away=True):
                self._study.retry.give_up()  # the worker waited for it already: do not wait again
                self._end(StopReason.STORAGE_AWAY, text)
            case WorkerFailed(text=text):
                self._end(StopReason.FAILED, text)
            case TrialEnded():
                self._judge(event)
                if event.outcome.state == "FAIL" and slot.worker is not None:
                    slot.worker.tell(Command.GO_ON)

    def _judge(self, event: TrialEnded) -> None:
        """The same fault three times in a row, or a value that reaches the target."""
        state = event.outcome.state
        if state in ("COMPLETE", "PRUNED", "FAIL") or event.outcome is Outcome.PAUSED:
            if event.outcome is not Outcome.WORKER_LOST:
                self._crashes = 0
            self._count_faults(event.reason if state == "FAIL" else None)
        objective = self._study.objective
        if self._target is not None and event.value is not None and objective.reaches(event.value, self._target):
            self._end(StopReason.TARGET, f"validation {objective.title} {event.value:.4f} reaches the target {self._target:g}")

    def _count_faults(self, reason: str | None) -> None:
        """Failed trials do not count towards the total, so a search in which every trial fails would never end by itself."""
        if reason is None:
            self._faults.clear()
            return
        self._faults.append(re.sub(r"\d+", "#", reason))  # the same fault names another trial's file each time
        same = len(self._faults) >= SAME_FAULTS and len(set(self._faults[-SAME_FAULTS:])) == 1
        if same or len(self._faults) >= FAULTS:
            number, how = (SAME_FAULTS, "failed the same way") if same else (FAULTS, "failed; the last")
            self._end(StopReason.FAILED, f"{number} trials in a row {how}: {reason}")

    def _check_signals_and_clock(self) -> None:
        if self._signals:
            if self._stop is not None and self._stop.reason is StopReason.STOPPED:
                self._stop = None  # it was letting trials finish; now it stops them
            self._end(StopReason.INTERRUPTED)
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._end(StopReason.TIMEOUT, "the time given with --timeout is over")
        if self._stop is not None and (self._signals > 1 or time.monotonic() > self._kill_at):
            for _, worker in self._living():
                worker.kill()

    def _end(self, reason: StopReason, text: str = "", command: Command = Command.STOP) -> None:
        """The first reason counts. Workers are told; those that do not hear are killed after a while."""
        if self._stop is not None:
            return
        self._stop = Stop(reason=reason, text=text)
        if command is Command.STOP:
            self._kill_at = time.monotonic() + GRACE_SECONDS
        for _, worker in self._living():
            worker.tell(command)

    def _count(self) -> Counts | None:
        """Show how the study stands; None while the database is away, which the workers wait for and say."""
        try:
            counts = self._study.leases.peek()
        except SQLAlchemyError:
            return None
        self._view.counts(counts)
        return counts

    def _heed_stops(self, counts: Counts | None) -> None:
        if counts is not None and counts.stops > self._stops:
            self._end(StopReason.STOPPED, "stopped by `tuner stop`", Command.FINISH)
