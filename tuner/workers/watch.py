"""Whether a worker still gets on: it writes down by when its present step must have ended, and its parent process looks.

A step that never returns (a stuck disk, a driver, a process that was stopped) cannot end itself, so the parent kills it. The
clock is monotonic: it does not move when the time is set, stands while the machine sleeps, and both processes read the same.
"""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Callable, MutableSequence

from ..study.retry import read_outage_seconds

STALL_SECONDS = 300.0  # a step may take this long whatever the others took
SLOWER = 10  # and so many times the slowest of its kind in this trial
ASLEEP_SECONDS = 5.0  # a parent that did not look for so long was stopped, and its workers with it
KINDS = (
    "trial",
    "start of training",
    "training step of the first epoch",
    "training step",
    "evaluation",
    "checkpoint",
    "call to the database",
)
Shared = MutableSequence[float]


def share() -> Shared:
    """What a worker and its parent both see: the deadline, the kind of step, and the seconds it may take."""
    shared: Shared = multiprocessing.get_context("spawn").RawArray("d", 3)
    shared[0] = math.inf
    return shared


class Watch:
    """The worker's side. `stall` 0 sets no limit to a step, `timeout` None none to a trial."""

    def __init__(self, shared: Shared, *, stall: float, timeout: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._stall = stall
        self._timeout = timeout
        self._clock = clock
        self._kind: str | None = None
        self._began = 0.0
        self._trial_ends = math.inf
        self._slowest: dict[str, float] = {}
        self._first_epoch = True

    def begin_trial(self) -> None:
        self._slowest.clear()
        self._kind = None
        self._first_epoch = True
        self._trial_ends = math.inf if self._timeout is None else self._clock() + self._timeout
        self.rest()

    def step(self) -> None:
        self.begin("training step of the first epoch" if self._first_epoch else "training step")

    def end_epoch(self) -> None:
        self._first_epoch = False

    def begin(self, kind: str) -> None:
        """The step before has ended, and one of this kind begins."""
        now = self._end()
        self._kind, self._began = kind, now
        seconds = max(SLOWER * self._slowest.get(kind, 0.0), self._stall) if self._stall else math.inf
        self._write(kind, now + seconds, seconds)

    def rest(self) -> None:
        """The step before has ended. Work on the database begins, which may be away for as long as we wait for it."""
        now = self._end()
        seconds = read_outage_seconds() + self._stall if self._stall else math.inf
        self._write("call to the database", now + seconds, seconds)

    def end_trial(self) -> None:
        self._trial_ends = math.inf
        self._end()
        self._write("trial", math.inf, 0.0)

    @property
    def late(self) -> bool:
        return self._clock() > self._shared[0]

    def _end(self) -> float:
        now = self._clock()
        if self._kind is not None:
            self._slowest[self._kind] = max(self._slowest.get(self._kind, 0.0), now - self._began)
            self._kind = None
        return now

    def _write(self, kind: str, deadline: float, seconds: float) -> None:
        self._shared[0] = math.inf  # so that no deadline is read with another step's kind
        if self._trial_ends < deadline:
            kind, deadline, seconds = "trial", self._trial_ends, self._timeout or 0.0
        self._shared[1], self._shared[2] = KINDS.index(kind), seconds
        self._shared[0] = deadline


class Watcher:
    """The parent's side."""

    def __init__(self, shared: Shared, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._clock = clock
        self._looked = clock()
        self._deadline = math.inf
        self._slept = 0.0  # seconds of the present step in which this process was stopped itself

    def look(self) -> str | None:
        """What took too long, in words; None where all is well. To be asked every few seconds."""
        now, deadline = self._clock(), self._shared[0]
        gap, self._looked = now - self._looked, now
        if deadline != self._deadline:
            self._deadline, self._slept = deadline, 0.0
        if gap > ASLEEP_SECONDS:
            self._slept += gap
        if now - self._slept <= deadline:
            return None
        kind, seconds = KINDS[int(self._shared[1])], self._shared[2]
        option = "--trial-timeout" if kind == "trial" else "--stall"
        return f"a {kind} took longer than {seconds:.3g} s, see {option}".replace("a evaluation", "an evaluation")
