"""The figures of an epoch. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..config.objective import ACCURACY, OBJECTIVES, Objective

# What is there only where the objective asks for it.
FURTHER = ("val_balanced_accuracy", "val_macro_f1", "val_top5", "val_low", "val_high")


@dataclass(frozen=True, kw_only=True)
class Score:
    """The figures of one epoch (1-based). Losses are means per image, accuracies fractions.

    The training part's are running means over the epoch, so they belong to the weights on the way through it.
    The validation part's are None where none was held out. Those of FURTHER are None where they are not the objective;
    `val_low` and `val_high` are a 95 % interval of the balanced accuracy.
    Two scores are equal when all but the seconds are.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    seconds: float = field(compare=False)
    val_balanced_accuracy: float | None = None
    val_macro_f1: float | None = None
    val_top5: float | None = None
    val_low: float | None = None
    val_high: float | None = None

    def read(self, objective: Objective) -> float | None:
        """The objective's figure; None where there is none."""
        found: float | None = getattr(self, objective.key)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, without those of FURTHER that it has not."""
        return {name: value for name, value in asdict(self).items() if value is not None or name not in FURTHER}


def find_counted(curve: Sequence[Score], value: str, objective: str = ACCURACY.name) -> Score:
    """The epoch whose figures and weights count: the last, or for `best` the first in which the objective is best."""
    chosen = OBJECTIVES[objective]
    if value == "last" or curve[-1].val_accuracy is None:
        return curve[-1]
    return min(curve, key=lambda score: chosen.place(score.read(chosen)))
