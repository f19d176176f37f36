"""A search that its study's own rules ended: what it says, and how to go on."""

from __future__ import annotations

from shlex import quote

from ..study.lease import Counts
from ..study.stopping import Cause
from ..study.study import Study


def is_over(counts: Counts) -> bool:
    """Whether a rule has ended the study and nothing is left to do: none is trained, none waits but for a larger budget."""
    if counts.ended is None:
        return False
    return not counts.running and (counts.ended.cause is Cause.BUDGET or not counts.waiting)


def tell_end(study: Study, counts: Counts) -> str:
    """The sentence. To be called where a rule has ended the study."""
    assert counts.ended is not None
    waits = [f"{counts.queued} back in the queue"] * bool(counts.queued) + [f"{counts.paused} paused"] * bool(counts.paused)
    standing = ", ".join([f"{counts.finished} of {counts.n_trials} trials finished", *waits])
    more = "a larger --budget" if counts.ended.cause is Cause.BUDGET else "--more 10, or a larger --stop-when-flat"
    return f"Search ended, {counts.ended.describe()}: {standing}. To go on: tuner search {quote(study.name)} with {more}"
