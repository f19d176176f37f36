"""The supervisor: starts workers, starts dead ones again, and ends them all. No worker outlives it."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from ..places import Place
from ..study.claim import Counts, Reaped
from ..study.owner import Owner
from ..study.patience import StorageAway
from ..study.record import Record
from .engine import Engine, Worker
from .worker import EXIT_STOPPED, Assignment

SAME_FAULTS = 3  # FAIL trials in a row with one reason end a search
FAULTS = 10  # FAIL trials in a row whatever their reasons
DEATHS_IN_A_ROW = 5  # workers that die without finishing an epoch end it too
POLL_SECONDS = 0.2
COUNT_SECONDS = 2.0
GRACE_SECONDS = 30.0


class View(Protocol):
    """Whoever watches: told of every event of a worker and, now and then, of the study's counts."""

    def event(self, worker: int, kind: str, facts: dict[str, Any]) -> None: ...

    def counts(self, counts: Counts) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a search ended.

    `full` (its total reached), `exhausted`, `interrupted`, `timeout`, `target`, `stopped`, `failed`, `away` (the database).
    """

    kind: str
    reason: str = ""


@dataclass
class _Slot:
    """One place and the worker in it."""

    assignment: Assignment
    worker: Worker | None = None
    ended: bool = False


class Supervisor:
    """Runs one worker a place until the study is full or something ends the search."""

    def __init__(
        self,
        record: Record,
        url: str | None,
        places: Sequence[Place],
        view: View,
        engine: Engine,
        *,
        source: str | None = None,
        keep: int = 5,
        timeout: float | None = None,
        target: float | None = None,
    ) -> None:
        self._record = record
        self._view = view
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._target = target
        self._slots = [_Slot(assignment=Assignment(url=url, study=record.name, source=source, keep=keep, place=place)) for place in places]
        self._engine = engine
        self._verdict: Verdict | None = None
        self._faults: list[str] = []
        self._deaths = 0
        self._signals = 0
        self._stops = record.ledger.counts().stops
        self._killed_at = float("inf")
        self._exhausted = False
        self._full = False
        self.interrupted = threading.Event()

    def run(self) -> Verdict:
        """Work until the end; every worker has ended and every trial is in its place when this returns."""
        with self._handled():
            try:
                for slot in self._slots:
                    self._start(slot)
                counted = 0.0
                while any(not slot.ended for slot in self._slots):
                    self._listen()
                    self._look_at_the_clock()
                    if time.monotonic() - counted > COUNT_SECONDS:
                        counted = time.monotonic()
                        self._count()
            finally:
                self._kill_all()
        if self._verdict is None:
            self._verdict = Verdict(kind="exhausted" if self._exhausted else "full")
        return self._verdict

    @contextmanager
    def _handled(self) -> Iterator[None]:
        """SIGINT and SIGTERM end the search cleanly; the second one kills the workers."""

        def handle(*_: object) -> None:
            self._signals += 1
            self.interrupted.set()

        kept = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)

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
            gone = worker.ended  # asked before its last words are heard
            self._hear(slot, worker)
            if gone and not slot.ended:
                self._ended(slot, worker)
        if self._verdict is None and self._full:
            for slot, worker in self._living():
                if worker.owner is None:  # it waits for a place in a cluster, and there is nothing left to do
                    worker.kill()
                    slot.ended = True

    def _hear(self, slot: _Slot, worker: Worker) -> None:
        for kind, facts in worker.hear():
            self._event(slot, kind, facts)

    def _ended(self, slot: _Slot, worker: Worker) -> None:
        """A worker is gone and its last words were heard: free its trials, and start it again if there is work."""
        died = worker.code not in (0, EXIT_STOPPED)
        ours = self._verdict is not None  # we told it to end, or killed it
        if worker.code != 0:
            left = self._reap(worker.owner, died=died and not ours) if worker.owner is not None else []
            if died and not ours:
                self._deaths += 1
                trials = "".join(f", trial {each.number} {each.failed or 'back in the queue'}" for each in left)
                self._view.event(self._slots.index(slot), "died", {"text": f"worker died ({worker.cause}){trials}"})
            for each in left:
                if each.failed is not None:
                    self._count_faults(each.failed)
            ours = self._verdict is not None
        if ours or worker.code == 0:
            slot.ended = True
        elif self._deaths >= DEATHS_IN_A_ROW:
            slot.ended = True
            self._end(Verdict(kind="failed", reason=f"workers die again and again without finishing an epoch ({worker.cause})"))
        else:
            self._start(slot)

    def _reap(self, owner: Owner, *, died: bool) -> list[Reaped]:
        try:
            return self._record.ledger.reap(owner, died=died)
        except StorageAway:
            if self._verdict is None:
                raise
            return []  # that is why the search ends; the next one sees that the worker is dead

    def _kill_all(self) -> None:
        for _, worker in self._living():
            worker.kill()

    # -- what ends a search

    def _event(self, slot: _Slot, kind: str, facts: dict[str, Any]) -> None:
        self._view.event(self._slots.index(slot), kind, facts)
        if kind == "epoch" and facts["new"]:
            self._deaths = 0
        elif kind == "full":
            self._full = True
            self._exhausted = self._exhausted or facts["exhausted"]
        elif kind == "fatal":
            if facts["away"]:
                self._record.ledger.patience.seconds = 0.0  # it was waited for; not again for every worker
            self._end(Verdict(kind="away" if facts["away"] else "failed", reason=facts["text"]))
        elif kind == "end":
            self._judge(facts)
            if facts["state"] == "FAIL" and slot.worker is not None:
                slot.worker.tell("judged")

    def _judge(self, facts: dict[str, Any]) -> None:
        """The same fault three times in a row, or a value that reaches the target."""
        if facts["state"] in ("COMPLETE", "PRUNED", "FAIL"):
            self._deaths = 0
            self._count_faults(facts["reason"] if facts["state"] == "FAIL" else None)
        if self._target is not None and facts["state"] == "COMPLETE" and facts["value"] >= self._target:
            self._end(Verdict(kind="target", reason=f"validation accuracy {facts['value']:.4f} reaches the target {self._target:g}"))

    def _count_faults(self, reason: str | None) -> None:
        """Failed trials cost no slot, so a search that only fails would never end by itself."""
        if reason is None:
            self._faults.clear()
            return
        self._faults.append(re.sub(r"\d+", "#", reason))  # the same fault names another trial's file each time
        same = len(self._faults) >= SAME_FAULTS and len(set(self._faults[-SAME_FAULTS:])) == 1
        if same or len(self._faults) >= FAULTS:
            number, how = (SAME_FAULTS, "the same way") if same else (FAULTS, "the last like this")
            self._end(Verdict(kind="failed", reason=f"{number} trials in a row failed {how}: {reason}"))

    def _look_at_the_clock(self) -> None:
        if self._signals:
            if self._verdict is not None and self._verdict.kind == "stopped":
                self._verdict = None  # it was letting trials finish; now it stops them
            self._end(Verdict(kind="interrupted"))
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._end(Verdict(kind="timeout", reason="the time given with --timeout is over"))
        if self._verdict is not None and (self._signals > 1 or time.monotonic() > self._killed_at):
            for _, worker in self._living():
                worker.kill()

    def _end(self, verdict: Verdict, word: str = "stop") -> None:
        """The first verdict counts. Workers are told; those that do not hear are killed after a while."""
        if self._verdict is not None:
            return
        self._verdict = verdict
        if word == "stop":
            self._killed_at = time.monotonic() + GRACE_SECONDS
        for _, worker in self._living():
            worker.tell(word)

    def _count(self) -> None:
        try:
            counts = self._record.ledger.peek()
        except SQLAlchemyError:
            return  # the database is away; the workers wait for it and say so
        self._view.counts(counts)
        if counts.stops > self._stops:
            self._end(Verdict(kind="stopped", reason="stopped by `tuner stop`"), "finish")
