"""The figures of an epoch. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Score:
    """The figures of one epoch (1-based). Losses are means per image, accuracies fractions.

    The training part's are running means over the epoch, so they belong to the weights on the way through it.
    The validation part's are None where none was held out.
    Two scores are equal when all but the seconds are.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    seconds: float = field(compare=False)


def find_counted(curve: Sequence[Score], value: str) -> Score:
    """The epoch whose figures and weights count: the last, or for `best` the first of the highest validation accuracy."""
    if value == "last" or curve[-1].val_accuracy is None:
        return curve[-1]
    return max(curve, key=lambda score: score.val_accuracy or 0.0)
