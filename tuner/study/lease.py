"""What a worker is given when it asks for a trial, and how a study stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..config.environment import read_seconds

FORGIVEN = "crashes_forgiven"  # a trial's attribute: how many there had been when its newest epoch was stored


class LeaseLost(Exception):
    """Another worker holds the trial now; whatever this one still wants to write is refused."""


class EndedByOtherTool(Exception):
    """The dashboard or another tool ended the trial while a worker trained it."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to write a trial, for as long as no other worker has a higher `fence`.

    `resumed` where the trial had been begun before; `crashes` counts the workers that died while training it. `failed` are
    trials that were found to have killed their workers too often, on the way to this one.
    """

    trial_id: int
    number: int
    worker_id: str
    fence: int
    crashes: int
    resumed: bool
    failed: tuple[Released, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NothingToClaim:
    """No trial to train now. `held` trials belong to other workers and may come back; `full` and `exhausted` say why none is made.

    `failed` as in a lease.
    """

    held: int
    full: bool = False
    exhausted: bool = False
    failed: tuple[Released, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Released:
    """A trial that its dead worker left behind: back in the queue, or `failed` with this reason."""

    number: int
    failed: str | None


@dataclass(frozen=True, kw_only=True)
class StaleTrial:
    """A RUNNING row that no worker trains, and how that is known."""

    trial_id: int
    number: int
    why: str


@dataclass(frozen=True, kw_only=True)
class NewTrial:
    """What a new row starts with."""

    params: dict[str, Any]  # fixed by a start row
    user_attrs: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How a study stands. `n_trials` is its total; all rows but the failed and the copies of others count towards it.

    `copies` are among `complete`. `stops` rises with every `tuner stop`.
    """

    n_trials: int
    stops: int = 0
    complete: int = 0
    pruned: int = 0
    running: int = 0
    waiting: int = 0
    fail: int = 0
    copies: int = 0

    @property
    def used(self) -> int:
        return self.finished + self.running + self.waiting

    @property
    def finished(self) -> int:
        return self.complete + self.pruned - self.copies


def read_lease_seconds() -> float:
    """How long a lease lives without a heartbeat."""
    return read_seconds("TUNER_LEASE_SECONDS")
