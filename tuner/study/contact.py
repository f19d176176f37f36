"""Whether a process may judge others by their heartbeats: not after a silence, and not when a clock was set."""

from __future__ import annotations

import time
from typing import Protocol

from .lease import read_lease_seconds

# Runs on while the process or its machine sleeps, and nobody sets it. macOS has that under the other name.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def read_clock() -> float:
    """Seconds of this machine since some moment: the one clock by which a process judges what it hears of others."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


def tolerated_step() -> float:
    """Seconds by which the database's clock may be set unnoticed, and a few times over: no lease runs out between heartbeats."""
    return read_lease_seconds() / 6


class Notices(Protocol):
    """Whoever is told that heartbeats may be missing through no fault of those who send them."""

    def clock(self) -> float: ...

    def notice(self) -> None: ...


class Contact:
    """When the database last answered, and how far its clock then was ahead of this process's own.

    Leases are dated by the database's clock. Where that is set, all of them look run out at once, or none for hours; after a
    silence this process slept, or the database was away. In both cases each worker is given one lease's time for a heartbeat.
    """

    def __init__(self, told: Notices) -> None:
        self._told = told
        self._answered = told.clock()
        self._ahead: float | None = None

    def note(self, database_time: float) -> None:
        """The database answered just now, when its clock showed so many seconds."""
        now, before = self._told.clock(), self._ahead
        silent, self._answered, self._ahead = now - self._answered, now, database_time - now
        was_set = 0.0 if before is None else abs(self._ahead - before)
        if silent > read_lease_seconds() * 2 / 3 or was_set > tolerated_step():
            self._told.notice()
