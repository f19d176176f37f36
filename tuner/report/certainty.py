"""How sure the figure of the best trial is, in a report's words."""

from __future__ import annotations

from ..study.certainty import Certainty, find_row_interval, measure_certainty
from ..study.study import Study
from ..study.trials import TrialRow
from .blocks import Paragraph
from .language import Language
from .predictions import Kept, NoPredictions

MOST_NUMBERS = 10  # of trials that are named one by one


def count_images(study: Study, kept: Kept | NoPredictions) -> int | None:
    """How many images the validation part has: as the study recorded it, or as the images say; None where neither is here."""
    recorded = study.storage.optuna.get_study_user_attrs(study.leases.study_id).get("val_images")
    if isinstance(recorded, int):
        return recorded
    return len(kept.rows) if isinstance(kept, Kept) else None


def tell_certainty(study: Study, best: TrialRow, images: int | None, words: Language) -> list[Paragraph]:
    """The interval of the best trial's value, and what cannot be told apart from it."""
    if not study.objective.has_interval:
        return [Paragraph(text=words.say("uncounted"))]
    found = find_row_interval(best, images)
    if images is None or found is None:
        return [Paragraph(text=words.say("no_interval"))]
    low, high = found
    key = "interval" if study.objective.counted else "interval_classes"
    interval = words.say(key, images=f"{images:,}", low=words.percent(low), high=words.percent(high))
    certainty = measure_certainty(study)
    ties = "" if certainty is None else _tell_ties(certainty, words)
    return [Paragraph(text=f"{interval} {ties}".strip())]


def _tell_ties(found: Certainty, words: Language) -> str:
    if not found.others:
        return ""
    kind = "" if found.exact else "_classes"
    if not found.tied:
        return words.say(f"ties_none{kind}", number=f"{found.others:,}")
    shown = words.joined([words.trial(number) for number in found.tied[:MOST_NUMBERS]])
    key = "ties" if len(found.tied) <= MOST_NUMBERS else "ties_many"
    return words.say(f"{key}{kind}", trials=shown, tied=f"{len(found.tied):,}", number=f"{found.others:,}")
