"""What is published for the dashboard: once, for the best trials only, and never at the cost of the search."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import optuna_dashboard
import pytest
import torch
import yaml
from optuna.trial import TrialState
from PIL import Image

from tests import fabricated
from tests.conftest import Tuner
from tuner.dashboard import artifacts
from tuner.dashboard import publish as publishing
from tuner.dashboard.artifacts import find_artifact_folder, open_artifact_store
from tuner.dashboard.publish import publish, publish_quietly
from tuner.report.predictions import NoPredictions, find_kept_weights
from tuner.study.storage import Storage
from tuner.study.studies import load
from tuner.study.study import Study
from tuner.study.trials import find_best

SPACE = {"model": "mynet", "pruner": "median", "space": {"lr": {"low": 1e-4, "high": 1e-1, "log": True}, "epochs": {"low": 1, "high": 6}}}
FILES = ["config.yaml", "confusion-matrix.png", "learning-curve.png", "weights.pt"]


@pytest.fixture
def opened(url: str) -> Iterator[Storage]:
    storage = Storage(url, make=True)
    yield storage
    storage.close()


def made_up(storage: Storage, count: int = 4) -> Study:
    study = fabricated.study(storage, SPACE)
    values = {"lr": 0.01, "epochs": 2}
    fabricated.add(study, [fabricated.trial(study, values, [0.4, 0.5 + 0.1 * n], number=n) for n in range(count)])
    return study


def shown(study: Study) -> dict[str, Any]:
    """What the dashboard's own page is made from."""
    application = optuna_dashboard.wsgi(study.storage.optuna, open_artifact_store(study.storage))
    return json.loads(ask(application, f"/api/studies/{study.leases.study_id}"))  # type: ignore[no-any-return]


def ask(application: Any, path: str) -> bytes:
    said: list[str] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "localhost", "SERVER_PORT": "80"}
    environ |= {"wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "wsgi.url_scheme": "http"}
    answer = application(environ, lambda status, *rest: said.append(status))
    body = b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    assert said == ["200 OK"], (said, body)
    return body


def attrs(study: Study) -> dict[str, Any]:
    return study.storage.optuna.get_study_system_attrs(study.leases.study_id)


def test_study_and_trials_get_notes_and_the_study_its_plots(opened: Storage) -> None:
    study = made_up(opened)
    fabricated.add(
        study, [fabricated.trial(study, {"lr": 0.1, "epochs": 2}, [], state=TrialState.FAIL, reason="it <b>broke</b>", number=4)]
    )
    publish(study)
    page = shown(study)
    note = page["note"]["body"]
    for part in (
        "MyNet",
        "cifar10",
        "trial 3, 80.00 %",
        "0.0001 to 0.1, on a logarithmic",
        "tuner search made --more 10",
        "--export config.yaml",
    ):
        assert part in note, part
    assert "secret" not in note
    for number in range(4):
        body = page["trials"][number]["note"]["body"]
        text = body.split("```yaml\n")[1].split("```")[0]
        assert yaml.safe_load(text)["origin"]["trial"] == number and "trained to the end" in body
    assert "    it <b>broke</b>" in page["trials"][4]["note"]["body"]
    plots = {plot["id"]: json.loads(plot["graph_object"]) for plot in page["plotly_graph_objects"]}
    assert plots.keys() == {"learning-curves", "accuracy-against-parameters", "accuracy-against-seconds"}
    assert plots["learning-curves"]["layout"]["xaxis"]["title"]["text"] == "Epoch"


def test_what_is_there_is_left_alone_and_what_a_person_wrote_too(opened: Storage) -> None:
    study = made_up(opened)
    publish(study)
    first = attrs(study)
    publish(study)
    assert attrs(study) == first
    fabricated.add(study, [fabricated.trial(study, {"lr": 0.02, "epochs": 1}, [0.9], number=4)])
    optuna_study = study.optuna_study()
    publish(study)
    assert "trial 4, 90.00 %" in optuna_dashboard.get_note(optuna_study)
    optuna_dashboard.save_note(optuna_study, "mine")
    with warnings.catch_warnings():
        trial = optuna.Trial(optuna_study, study.frozen_trials()[0]._trial_id)
    optuna_dashboard.save_note(trial, "mine too")
    publish(study)
    assert (optuna_dashboard.get_note(optuna_study), optuna_dashboard.get_note(trial)) == ("mine", "mine too")


def test_only_the_best_trials_have_artifacts_and_those_that_fall_behind_lose_theirs(opened: Storage) -> None:
    study = made_up(opened)
    publish(study, keep=2)
    names = [[a["filename"] for a in trial["artifacts"]] for trial in shown(study)["trials"]]
    assert names[:2] == [[], []] and all(sorted(n) == ["config.yaml", "learning-curve.png"] for n in names[2:]), "no weights were trained"
    assert len(list(find_artifact_folder(opened).iterdir())) == 4
    fabricated.add(study, [fabricated.trial(study, {"lr": 0.02, "epochs": 1}, [0.9], number=4)])
    publish(study, keep=2)
    assert [len(trial["artifacts"]) for trial in shown(study)["trials"]] == [0, 0, 0, 2, 2]
    assert len(list(find_artifact_folder(opened).iterdir())) == 4
    next(find_artifact_folder(opened).iterdir()).unlink()
    publish(study, keep=2)
    assert len(list(find_artifact_folder(opened).iterdir())) == 4, "a lost file is made again"


def test_a_trial_s_note_shows_its_pictures_before_its_configuration_for_as_long_as_they_are_there(opened: Storage) -> None:
    study = made_up(opened)
    publish(study, keep=2)
    trials = shown(study)["trials"]
    for trial in trials[2:]:
        [curve] = [a["artifact_id"] for a in trial["artifacts"] if a["filename"] == "learning-curve.png"]
        told, _, configuration = trial["note"]["body"].partition("```yaml")
        assert f"![learning curve](/artifacts/1/{trial['trial_id']}/{curve})" in told and "lr: 0.01" in configuration
        assert "confusion" not in told, "no weights were trained"
    assert "![" not in trials[0]["note"]["body"] + trials[1]["note"]["body"]
    third = optuna.Trial(study.optuna_study(), study.frozen_trials()[3]._trial_id)
    optuna_dashboard.save_note(third, "mine")
    better = [fabricated.trial(study, {"lr": 0.02, "epochs": 1}, [accuracy], number=4) for accuracy in (0.9, 0.95)]
    fabricated.add(study, better)
    publish(study, keep=2)
    bodies = [trial["note"]["body"] for trial in shown(study)["trials"]]
    assert ["![" in body for body in bodies] == [False, False, False, False, True, True] and bodies[3] == "mine"


def test_a_large_study_keeps_its_notes_to_the_best(opened: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "MOST_NOTES", 2)
    study = made_up(opened)
    publish(study, keep=1)
    page = shown(study)
    assert [bool(trial["note"]["body"]) for trial in page["trials"]] == [False, False, True, True]
    assert "The best 2 trials have notes" in page["note"]["body"]


def test_a_study_without_a_complete_trial_and_a_full_disk_are_no_trouble(
    opened: Storage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = fabricated.study(opened, SPACE)
    before = attrs(study)
    publish(study)
    assert attrs(study) == before and not find_artifact_folder(opened).exists()
    fabricated.add(study, [fabricated.trial(study, {"lr": 0.02, "epochs": 1}, [0.9])])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifacts.FileSystemArtifactStore, "write", full)
    publish_quietly(study)
    assert "notes and pictures for the dashboard were not all made: OSError" in capsys.readouterr().err
    assert not shown(study)["trials"][0]["artifacts"], "an artifact that was not written is not named"


def test_a_search_publishes_weights_and_pictures_that_agree_with_its_trials(tuner: Tuner, small_study: Path, tmp_path: Path) -> None:
    tuner("search", "small.yaml", "--trials", "3", "--workers", "1", "--device", "cpu", "--keep", "2", "--publish")
    storage = Storage(f"sqlite:///{tmp_path}/studies/tuner.db")
    study = load(storage, "small")
    page = shown(study)
    top = find_best(study, 3)
    application = optuna_dashboard.wsgi(storage.optuna, open_artifact_store(storage))
    for row in top[:2]:
        trial = page["trials"][row.number]
        files = {a["filename"]: ask(application, f"/artifacts/1/{trial['trial_id']}/{a['artifact_id']}") for a in trial["artifacts"]}
        assert sorted(files) == FILES
        for name in ("learning-curve.png", "confusion-matrix.png"):
            Image.open(io.BytesIO(files[name])).verify()
        Path(f"w{row.number}").mkdir()
        for name in ("weights.pt", "config.yaml"):
            Path(f"w{row.number}/{name}").write_bytes(files[name])
        found = find_kept_weights(study, row, "cpu").predictions()
        assert found.accuracy == row.value, "the pictures are of the very weights that were scored"
        assert int(found.matrix().sum()) == 40 and int(found.matrix().trace()) == round(40 * found.accuracy)
        wrong = found.most_wrong(100)
        assert len(wrong) == 40 - found.matrix().trace() and (found.labels[wrong] != found.guesses[wrong]).all()
        assert list(found.sureness[wrong]) == sorted(found.sureness[wrong], reverse=True)
    assert not page["trials"][top[2].number]["artifacts"]
    with pytest.raises(NoPredictions, match="are not kept here"):
        find_kept_weights(study, top[2], "cpu")
    loaded = torch.load(f"w{top[0].number}/weights.pt", weights_only=True)["state_dict"]
    assert "pre_layers.0.weight" in loaded
    assert json.loads(tuner("evaluate", f"w{top[0].number}/weights.pt", "--json").stdout)["model"] == "mynet"
    storage.close()
