"""The events that workers send to their supervisor, and the commands that it sends to them. The live view gets the same events."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from ..config.trial_config import TrialConfig
from ..study.outcome import Outcome
from ..training.score import Score


@dataclass(frozen=True, kw_only=True)
class Message:
    """A line for people."""

    text: str


@dataclass(frozen=True, kw_only=True)
class TrialStarted:
    """A trial is trained from here on; it has `epoch` epochs already. `taken` says why it went on, where it had paused."""

    number: int
    config: TrialConfig
    epoch: int
    taken: str | None = None


@dataclass(frozen=True, kw_only=True)
class EpochReported:
    """An epoch's figures, out of `epochs` in all; `new` where it was trained now, and not before an interruption."""

    number: int
    epochs: int
    score: Score
    new: bool


@dataclass(frozen=True, kw_only=True)
class StepsTaken:
    """How far a trial is within an epoch: `step` of `steps`, and how fast. It may be left out where nobody listens."""

    number: int
    epoch: int
    step: int
    steps: int
    steps_per_second: float
    images_per_second: float


@dataclass(frozen=True, kw_only=True)
class TrialEnded:
    """A trial is no longer trained here. `value` is the objective's, for a COMPLETE trial."""

    number: int
    outcome: Outcome
    reason: str
    value: float | None = None


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Nothing to claim, but `held` trials of other workers may come back."""

    held: int


@dataclass(frozen=True, kw_only=True)
class NothingLeft:
    """Nothing to claim, and nothing will come back; `exhausted` where the space has no configuration left.

    `settled` paused trials were ended: none of them was likely enough to win.
    """

    exhausted: bool
    settled: int = 0


@dataclass(frozen=True, kw_only=True)
class WorkerFailed:
    """The worker ends with an error that no trial is to blame for; `storage_away` where the database stayed away."""

    text: str
    storage_away: bool = False


@dataclass(frozen=True, kw_only=True)
class WorkerDied:
    """A worker's process ended without an event that says why. This event comes from the supervisor."""

    text: str


Event = Message | TrialStarted | EpochReported | StepsTaken | TrialEnded | Waiting | NothingLeft | WorkerFailed | WorkerDied


class Command(Enum):
    """What a supervisor tells a worker."""

    STOP = auto()  # now, its trial back in the queue
    FINISH = auto()  # after this trial
    GO_ON = auto()  # a failed trial was heard of, and does not end the search
