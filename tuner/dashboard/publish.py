"""What a study shows in optuna-dashboard beside its figures: notes, plots, and artifacts of the best trials.

All of it is made when a search ends or a dashboard starts, never by a trial. What is there already is left alone.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence

import optuna
import optuna_dashboard

from ..console.text import say
from ..placement import find_device
from ..report.languages.en import ENGLISH
from ..report.languages.objectives import speak_of
from ..report.pictures.confusion import draw_confusion_matrix
from ..report.pictures.curves import draw_learning_curve
from ..report.predictions import Kept, NoPredictions, find_kept_weights
from ..study.storage import Storage
from ..study.studies import list_studies, load
from ..study.study import Study
from ..study.trials import TrialRow, export_config, find_best, list_trials, rank_rows
from ..trained.kept import NotKept, make_kept_file
from .artifacts import Artifacts
from .notes import write_study_note, write_trial_note
from .plots import make_plots

# The dashboard keeps notes among the study's attributes, and looks through all of these for each trial: notes on all of
# 3,000 trials would take many minutes to write and several seconds at the first load of the page.
MOST_NOTES = 200
NOTES_A_WRITE = 25  # in one transaction: other writers of a SQLite file wait that long
MARK = "tuner:published"  # system attribute: hashes of what we wrote last


def publish(study: Study, keep: int = 5, seconds: float = 60.0) -> None:
    """Bring a study's notes, its plots and the artifacts of its best `keep` trials up to date.

    Nothing is done for a study without a COMPLETE trial. After `seconds` no further trial's artifacts are begun; the
    next call goes on with them. Errors: whatever the storage, the disk or a picture raises.
    """
    everything = list_trials(study)
    top = find_best(study, keep)
    if not top:
        return
    began = time.monotonic()
    ranked = rank_rows(study, everything)
    _write_notes(study, everything, ranked, top[0])
    _save_plots(study, ranked)
    artifacts = Artifacts(study)
    withdrawn = artifacts.withdraw(but=[row.number for row in top])
    for row in everything:
        if row.number in withdrawn:
            _show_pictures(artifacts, study, row)
    for row in top:
        if time.monotonic() - began > seconds:
            break
        try:
            _save_artifacts(artifacts, study, row)
        finally:
            _show_pictures(artifacts, study, row)


def publish_quietly(study: Study, keep: int = 5, seconds: float = 60.0) -> None:
    """As `publish`; errors are printed as a remark, because the search itself is safe."""
    _remark(lambda: publish(study, keep, seconds))


def publish_notes_quietly(study: Study) -> None:
    """The notes alone, where nothing else has changed; errors as in `publish_quietly`."""

    def write() -> None:
        everything, top = list_trials(study), find_best(study)
        if top:
            _write_notes(study, everything, rank_rows(study, everything), top[0])

    _remark(write)


def publish_every(storage: Storage) -> None:
    """Every study of a storage, for as long as it takes; what goes wrong is a remark."""
    for name in list_studies(storage):
        _remark(lambda name=name: publish(load(storage, name), seconds=600))  # type: ignore[misc]


def _remark(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception as error:
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        say(f"notes and pictures for the dashboard were not all made: {text}")


def _write_notes(study: Study, everything: Sequence[TrialRow], ranked: Sequence[TrialRow], best: TrialRow) -> None:
    noted = [row for row in ranked if row.state in ("COMPLETE", "PRUNED", "FAIL")][:MOST_NOTES]
    _save_notes(study, noted, write_study_note(study, everything, best, len(noted)))


def _save_notes(study: Study, noted: Sequence[TrialRow], body: str) -> None:
    """A note on each trial that has none yet, and the study's own, unless a person changed it."""
    shown = study.optuna_study()
    ids = {trial.number: trial._trial_id for trial in study.frozen_trials()}
    attrs = study.storage.optuna.get_study_system_attrs(study.leases.study_id)
    lacking = [row for row in noted if f"dashboard:{ids[row.number]}:note_ver" not in attrs]
    for begin in range(0, len(lacking), NOTES_A_WRITE):
        with study.storage.transaction():
            for row in lacking[begin : begin + NOTES_A_WRITE]:
                optuna_dashboard.save_note(optuna.Trial(shown, ids[row.number]), write_trial_note(study, row))
    mark = dict(attrs.get(MARK, {}))
    present = optuna_dashboard.get_note(shown)
    if present != body and (not present or _digest(present) == mark.get("note")):
        optuna_dashboard.save_note(shown, body)
        _set_mark(study, note=_digest(body))


def _save_plots(study: Study, ranked: Sequence[TrialRow]) -> None:
    """Every plot that is not as it was saved last."""
    shown, before = study.optuna_study(), _mark(study)
    for name, figure in make_plots(ranked, speak_of(ENGLISH, study.objective)).items():
        digest = _digest(figure.to_json())
        if before.get(name) != digest:
            with study.storage.transaction():
                optuna_dashboard.save_plotly_graph_object(shown, figure, graph_object_id=name)
            _set_mark(study, **{name: digest})


def _save_artifacts(artifacts: Artifacts, study: Study, row: TrialRow) -> None:
    """Learning curve, configuration, confusion matrix and weights of a trial, whichever are lacking."""
    found: list[Kept] = []

    def weights_kept() -> Kept:
        if not found:
            found.append(find_kept_weights(study, row, find_device("auto")))
        return found[0]

    def confusion() -> bytes:
        said = weights_kept().predictions()
        return draw_confusion_matrix(said, f"Confusion matrix, trial {row.number}, {len(said.labels):,} validation images")

    artifacts.put(row.number, "learning-curve.png", lambda: draw_learning_curve(row))
    artifacts.put(row.number, "config.yaml", lambda: export_config(study, row).encode())
    try:
        artifacts.put(row.number, "confusion-matrix.png", confusion)
        artifacts.put(row.number, "weights.pt", lambda: make_kept_file(study, row))
    except (NoPredictions, NotKept):
        return  # the weights are no longer kept, or the images are elsewhere


def _show_pictures(artifacts: Artifacts, study: Study, row: TrialRow) -> None:
    """Put a trial's pictures into its note before its configuration, and none that are gone, unless a person changed the note."""
    listed = artifacts.list_pictures(row.number)
    links = [(words, address) for words, address, _ in listed]
    ours = {write_trial_note(study, row, links[:shown]) for shown in range(len(links) + 1)}
    wanted = write_trial_note(study, row, [(words, address) for words, address, there in listed if there])
    trial = optuna.Trial(study.optuna_study(), artifacts.find_id(row.number))
    if (present := optuna_dashboard.get_note(trial)) in ours and present != wanted:
        with study.storage.transaction():
            optuna_dashboard.save_note(trial, wanted)


def _mark(study: Study) -> dict[str, str]:
    attrs = study.storage.optuna.get_study_system_attrs(study.leases.study_id)
    return dict(attrs.get(MARK, {}))


def _set_mark(study: Study, **changed: str) -> None:
    study.storage.optuna.set_study_system_attr(study.leases.study_id, MARK, _mark(study) | changed)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
