"""What the figures of a step taken by hand show to have been a mistake."""

from __future__ import annotations

from ..study.certainty import may_be_chance
from .attempts import Attempt
from .language import Language

SAME_LOSS = 0.01  # a share of the validation loss: what changes less has stopped falling, or not risen


def tell_mistakes(attempt: Attempt, words: Language, images: int | None) -> str:
    """The mistakes of a step that was given by hand, in a sentence each; empty where its figures show none.

    A sampler's trials are no steps: it changes all at once, and knows what it does.
    """
    if attempt.row.start is None or attempt.row.state != "COMPLETE" or not attempt.row.epochs:
        return ""
    found = [*_find_in_comparison(attempt, words, images), *_find_in_curve(attempt, words)]
    if not found:
        return ""
    return f"{words.say('mistake' if len(found) == 1 else 'mistakes')} {' '.join(found)}"


def _find_in_comparison(attempt: Attempt, words: Language, images: int | None) -> list[str]:
    """Against the best before it: too much changed to know why, or too little gained to know whether."""
    row, before = attempt.row, attempt.before
    if before is None or row.value is None or before.value is None or "same_as" in row.run:
        return []
    if not attempt.changes:
        return [words.say("mistake_repeated")]
    found = []
    if len(attempt.changes) > 1:
        found.append(
            words.say(
                "mistake_many_changes",
                number=words.number(len(attempt.changes)),
            )
        )
    if images is not None and may_be_chance(row, before, images):
        found.append(words.say("mistake_chance", gap=words.difference(row.value - before.value), images=f"{images:,}"))
    return found


def _find_in_curve(attempt: Attempt, words: Language) -> list[str]:
    """In its own losses: stopped while it still learned, or trained on after it had learned."""
    losses = [epoch["val_loss"] for epoch in attempt.row.epochs]
    if len(losses) < 2:
        return []
    lowest = min(losses)
    if losses[-1] == lowest and losses[-1] < (1 - SAME_LOSS) * losses[-2] and not attempt.improved:
        return [words.say("mistake_short", before=f"{losses[-2]:.4f}", after=f"{losses[-1]:.4f}")]
    if losses[-1] > (1 + SAME_LOSS) * lowest:
        rise = f"{100 * (losses[-1] / lowest - 1):.0f}"
        return [words.say("mistake_long", lowest=attempt.row.epochs[losses.index(lowest)]["epoch"], rise=rise)]
    return []
