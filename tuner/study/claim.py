"""What a ledger hands out: claims, counts, and what was found in other hands."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any


class LeaseLost(Exception):
    """Another worker holds the trial now; whatever this one still wants to write is refused."""


class EndedOutside(Exception):
    """The trial was told from outside, by the dashboard or another tool."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to write a trial. `taken_up` where the trial had been begun before; `deaths` of its workers."""

    trial_id: int
    number: int
    owner: str
    epoch: int
    deaths: int
    taken_up: bool


@dataclass(frozen=True, kw_only=True)
class NoClaim:
    """Nothing to take now. `held` trials are in other hands and may come back; `full` and `exhausted` say why no new one."""

    held: int
    full: bool = False
    exhausted: bool = False


@dataclass(frozen=True, kw_only=True)
class Reaped:
    """A trial that its worker left behind: back in the queue, or `failed` with this reason."""

    number: int
    failed: str | None


@dataclass(frozen=True, kw_only=True)
class Zombie:
    """A RUNNING row that nobody trains, and how that is known."""

    trial_id: int
    number: int
    why: str


@dataclass(frozen=True, kw_only=True)
class NewTrial:
    """What a row made just in time starts with."""

    params: dict[str, Any]  # fixed by a start row
    user_attrs: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How a study stands. Slots used are all rows but the failed; `stops` rises with every `tuner stop`."""

    slots: int
    stops: int = 0
    complete: int = 0
    pruned: int = 0
    running: int = 0
    waiting: int = 0
    fail: int = 0

    @property
    def used(self) -> int:
        return self.complete + self.pruned + self.running + self.waiting

    @property
    def finished(self) -> int:
        return self.complete + self.pruned


def lease_seconds() -> float:
    """How long a lease lives without a beat."""
    return float(os.environ.get("TUNER_LEASE_SECONDS", "30"))
