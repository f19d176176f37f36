"""Paused trials trained for real: bit for bit what an unpaused run gives, whatever stops a search between two steps."""

from __future__ import annotations

import json
import random
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.conftest import Background, Tuner
from tests.test_promote import claim
from tuner.config.study_config import StudyConfig
from tuner.console.show import show_study
from tuner.dashboard.notes import write_study_note
from tuner.data import load as load_data
from tuner.data.parts import Parts
from tuner.placement import Placement
from tuner.report.answer import write_answer
from tuner.report.journal import list_attempts, write_journal
from tuner.study.lease import Lease
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, load
from tuner.study.study import Study
from tuner.study.trials import TrialRow, export_config, find_best, list_trials
from tuner.training.checkpoint import remove
from tuner.workers.events import Event, Message, TrialStarted
from tuner.workers.objective import tidy, train_trial

STUDY: dict[str, Any] = {
    "width": 0.01,
    "data": "digits",
    "train_images": 100,
    "image_size": 8,
    "validation": 0.2,
    "pruner": "promote",
    "space": {"lr": {"low": 0.001, "high": 0.1, "log": True}, "batch_size": [16, 32], "epochs": 6},
}
TRIALS = 5


@pytest.fixture(scope="module")
def parts() -> Parts:
    config = StudyConfig.from_dict(STUDY)
    return Parts(load_data(config.data), config.data, "cpu")


def make(folder: Path, **changes: Any) -> Study:
    folder.mkdir(exist_ok=True)
    storage = Storage(f"sqlite:///{folder}/x.db", make=True)
    return create_or_load(storage, "s", StudyConfig.from_dict({**STUDY, **changes}), "f", trials=TRIALS)


def search(study: Study, parts: Parts, stops: random.Random | None = None) -> list[Event]:
    """A worker's whole search; with `stops` it is stopped now and then, anywhere in an epoch, and opened anew."""
    said: list[Event] = []
    while isinstance(lease := claim(study), Lease):
        left = stops.randrange(2, 16) if stops is not None else None

        def stop() -> bool:
            nonlocal left
            left = None if left is None else left - 1
            return left == 0

        train_trial(study, lease, parts, Placement(), stop=stop, say=said.append)
        tidy(study, 1)
        if left == 0:
            study.storage.close()
            study = load(Storage(study.storage.url.render_as_string()), "s")
    tidy(study, 1)
    return said


def facts(study: Study) -> list[tuple[Any, ...]]:
    """All of a study's trials that does not depend on how long it took."""

    def figures(row: TrialRow) -> list[dict[str, Any]]:
        return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in row.epochs]

    return [(row.state, row.params, row.value, row.reason, figures(row)) for row in list_trials(study)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, parts: Parts) -> Study:
    """A search that nothing stopped."""
    study = make(tmp_path_factory.mktemp("whole") / "a")
    search(study, parts)
    return study


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, parts: Parts) -> Study:
    """The same trials without a pruner."""
    study = make(tmp_path_factory.mktemp("plain") / "a", sampler="random", pruner="none")
    search(study, parts)
    return study


def test_a_search_that_is_interrupted_is_the_same_search_bit_for_bit(tmp_path: Path, parts: Parts, whole: Study) -> None:
    broken = make(tmp_path / "b")
    said = search(broken, parts, random.Random(1))
    again = [event for event in said if isinstance(event, TrialStarted) and event.epoch and event.taken is None]
    assert len(again) >= 3, "it was interrupted within trials that had paused, too"
    assert facts(broken) == facts(whole)
    assert {state for state, *_ in facts(whole)} == {"COMPLETE", "PRUNED"}
    assert len(whole.files.numbers()) == 1, "of those that cannot win no checkpoint is left"


def test_a_worker_killed_in_a_trial_that_had_paused_changes_no_figure(
    tmp_path: Path, plain: Study, background: Callable[..., Background], tuner: Tuner
) -> None:
    """Two workers; one is killed as it goes on with a paused trial. Each curve is that of an unpaused run, as far as it goes."""
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({**STUDY, "sampler": "random"}))
    running = background("search", "s.yaml", "--trials", str(TRIALS), "--workers", "2", "--threads", "1", "--device", "cpu")
    number = running.wait_for(r"trial (\d+) goes on")[1]
    psutil.Process(int(_owner(tmp_path, number))).kill()
    running.wait_for("worker died")
    assert running.end() == 0
    shown = json.loads(tuner("show", "s", "--json").stdout)["trials"]
    assert len(shown) == TRIALS and {trial["state"] for trial in shown} <= {"COMPLETE", "PRUNED"}
    for trial, (_, params, _, _, curve) in zip(shown, facts(plain), strict=True):
        epochs = [{name: figure for name, figure in epoch.items() if name != "seconds"} for epoch in trial["epochs"]]
        assert trial["params"] == params and epochs == curve[: len(epochs)]
        assert (len(epochs) == len(curve)) == (trial["state"] == "COMPLETE")


def _owner(folder: Path, number: str) -> str:
    """The process that holds a trial's lease, or another worker's where that one is done with it already."""
    with sqlite3.connect(f"file:{folder}/studies/tuner.db?mode=ro", uri=True) as connection:
        query = "SELECT owner FROM tuner_leases JOIN trials USING (trial_id) WHERE owner IS NOT NULL ORDER BY number = ? DESC"
        return str(connection.execute(query, (number,)).fetchone()[0]).split(":")[1]


def test_a_lost_checkpoint_means_training_from_the_start_and_is_said(tmp_path: Path, parts: Parts, whole: Study) -> None:
    robbed = make(tmp_path / "b")
    said: list[Event] = []
    for _ in range(3):
        lease = claim(robbed)
        assert isinstance(lease, Lease)
        train_trial(robbed, lease, parts, Placement(), stop=bool, say=said.append)
    for number in range(3):
        remove(robbed.checkpoint_path(number))
    said += search(robbed, parts)
    lost = [event.text for event in said if isinstance(event, Message)]
    assert "trial 0: no checkpoint was found: trained again from the start" in lost
    assert facts(robbed) == facts(whole)
    assert list_trials(robbed)[0].run["notes"] == ["no checkpoint was found: trained again from the start"]


def test_show_report_and_notes_say_where_trials_pause_and_why_they_were_left(
    tmp_path: Path, parts: Parts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make(tmp_path / "a")
    while not any(state == "COMPLETE" for state, *_ in facts(study)):
        lease = claim(study)
        assert isinstance(lease, Lease)
        train_trial(study, lease, parts, Placement(), stop=bool, say=lambda event: None)
    rows = list_trials(study)
    paused = [row for row in rows if row.paused]
    assert paused and all(re.fullmatch(r"paused at epoch \d: \d(st|nd|rd|th) of \d", row.reason) for row in paused)
    frozen = study.frozen_trials()
    assert all(frozen[row.number].system_attrs["fixed_params"] == row.params for row in paused), "for other tools"
    show_study(study)
    shown = " ".join(capsys.readouterr().out.split())
    note = write_study_note(study, rows, find_best(study)[0], 1)
    answer = str(write_answer(study, rows, find_best(study)[0]))
    assert f"{len(paused)} paused" in shown
    for row in paused:
        assert row.reason in shown and f"trial {row.number}: {row.reason}" in note and f"trial {row.number} ({row.reason})" in answer
    monkeypatch.setattr("tuner.report.answer.MOST_PAUSED_NAMED", len(paused) - 1)
    at = {epoch: sum(len(row.epochs) == epoch for row in paused) for epoch in sorted({len(row.epochs) for row in paused})}
    places = " and ".join(f"{number} at epoch {epoch}" for epoch, number in at.items())
    assert f"Paused are {places}: `tuner show s` says where each stands." in str(write_answer(study, rows, find_best(study)[0]))

    search(study, parts)
    rows = list_trials(study)
    left = [row for row in rows if row.state == "PRUNED"]
    show_study(study)
    shown = " ".join(capsys.readouterr().out.split())
    answer, journal = str(write_answer(study, rows, find_best(study)[0])), str(write_journal(list_attempts(rows)))
    lost = f"Of the trials that paused, {len(left)} stayed there; the chance that any would have been the best is about "
    assert left and lost in shown and lost in answer
    for row in left:
        assert f"It was {row.reason.partition(';')[0]}, at " in journal and row.reason.split("; ")[1] in shown


def test_an_exported_trial_names_the_epochs_that_its_value_was_reached_with(tmp_path: Path, parts: Parts) -> None:
    study = make(tmp_path / "a", space={**STUDY["space"], "epochs": {"low": 1, "high": 6}})
    search(study, parts)
    for row in list_trials(study):
        exported = yaml.safe_load(export_config(study, row))
        assert exported["epochs"] == len(row.epochs) and (len(row.epochs) == 6) == (row.state == "COMPLETE")
