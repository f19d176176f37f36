"""How sure the figure of the best trial is."""

from __future__ import annotations

from ..study.study import Study
from ..study.trials import TrialRow
from .blocks import Paragraph
from .language import Language
from .predictions import Kept, NoPredictions


def count_images(study: Study, kept: Kept | NoPredictions) -> int | None:
    """How many images the validation part has: as the study recorded it, or as the images say; None where neither is here."""
    recorded = study.storage.optuna.get_study_user_attrs(study.leases.study_id).get("val_images")
    if isinstance(recorded, int):
        return recorded
    return len(kept.rows) if isinstance(kept, Kept) else None


def tell_certainty(best: TrialRow, images: int | None, words: Language) -> list[Paragraph]:
    """The interval of the best trial's accuracy. What cannot be told apart from it belongs here, a paragraph of its own."""
    if images is None or best.value is None:
        return [Paragraph(text=words.say("no_interval"))]
    low, high = find_interval(round(best.value * images), images)
    return [Paragraph(text=words.say("interval", images=f"{images:,}", low=words.percent(low), high=words.percent(high)))]


def find_interval(hits: int, images: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a share of hits."""
    from scipy.stats import binomtest

    found = binomtest(hits, images).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)
