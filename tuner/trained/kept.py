"""The weights that a search kept of a trial, as its checkpoint has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..config.facts import unpack_facts
from ..config.objective import ACCURACY
from ..errors import TunerError
from ..models.weights import open_weights
from ..study.study import Study
from ..study.trials import TrialRow, describe_export
from ..training import checkpoint
from ..training.state import choose_weights
from ..training.weights_file import make_weights_file

MADE_BY = "tuner search"
RECORDED = ("versions", "commit", "device")  # of what a trial says of its training


class NotKept(Exception):
    """They are not to be had on this machine; the text is the reason. `fault` says what is wrong with a file that is there."""

    def __init__(self, text: str, fault: str = "") -> None:
        super().__init__(text)
        self.fault = fault


def read_kept(study: Study, row: TrialRow) -> dict[str, Any]:
    """The state of the trial's run after its last whole epoch. Errors: NotKept."""
    assert row.config is not None
    # A trial of the same configuration as an earlier one took over its figures, and left the weights with it.
    path = study.checkpoint_path(int(row.run.get("same_as", row.number)))
    try:
        state = checkpoint.read(path, row.config, uid=study.uid)
    except checkpoint.CheckpointError as fault:
        raise NotKept(f"the weights of trial {row.number} cannot be read ({fault})", str(fault)) from None
    if state is None:
        raise NotKept(f"the weights of trial {row.number} are not kept here")
    return state


def is_kept_file(study: Study, row: TrialRow, path: Path) -> bool:
    """Whether a file holds the weights that a search kept of this very trial."""
    try:
        carried = open_weights(path).carried
        made = {} if carried is None else unpack_facts(carried, path).provenance
    except TunerError:
        return False
    return [made.get(name) for name in ("made_by", "study_id", "trial")] == [MADE_BY, study.uid, row.number]


def make_kept_file(study: Study, row: TrialRow) -> bytes:
    """The file of a trial's weights, as `tuner train` writes it. Nothing is trained, no images are read. Errors: NotKept."""
    state = read_kept(study, row)
    config, origin = describe_export(study, row)
    # Of the whole run as it lies here: the trial's row may have an epoch less.
    kept = state["curve"][-1]
    if config.value == "best":
        kept = min(state["curve"], key=lambda epoch: row.objective.place(epoch[row.objective.key]))
    provenance = {
        "made_by": MADE_BY,
        "study_id": study.uid,
        "study": study.name,
        "trial": row.number,
        "state": row.state,
        "epochs": len(state["curve"]),
        "val_accuracy": kept["val_accuracy"],
        **({} if row.objective is ACCURACY else {row.objective.key: kept[row.objective.key]}),
        **{name: row.run.get(name) for name in RECORDED},
    }
    return make_weights_file(
        choose_weights(state),
        config,
        fingerprint=study.data,
        classes=study.classes,
        data_code=study.config.code.get(config.data.source),
        origin=origin,
        provenance=provenance,
    )
