"""What a study shows in optuna-dashboard beside its figures: notes, plots, and artifacts of the best trials.

All of it is made when a search ends or a dashboard starts, never by a trial. What is there already is left alone.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Sequence

import optuna
import optuna_dashboard
import torch

from .artifacts import Artifacts
from .interactive import plots
from .notes import study_note, trial_note
from .output import say
from .pictures.confusion import confusion_matrix
from .pictures.curves import learning_curve
from .places import device_name
from .predictions import Kept, NoPredictions, kept
from .study.record import Record, load, names
from .study.storage import Storage
from .study.trials import TrialRow, best, exported, rows

# The dashboard keeps notes among the study's attributes, and looks through all of these for each trial: notes on all of
# 3,000 trials would take many minutes to write and several seconds at the first load of the page.
MOST_NOTES = 200
NOTES_A_WRITE = 25  # in one transaction: other writers of a SQLite file wait that long
MARK = "tuner:published"  # system attribute: hashes of what we wrote last


def publish(record: Record, keep: int = 5, seconds: float = 60.0) -> None:
    """Bring a study's notes, its plots and the artifacts of its best `keep` trials up to date.

    Nothing is done for a study without a COMPLETE trial. After `seconds` no further trial's artifacts are begun; the
    next call goes on with them. Errors: whatever the storage, the disk or a picture raises.
    """
    everything = rows(record)
    top = best(record, keep)
    if not top:
        return
    began = time.monotonic()
    ranked = sorted(everything, key=lambda row: (row.state != "COMPLETE", -(row.value or 0.0), row.number))
    noted = [row for row in ranked if row.state in ("COMPLETE", "PRUNED", "FAIL")][:MOST_NOTES]
    _save_notes(record, noted, study_note(record, everything, top[0], len(noted)))
    _save_plots(record, ranked)
    artifacts = Artifacts(record)
    artifacts.withdraw(but=[row.number for row in top])
    for row in top:
        if time.monotonic() - began > seconds:
            break
        _save_artifacts(artifacts, record, row)


def publish_quietly(record: Record, keep: int = 5, seconds: float = 60.0) -> None:
    """As `publish`; what goes wrong is a remark, because the search itself is safe."""
    _remark(lambda: publish(record, keep, seconds))


def publish_every(storage: Storage) -> None:
    """Every study of a storage, for as long as it takes; what goes wrong is a remark."""
    for name in names(storage):
        _remark(lambda name=name: publish(load(storage, name), seconds=600))  # type: ignore[misc]


def _remark(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception as error:
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        say(f"notes and pictures for the dashboard were not all made: {text}")


def _save_notes(record: Record, noted: Sequence[TrialRow], body: str) -> None:
    """A note on each trial that has none yet, and the study's own, unless a person changed it."""
    study = record.study()
    ids = {trial.number: trial._trial_id for trial in record.frozen_trials()}
    attrs = record.storage.optuna.get_study_system_attrs(record.ledger.study_id)
    lacking = [row for row in noted if f"dashboard:{ids[row.number]}:note_ver" not in attrs]
    for begin in range(0, len(lacking), NOTES_A_WRITE):
        with record.storage.transaction():
            for row in lacking[begin : begin + NOTES_A_WRITE]:
                optuna_dashboard.save_note(optuna.Trial(study, ids[row.number]), trial_note(record, row))
    mark = dict(attrs.get(MARK, {}))
    present = optuna_dashboard.get_note(study)
    if present != body and (not present or _digest(present) == mark.get("note")):
        optuna_dashboard.save_note(study, body)
        _set_mark(record, note=_digest(body))


def _save_plots(record: Record, ranked: Sequence[TrialRow]) -> None:
    """Every plot that is not as it was saved last."""
    study, before = record.study(), _mark(record)
    for name, figure in plots(ranked).items():
        digest = _digest(figure.to_json())
        if before.get(name) != digest:
            with record.storage.transaction():
                optuna_dashboard.save_plotly_graph_object(study, figure, graph_object_id=name)
            _set_mark(record, **{name: digest})


def _save_artifacts(artifacts: Artifacts, record: Record, row: TrialRow) -> None:
    """Learning curve, configuration, confusion matrix and weights of a trial, whichever are lacking."""
    found: list[Kept] = []

    def weights_kept() -> Kept:
        if not found:
            found.append(kept(record, row, device_name("auto")))
        return found[0]

    def confusion() -> bytes:
        said = weights_kept().predictions()
        return confusion_matrix(said, f"Confusion matrix, trial {row.number}, {len(said.labels):,} validation images")

    def weights() -> bytes:
        buffer = io.BytesIO()
        torch.save(weights_kept().weights, buffer)
        return buffer.getvalue()

    artifacts.put(row.number, "learning-curve.png", lambda: learning_curve(row))
    artifacts.put(row.number, "config.yaml", lambda: exported(record, row).encode())
    try:
        artifacts.put(row.number, "confusion-matrix.png", confusion)
        artifacts.put(row.number, "weights.pt", weights)
    except NoPredictions:
        return  # the weights are no longer kept, or the images are elsewhere


def _mark(record: Record) -> dict[str, str]:
    attrs = record.storage.optuna.get_study_system_attrs(record.ledger.study_id)
    return dict(attrs.get(MARK, {}))


def _set_mark(record: Record, **changed: str) -> None:
    record.storage.optuna.set_study_system_attr(record.ledger.study_id, MARK, _mark(record) | changed)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
