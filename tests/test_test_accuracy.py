"""Looks at the test images are counted with the study that the configuration came from, and nowhere else."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from tests import fabricated
from tuner.config.data_config import DataConfig
from tuner.data import load as load_data
from tuner.errors import UsageError
from tuner.evaluate import evaluate_file
from tuner.report.answer import write_answer
from tuner.report.languages.ko import KOREAN
from tuner.retrain import retrain
from tuner.study.storage import Storage
from tuner.study.study import Study
from tuner.study.test_accuracy import read_tests, record_test
from tuner.study.trials import export_config, find_best, list_trials

PLAIN = {"data": "digits", "width": 0.0625, "train_images": 100, "space": {"lr": [0.01, 0.1]}}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two trials on digits, which were not trained here."""
    data = load_data(DataConfig(source="digits", train_images=100)).fingerprint
    made = fabricated.study(Storage(f"sqlite:///{tmp_path}/study.db", make=True), PLAIN, data=data)
    rows = [fabricated.trial(made, {"lr": lr, "epochs": 1, "batch_size": 50}, [0.5 + lr], number=n) for n, lr in enumerate((0.01, 0.1))]
    fabricated.add(made, rows)
    return made


def test_train_and_evaluate_count_each_look_at_the_test_images(study: Study, tmp_path: Path) -> None:
    url, best = str(study.storage), find_best(study)[0]
    (tmp_path / "config.yaml").write_text(export_config(study, best))
    figures = retrain(tmp_path / "config.yaml", tmp_path / "out", storage=url, progress=False)
    [look] = read_tests(study)
    assert (look.trial, look.accuracy, look.images, look.by, look.all_data) == (1, figures["test_accuracy"], 359, "train", False)
    assert abs((datetime.now(UTC).date() - look.day).days) <= 1
    told = str(write_answer(study, list_trials(study), best))
    assert "of trial 1: " in told and "The test set was touched once, on " in told and "for trial 1." in told

    retrain(tmp_path / "config.yaml", tmp_path / "out", storage=url, progress=False)
    assert read_tests(study) == [look], "a finished folder is not tested again"
    found = evaluate_file(tmp_path / "out" / "weights.pt", storage=url)
    assert [(each.by, each.accuracy) for each in read_tests(study)] == [("train", look.accuracy), ("evaluate", found["test_accuracy"])]
    assert "The test set was touched 2 times, last on " in str(write_answer(study, list_trials(study), best))
    assert "테스트 데이터는 2번 사용했고" in str(write_answer(study, list_trials(study), best, KOREAN))
    evaluate_file(tmp_path / "out" / "weights.pt", config=tmp_path / "out" / "config.yaml", storage=url)
    assert len(read_tests(study)) == 2, "with a file of one's own the weights may be any trial's"


def test_a_configuration_that_is_changed_is_its_trial_s_no_longer(study: Study, tmp_path: Path) -> None:
    """By an option, by hand, or trained again from what such a training left: the look is counted, and said to be of another one."""
    url, path = str(study.storage), tmp_path / "config.yaml"
    text = export_config(study, find_best(study)[0])
    path.write_text(text)
    assert not retrain(path, tmp_path / "same", storage=url, progress=False)["trial"]["changed"]
    threaded = retrain(path, tmp_path / "threaded", threads=2, progress=False)
    assert (threaded["trial"]["trial"], threaded["trial"]["changed"]) == (1, False), "threads only round otherwise"
    assert yaml.safe_load((tmp_path / "threaded/config.yaml").read_text())["threads"] == 2
    assert not retrain(tmp_path / "threaded/config.yaml", tmp_path / "thrice", progress=False)["trial"]["changed"]
    longer = retrain(path, tmp_path / "longer", storage=url, epochs=2, train_images="all", progress=False)
    assert longer["trial"] == {"study": "made", "trial": 1, "validation_accuracy": None, "value": None, "changed": True}
    kept = yaml.safe_load((tmp_path / "longer/config.yaml").read_text())
    assert len(longer["epochs"]) == kept["epochs"] == 2 and kept["data"]["train_images"] is None
    evaluate_file(tmp_path / "longer/weights.pt", storage=url)
    path.write_text(text.replace("lr: 0.1\n", "lr: 0.2\n"))
    assert retrain(path, tmp_path / "edited", storage=url, progress=False)["trial"]["changed"]
    again = retrain(tmp_path / "longer/config.yaml", tmp_path / "again", storage=url, progress=False)
    assert again["trial"]["changed"] and again["test_accuracy"] == longer["test_accuracy"]
    assert [look.changed for look in read_tests(study)] == [False, True, True, True, True]
    assert "(Its configuration was changed since the search" in str(write_answer(study, list_trials(study), find_best(study)[0]))
    path.write_text(re.sub(r"  configuration: .*\n", "", text))
    assert retrain(path, tmp_path / "earlier", epochs=2, progress=False)["trial"]["changed"], "a file of an earlier version, by option"
    path.write_text(text)
    for given in ("many", "-1", "0", "1.5"):
        with pytest.raises(UsageError, match=r"train.images"):
            retrain(path, tmp_path / "none", train_images=given, progress=False)


def test_what_cannot_be_written_is_no_error_and_nothing_is_written_to_others(study: Study, tmp_path: Path) -> None:
    origin = yaml.safe_load(export_config(study, find_best(study)[0]))["origin"]
    assert origin["id"] == study.uid
    said: list[str] = []

    def record(url: str | None, came_from: dict[str, object], data: str = study.data) -> None:
        record_test(url, came_from, data, accuracy=0.5, images=360, by="train", say=said.append)

    url = str(study.storage)
    record(url, {name: value for name, value in origin.items() if name != "id"})  # a file of an earlier version
    record(url, origin | {"id": "0" * 32})
    record(url, origin, "0" * 16)  # other images
    record(f"sqlite:///{tmp_path}/none.db", origin)
    record(f"sqlite:///{tmp_path}/config.yaml/none.db", origin)
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    record(f"sqlite:///{tmp_path}/broken.db", origin)
    assert said == [] and read_tests(study) == [] and not (tmp_path / "none.db").exists()
    record(url, origin)
    record(url, origin)
    assert said == [
        "test accuracy written to study made: the first look at its test images",
        "test accuracy written to study made: look 2 at its test images: more than one is no clean test",
    ]
