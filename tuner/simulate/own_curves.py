"""The curves of a study's own trials, to be replayed."""

from __future__ import annotations

import numpy as np

from ..errors import NothingToShow, UsageError
from ..study.study import Study
from ..study.trials import TrialRow, list_trials
from .recording import Recording

LEAST = 20  # curves: of fewer, which of them is the best is nearly all chance


def find_whole(study: Study) -> list[TrialRow]:
    """The trials that were trained for as many epochs as the study's longest, once for each configuration."""
    epochs = study.config.epochs_range[1]
    return [row for row in list_trials(study) if row.state == "COMPLETE" and len(row.epochs) == epochs and "same_as" not in row.run]


def read_curves(study: Study) -> Recording:
    """The curves of the trials that were trained to their end.

    Errors: NothingToShow where they are fewer than 20; UsageError where accuracy is not the one objective.
    """
    if study.config.cost is not None:
        raise UsageError(f"study {study.name!r} has {study.config.cost} as an objective too, and only accuracy is replayed: name another")
    epochs = study.config.epochs_range[1]
    whole = find_whole(study)
    if len(whole) < LEAST or epochs < 2:
        raise NothingToShow(
            f"study {study.name!r} has {len(whole)} trials of all {epochs} epochs, and {LEAST} of 2 epochs or more are wanted: "
            "search on, with `pruner: none` if all are to be trained to their end"
        )
    errors = np.array([[study.objective.to_error(value) for value in row.curve] for row in whole])
    if study.config.value == "best":
        errors = np.minimum.accumulate(errors, axis=1)
    seconds = np.array([row.seconds / epochs for row in whole])
    return Recording(name=study.name, errors=errors, source=f"{len(whole)} trials of {epochs} epochs of this study", seconds=seconds)
