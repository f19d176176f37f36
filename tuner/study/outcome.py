"""How a trial ended, as a code for programs. The sentence beside it is for people."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """Stored as `outcome` among a trial's facts; the values are part of the stored format."""

    TRAINED = "trained"  # to its last epoch
    BELOW_OTHERS = "below_others"  # the pruner ended it
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out_of_memory"
    TOO_SLOW = "too_slow"  # its network's latency is above the study's limit
    SAME_AS = "same_as"  # took over the figures of a trial of the same configuration
    WORKER_LOST = "worker_lost"  # its workers died too often
    ERROR = "error"
    PAUSED = "paused"  # by the pruner `promote`; it may go on, and a worker that is free takes it up
    STOPPED = "stopped"  # back in the queue, with all it has
    TAKEN_OVER = "taken_over"  # another worker trains it now
    ENDED_BY_OTHER_TOOL = "ended_by_other_tool"

    @property
    def state(self) -> str:
        """The state, as Optuna names it, in which the worker leaves such a trial; RUNNING where it is no longer its to end."""
        if self in (Outcome.TRAINED, Outcome.SAME_AS):
            return "COMPLETE"
        if self in (Outcome.BELOW_OTHERS, Outcome.DIVERGED, Outcome.OUT_OF_MEMORY, Outcome.TOO_SLOW):
            return "PRUNED"
        if self in (Outcome.WORKER_LOST, Outcome.ERROR):
            return "FAIL"
        return "WAITING" if self in (Outcome.PAUSED, Outcome.STOPPED) else "RUNNING"

    @property
    def is_usual(self) -> bool:
        """Whether the trial's state and curve say all there is to say."""
        return self in (Outcome.TRAINED, Outcome.BELOW_OTHERS)


# How the sentences of trials begin that were stored before there was a code: until version 0.1.0.
_SENTENCES = {
    "trained to its last epoch": Outcome.TRAINED,
    "below the others at epoch": Outcome.BELOW_OTHERS,
    "diverged": Outcome.DIVERGED,
    "out of memory": Outcome.OUT_OF_MEMORY,
    "same configuration as trial": Outcome.SAME_AS,
    "its worker died": Outcome.WORKER_LOST,
}


def read_outcome(state: str, facts: Mapping[str, Any]) -> Outcome | None:
    """The outcome of a trial in this state, from the facts stored with it; None for one that is not finished.

    A trial that another tool ended has no facts of ours.
    """
    if state not in ("COMPLETE", "PRUNED", "FAIL"):
        return None
    if "outcome" in facts:
        return Outcome(facts["outcome"])
    if "same_as" in facts:
        return Outcome.SAME_AS
    reason = str(facts.get("reason", ""))
    if not reason:
        return Outcome.ENDED_BY_OTHER_TOOL
    return next((outcome for begin, outcome in _SENTENCES.items() if reason.startswith(begin)), Outcome.ERROR)
