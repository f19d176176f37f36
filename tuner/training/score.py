"""The figures of an epoch. Imports no torch."""

from __future__ import annotations

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
