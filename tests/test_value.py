"""`value: best`: a trial's value and its weights are those of its best epoch, in the search, the pruner, the file and `train`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from tests import fabricated
from tests.runs import CONFIG, make, same
from tests.test_leases import claim
from tests.test_objective import STUDY
from tests.test_objective import train as train_one
from tests.test_space import claimed
from tuner.config.study_config import StudyConfig
from tuner.config.trial_config import TrialConfig
from tuner.data import load
from tuner.data.parts import Parts
from tuner.errors import TunerError, UsageError
from tuner.report.blocks import Paragraph
from tuner.report.page import make_report
from tuner.report.predictions import find_kept_weights
from tuner.retrain import retrain
from tuner.study import studies
from tuner.study.search_space import define
from tuner.study.storage import Storage
from tuner.study.trials import export_config, find_best
from tuner.training import checkpoint
from tuner.training.optimizer import compute_learning_rate
from tuner.training.run import Run
from tuner.training.score import Score, find_counted
from tuner.training.state import choose_weights

PLAIN = {"data": "digits", "pruner": "median", "space": {"lr": [0.01, 0.02], "epochs": 4}}
BEST = replace(CONFIG, epochs=4, lr=0.01, value="best")
IMAGES = 160  # enough for three epochs to learn from


@pytest.fixture
def uphill(monkeypatch: pytest.MonkeyPatch) -> None:
    """From its fourth epoch on a run goes up its loss, so that its best epoch is an earlier one, however the processor rounds."""

    def turn(config: TrialConfig, step: int, steps: int) -> float:
        rate = compute_learning_rate(config, step, steps)
        return -rate if step * config.epochs >= 3 * steps else rate

    monkeypatch.setattr("tuner.training.run.compute_learning_rate", turn)


def score(epoch: int, accuracy: float | None) -> Score:
    return Score(epoch=epoch, train_loss=1.0, train_accuracy=0.5, val_loss=1.0, val_accuracy=accuracy, seconds=0.1)


def test_of_two_best_epochs_the_first_counts_and_without_a_validation_part_the_last() -> None:
    curve = [score(1, 0.5), score(2, 0.8), score(3, 0.8), score(4, 0.6)]
    assert (find_counted(curve, "best").epoch, find_counted(curve, "last").epoch) == (2, 4)
    assert find_counted([score(1, None), score(2, None)], "best").epoch == 2


def test_where_it_is_the_last_nothing_is_written_of_it() -> None:
    last, best = (StudyConfig.from_dict(PLAIN | more) for more in ({"value": "last"}, {"value": "best"}))
    assert last == StudyConfig.from_dict(PLAIN) and "value" not in last.to_dict() | define(last, "f") | TrialConfig().to_dict()
    assert best.to_dict()["value"] == define(best, "f")["value"] == "best" and StudyConfig.from_dict(best.to_dict()) == best
    assert "value" not in TrialConfig().identity() and TrialConfig(value="best").identity()["value"] == "best"
    with pytest.raises(UsageError, match="value takes last or best, the epoch whose validation accuracy counts, not 'mean'"):
        StudyConfig.from_dict(PLAIN | {"value": "mean"})


def test_it_is_part_of_a_studys_definition(tmp_path: Path) -> None:
    storage = Storage(f"sqlite:///{tmp_path}/s.db", make=True)
    fabricated.study(storage, PLAIN)
    with pytest.raises(TunerError, match="value was last and is now best"):
        fabricated.study(storage, PLAIN | {"value": "best"})


def train(run: Run) -> list[dict[str, torch.Tensor]]:
    """The weights after each epoch."""
    return [run.weights() for _ in run.epochs()]


@pytest.mark.usefixtures("uphill")
def test_a_run_ends_with_the_weights_of_its_best_epoch() -> None:
    run = make(BEST, IMAGES)
    after = train(run)
    accuracies = [each.val_accuracy or 0.0 for each in run.curve]
    place = accuracies.index(max(accuracies))
    assert place < 3, "the test needs a run whose best epoch is not its last"
    assert run.counted.epoch == place + 1 and same(choose_weights(run.state()), after[place])
    run.take_counted()
    assert same(run.weights(), after[place]) and not same(run.weights(), after[-1])
    assert run.evaluate(run.val)[1] == max(accuracies)  # type: ignore[arg-type]
    assert same(choose_weights(make_last().state()), after[-1]), "with value: last the same training keeps its last weights"


def make_last() -> Run:
    run = make(replace(BEST, value="last"), IMAGES)
    train(run)
    return run


@pytest.mark.usefixtures("uphill")
@pytest.mark.parametrize("stop", [1, 3, 4])
def test_a_resumed_run_keeps_the_same_weights_bit_for_bit(tmp_path: Path, stop: int) -> None:
    longer = replace(BEST, epochs=5)
    whole, begun, resumed = (make(longer, IMAGES) for _ in range(3))
    train(whole)
    for each in begun.epochs():
        if each.epoch == stop:
            break
    assert stop < 4 or begun.counted.epoch < stop, "the test needs a stop after the best epoch"
    checkpoint.save(tmp_path / "trial-0", begun, uid="u")
    assert checkpoint.load(tmp_path / "trial-0", resumed, uid="u")
    train(resumed)
    assert resumed.curve == whole.curve
    assert same(choose_weights(resumed.state()), choose_weights(whole.state())) and same(resumed.weights(), whole.weights())


def test_a_state_without_them_is_none_of_such_a_run() -> None:
    run = make(BEST, IMAGES)
    train(run)
    with pytest.raises(ValueError, match="weights of the best epoch"):
        make(replace(BEST, value="last"), IMAGES).load_state(run.state())
    with pytest.raises(ValueError, match="weights of the best epoch"):
        make(BEST, IMAGES).load_state({name: part for name, part in run.state().items() if name != "best"})


def test_pruners_compare_the_best_so_far_and_the_curve_stays_as_it_was(tmp_path: Path) -> None:
    study = fabricated.study(Storage(f"sqlite:///{tmp_path}/s.db", make=True), PLAIN | {"value": "best"})
    trial = claimed(study)
    assert trial.configure(threads=1, precision="fp32").value == "best"
    for epoch, accuracy in enumerate([0.5, 0.8, 0.6], start=1):
        trial.report(score(epoch, accuracy))
    [row] = studies.load(study.storage, "made").frozen_trials()
    assert row.intermediate_values == {1: 0.5, 2: 0.8, 3: 0.8}
    assert [each["val_accuracy"] for each in study.read_facts([row])[0]["curve"]] == [0.5, 0.8, 0.6]
    assert trial.describe_standing(score(3, 0.6)) == "0.8000"


@pytest.mark.usefixtures("uphill")
def test_a_trial_ends_with_its_best_epochs_accuracy_and_keeps_those_weights(tmp_path: Path) -> None:
    changes = {"value": "best", "train_images": 500, "space": {"lr": [0.005], "batch_size": 16, "epochs": 4}, "start": []}
    config = StudyConfig.from_dict(STUDY | changes)
    images = load(config.data)
    study = studies.create_or_load(Storage(f"sqlite:///{tmp_path}/x.db", make=True), "s", config, images.fingerprint, trials=1)
    row = train_one(study, claim(study), Parts(images, config.data, "cpu"))
    accuracies = [each["val_accuracy"] for each in row.epochs]
    assert accuracies[-1] < max(accuracies) == row.value, "the test needs a trial whose best epoch is not its last"
    assert find_kept_weights(study, row, "cpu").predictions().accuracy == pytest.approx(row.value)
    report = " ".join(block.text for block in make_report(study).blocks if isinstance(block, Paragraph))
    assert f"In epoch {accuracies.index(row.value) + 1}, the best of its 4, trial 0 reached" in report
    assert "A trial's value is the validation accuracy of its best epoch." in report


def export(tmp_path: Path) -> Path:
    plain = {"model": "mynet", "width": 0.0625, "data": "digits", "train_images": 300, "image_size": 8, "validation": 0.2, "value": "best"}
    study = fabricated.study(Storage(f"sqlite:///{tmp_path}/s.db", make=True), plain | {"space": {"lr": [0.005], "epochs": 4}})
    fabricated.add(study, [fabricated.trial(study, {"lr": 0.005, "epochs": 4, "batch_size": 16}, [0.1, 0.4, 0.2, 0.3])])
    content = yaml.safe_load(export_config(study, find_best(study)[0]))
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**content, "data": {k: v for k, v in content["data"].items() if k != "fingerprint"}}))
    return path


@pytest.mark.usefixtures("uphill")
def test_the_exported_file_says_it_and_train_keeps_that_epochs_weights(tmp_path: Path) -> None:
    path = export(tmp_path)
    content = yaml.safe_load(path.read_text())
    assert content["value"] == "best" and content["origin"]["epoch"] == 2
    result = retrain(path, tmp_path / "out", progress=False)
    accuracies = [each["val_accuracy"] for each in result["epochs"]]
    assert result["val_accuracy"] == max(accuracies) and result["kept_epoch"] == accuracies.index(max(accuracies)) + 1
    kept = torch.load(tmp_path / "out" / "weights.pt", weights_only=True)["state_dict"]
    shorter = {**content, "value": "last", "epochs": result["kept_epoch"]}
    path.with_name("shorter.yaml").write_text(yaml.safe_dump(shorter))
    retrain(path.with_name("shorter.yaml"), tmp_path / "shorter", progress=False)
    assert result["kept_epoch"] < 4, f"the test needs a run whose best epoch is not its last: {accuracies}"
    assert same(kept, torch.load(tmp_path / "shorter" / "weights.pt", weights_only=True)["state_dict"])
    whole = retrain(path, tmp_path / "all", all_data=True, progress=False)
    assert (len(whole["epochs"]), whole["kept_epoch"]) == (2, 2), "without a validation part it stops after the trial's best epoch"
    path.write_text(yaml.safe_dump({name: part for name, part in content.items() if name != "origin"}))
    with pytest.raises(UsageError, match="which --all-data trains on: name the epoch"):
        retrain(path, tmp_path / "none", all_data=True, progress=False)
