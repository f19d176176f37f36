"""The objectives of a study as Optuna has them: one figure alone, or accuracy with a cost beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ..config.objective import OBJECTIVES
from ..config.study_config import StudyConfig


def list_directions(config: StudyConfig) -> list[StudyDirection]:
    """That of the objective; a cost beside it is minimized."""
    first = StudyDirection.MINIMIZE if OBJECTIVES[config.objective].minimized else StudyDirection.MAXIMIZE
    return [first] if config.cost is None else [first, StudyDirection.MINIMIZE]


def make_values(config: StudyConfig, accuracy: float | None, cost: dict[str, Any]) -> float | list[float] | None:
    """What Optuna is told at the end of a trial; None where it has no accuracy."""
    return accuracy if accuracy is None or config.cost is None else [accuracy, float(cost[config.cost])]


def read_accuracy(trial: FrozenTrial) -> float | None:
    """The accuracy of a finished trial; of one that was pruned that of its last epoch. None for any other, and where there is none.

    `FrozenTrial.value` fails where there are two objectives, and of these a PRUNED trial has no values.
    """
    if trial.values:
        return float(trial.values[0])
    if trial.state is TrialState.PRUNED and trial.intermediate_values:
        return trial.intermediate_values[max(trial.intermediate_values)]
    return None


def leave_out_pruned(rows: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """What a sampler of two objectives can learn from: it has no use for a PRUNED trial that broke no constraint, as it has no values."""
    return [row for row in rows if row.state is not TrialState.PRUNED or any(value > 0 for value in row.constraints.values())]
