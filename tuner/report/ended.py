"""Why a study ended before it had all its trials, in a report's words."""

from __future__ import annotations

from ..study.stopping import Cause, Ended
from .language import Language


def tell_end(ended: Ended | None, words: Language) -> list[str]:
    """A sentence; nothing where no rule ended the study."""
    if ended is None:
        return []
    found = ended.figures
    if ended.cause is Cause.BUDGET:
        return [words.say("ended_budget", spent=words.duration(found["spent"]), budget=words.duration(found["budget"]))]
    among = words.say("ended_none") if found["best"] is None else words.say("ended_among", best=words.figure(found["best"]))
    key = "noise_repeats" if found["repeats"] else "noise_unknown" if found["images"] is None else "noise_binomial"
    source = words.say(key, images=f"{found['images'] or 0:,}")
    before, noise = words.figure(found["before"]), words.difference(found["noise"])
    return [words.say("ended_flat", patience=found["patience"], before=before, among=among, noise=noise, source=source)]
