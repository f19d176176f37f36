"""What a worker is given when it asks for a trial, and how a study stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..config.environment import read_seconds
from .stopping import Ended

FORGIVEN = "crashes_forgiven"  # a trial's fact: how many there had been when its newest epoch was stored


class LeaseLost(Exception):
    """Another worker holds the trial now; whatever this one still wants to write is refused."""


class EndedByOtherTool(Exception):
    """The dashboard or another tool ended the trial while a worker trained it."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to write a trial, for as long as no other worker has a higher `fence`.

    `resumed` where the trial had been begun before; `crashes` counts the workers that died while training it. `taken` says why a
    paused one goes on. `failed` are trials that were found to have killed their workers too often, on the way to this one.
    """

    trial_id: int
    number: int
    worker_id: str
    fence: int
    crashes: int
    resumed: bool
    taken: str | None = None
    failed: tuple[Released, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NothingToClaim:
    """No trial to train now. `held` trials belong to other workers and may come back; `full` and `exhausted` say why none is made.

    `settled` paused trials were ended with it, as none of them can win any more. `refused` where there is a trial, and not budget
    enough for it. `failed` as in a lease.
    """

    held: int
    full: bool = False
    exhausted: bool = False
    settled: int = 0
    refused: bool = False
    failed: tuple[Released, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Released:
    """A trial that its dead worker left behind: back in the queue, or `failed` with this reason."""

    number: int
    failed: str | None


@dataclass(frozen=True, kw_only=True)
class StaleTrial:
    """A RUNNING row that no worker trains, and how that is known. `silent`: its worker, on another machine, was only not heard of."""

    trial_id: int
    number: int
    why: str
    silent: bool = False


@dataclass(frozen=True, kw_only=True)
class NewTrial:
    """What a new row starts with."""

    params: dict[str, Any] = field(default_factory=dict)  # fixed by a start row
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How a study stands. `n_trials` is its total; all rows but the failed and the copies of others count towards it.

    `copies` are among `complete`. `rungs` says how many of the waiting pause, by the epoch at which they do; `promoted`
    trials went on from a rung. `stops` rises with every `tuner stop`. `budget` and `spent` are seconds of training and validation, None
    and 0 where the study has no budget; `ended` is the decision that holds.
    """

    n_trials: int
    stops: int = 0
    complete: int = 0
    pruned: int = 0
    running: int = 0
    waiting: int = 0
    fail: int = 0
    copies: int = 0
    rungs: Mapping[int, int] = field(default_factory=dict)
    promoted: int = 0
    budget: float | None = None
    spent: float = 0.0
    ended: Ended | None = None

    @property
    def used(self) -> int:
        return self.finished + self.running + self.waiting

    @property
    def paused(self) -> int:
        return sum(self.rungs.values())

    @property
    def queued(self) -> int:
        """Interrupted, and taken up before anything else."""
        return self.waiting - self.paused

    @property
    def finished(self) -> int:
        return self.complete + self.pruned - self.copies


def read_lease_seconds() -> float:
    """How long a lease lives without a heartbeat."""
    return read_seconds("TUNER_LEASE_SECONDS")
