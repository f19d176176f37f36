"""Objectives and class weights: what is counted, which way is better, and that every command goes by it."""

from __future__ import annotations

import json
import math
import random
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
import yaml
from click.testing import CliRunner
from optuna.trial import TrialState
from sklearn.metrics import balanced_accuracy_score, f1_score, top_k_accuracy_score
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

from tests import fabricated
from tests.conftest import Tuner
from tests.runs import CONFIG, make, part, same
from tests.test_json import documented, list_keys
from tests.test_promote import curves, load, play
from tests.test_promote import make as make_promoting
from tests.test_space import claimed
from tuner.commands import main
from tuner.config.objective import OBJECTIVES, check_target
from tuner.config.study_config import StudyConfig
from tuner.config.trial_config import TrialConfig, read_config
from tuner.console.curves import Curve, draw
from tuner.console.text import open_console
from tuner.console.winners import describe_best
from tuner.dashboard.notes import write_study_note, write_trial_note
from tuner.dashboard.plots import make_plots
from tuner.errors import TunerError, UsageError
from tuner.models import own_code
from tuner.report.blocks import Paragraph, Table
from tuner.report.languages.en import ENGLISH
from tuner.report.languages.ko import KOREAN
from tuner.report.languages.objectives import speak_of
from tuner.report.page import make_report
from tuner.search.results import Study as Shown
from tuner.simulate.own_curves import read_curves
from tuner.simulate.rules import find_rule
from tuner.simulate.sampling import judge_sampler
from tuner.simulate.surrogate import fit_surrogate
from tuner.study.advice import give_advice
from tuner.study.certainty import can_tell_values_apart, find_interval, measure_certainty
from tuner.study.pausing import PausingLeases
from tuner.study.pruners import make_pruner
from tuner.study.safety import describe_safety
from tuner.study.search_space import define
from tuner.study.storage import Storage
from tuner.study.study import Study
from tuner.study.trials import find_best, list_trials
from tuner.training import checkpoint
from tuner.training.class_weights import find_loss, weigh_classes
from tuner.training.counts import find_recall_interval, make_counts
from tuner.training.evaluation import predict
from tuner.training.run import Run
from tuner.training.score import Score, find_counted

PLAIN: dict[str, Any] = {"data": "digits", "pruner": "median", "space": {"lr": [0.01, 0.02, 0.04], "epochs": 3}}
LOSS = PLAIN | {"objective": "val_loss"}
ALONE = ("--workers", "1", "--device", "cpu")
AT = ("--storage", "sqlite:///studies/tuner.db")


def sklearns(labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:  # type: ignore[type-arg]
    guesses = logits.argmax(1)
    warnings.simplefilter("ignore")  # of classes that a part lacks; pytest sets it back after each test
    return {
        "balanced_accuracy": balanced_accuracy_score(labels, guesses),
        "macro_f1": f1_score(labels, guesses, average="macro", zero_division=0),
        "top5": top_k_accuracy_score(labels, logits, k=5, labels=range(logits.shape[1])),
    }


@pytest.mark.parametrize("objective", ["balanced_accuracy", "macro_f1", "top5"])
def test_figures_are_scikit_learns(objective: str) -> None:
    """Over batches of any size, with classes that have no images, no guesses, or neither."""
    rng = np.random.default_rng(0)
    for size in (1, 7, 500):
        labels = rng.choice(9, size, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.03, 0.02, 0.0, 0.0])
        logits = rng.normal(size=(size, 9)) + 1.5 * np.eye(9)[labels]
        logits[:, 8] -= 100 * (size > 7)
        counts = make_counts(objective)
        assert counts is not None
        for logit, label in zip(torch.from_numpy(logits).split(64), torch.from_numpy(labels).split(64), strict=True):
            counts.add(logit, label)
        found = counts.read()
        assert found[objective] == pytest.approx(sklearns(labels, logits)[objective], abs=1e-12, rel=0)
        assert {f"val_{name}" for name in found} == {OBJECTIVES[objective].key, *OBJECTIVES[objective].also}


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_a_run_scores_its_validation_part_by_it_and_resumes_with_the_same_curve(tmp_path: Path, objective: str) -> None:
    config = replace(CONFIG, objective=objective, value="best")
    whole, begun, resumed = (Run(config, part(30), part(13, seed=1), classes=8) for _ in range(3))
    scores = list(whole.epochs())
    assert whole.val is not None
    batches = list(predict(whole._evaluator, whole.val, torch.device("cpu"), "fp32"))
    logits, labels = (torch.cat(each) for each in zip(*batches, strict=True))
    wanted = sklearns(labels.numpy(), logits.numpy()) | {"accuracy": float((logits.argmax(1) == labels).double().mean())}
    wanted["val_loss"] = sum(float(F.cross_entropy(x, y)) * len(y) for x, y in batches) / len(labels)
    aim = OBJECTIVES[objective]
    # A loss is the mean of float32 means of batches.
    assert scores[-1].read(aim) == pytest.approx(wanted[objective], abs=1e-6 if objective == "val_loss" else 1e-12, rel=0)
    assert {**whole.evaluate(whole.val)._asdict(), **whole.further}[aim.figure] == scores[-1].read(aim)
    plain = {"epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds"}
    assert scores[-1].to_dict().keys() == plain | {aim.key, *aim.also}, "nothing else is computed or kept"
    values = [score.read(aim) for score in scores]
    assert whole.counted.epoch == 1 + values.index(min(values) if objective == "val_loss" else max(values))  # type: ignore[type-var]
    for score in begun.epochs():
        if score.epoch == 2:
            break
    checkpoint.save(tmp_path / "trial-0", begun, uid="u")
    assert checkpoint.load(tmp_path / "trial-0", resumed, uid="u")
    list(resumed.epochs())
    assert resumed.curve == whole.curve and same(resumed.weights(), whole.weights())
    if aim.key not in plain:
        lacking = begun.state()
        del lacking["curve"][0][aim.key]
        with pytest.raises(ValueError, match="the figures of epoch 1 are not there"):
            resumed.load_state(lacking)


def test_the_best_epoch_is_that_of_the_objective() -> None:
    figures = [(0.9, 0.5, 0.3), (0.4, 0.6, 0.8), (0.6, 0.7, 0.8)]
    curve = [
        Score(epoch=n, train_loss=1, train_accuracy=1, val_loss=loss, val_accuracy=accuracy, val_macro_f1=f1, seconds=1)
        for n, (loss, accuracy, f1) in enumerate(figures, start=1)
    ]
    assert [find_counted(curve, "best", each).epoch for each in ("accuracy", "val_loss", "macro_f1")] == [3, 2, 2]
    assert find_counted(curve, "last", "val_loss").epoch == 3


def test_class_weights_are_scikit_learns_and_the_loss_is_their_mean() -> None:
    labels = np.repeat([0, 1, 3], [90, 8, 2])
    weights = weigh_classes(torch.from_numpy(labels), 4)
    wanted = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=labels)
    assert weights.tolist() == pytest.approx([wanted[0], wanted[1], 0.0, wanted[2]])
    assert float(weights[torch.from_numpy(labels)].mean()) == pytest.approx(1.0)
    logits, some = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 0, 0, 1, 3, 3])
    each = F.cross_entropy(logits, some, label_smoothing=0.1, reduction="none")
    assert float(find_loss(logits, some, 0.1, weights)) == pytest.approx(float((each * weights[some]).sum() / 6))
    assert torch.equal(find_loss(logits, some, 0.1, None), F.cross_entropy(logits, some, label_smoothing=0.1))
    parts = sum(float(find_loss(logits[rows], some[rows], 0.1, weights)) * 3 for rows in (slice(0, 3), slice(3, 6)))
    assert parts / 6 == pytest.approx(float(find_loss(logits, some, 0.1, weights))), "micro-batches add up to the batch"


def test_a_run_weighs_by_the_images_that_it_trains() -> None:
    uneven = replace(CONFIG, class_weights="balanced")
    weighed, plain = make(uneven, images=29), make(CONFIG, images=29)  # eight of class 0, seven of the others
    wanted = compute_class_weight("balanced", classes=np.arange(4), y=np.arange(29) % 4)
    assert weighed._class_weights is not None and weighed._class_weights.tolist() == pytest.approx(wanted.tolist())
    list(weighed.epochs()), list(plain.epochs())
    assert not same(weighed.weights(), plain.weights())
    assert plain._class_weights is None


def test_a_study_and_a_configuration_without_them_mean_accuracy_and_none() -> None:
    usual = {"objective": "accuracy", "class_weights": "none"}
    assert StudyConfig.from_dict(PLAIN | usual) == StudyConfig.from_dict(PLAIN)
    written = StudyConfig.from_dict(PLAIN | usual)
    assert not usual.keys() & (written.to_dict() | define(written, "f") | TrialConfig(**usual).to_dict() | TrialConfig(**usual).identity())  # type: ignore[arg-type]
    other = {"objective": "macro_f1", "class_weights": "balanced"}
    read = StudyConfig.from_dict(PLAIN | other)
    assert StudyConfig.from_dict(read.to_dict()) == read and other.items() <= define(read, "f").items()
    trial = TrialConfig(**other)  # type: ignore[arg-type]
    assert TrialConfig.from_dict(trial.to_dict()) == trial and other.items() <= trial.identity().items()


@pytest.mark.parametrize(
    "lines,said",
    [
        ({"objective": "accurracy"}, "unknown objective 'accurracy': did you mean 'accuracy'?"),
        ({"objective": "loss"}, "unknown objective 'loss': did you mean 'val_loss'?"),
        ({"objective": ["accuracy"]}, "objective takes accuracy, balanced_accuracy, macro_f1, val_loss, top5, not ['accuracy']"),
        ({"objective": None}, "objective takes accuracy, balanced_accuracy, macro_f1, val_loss, top5, not None"),
        ({"objective": {"name": "top5"}}, "not {'name': 'top5'}"),
        ({"class_weights": "balance"}, "class_weights takes none or balanced, not 'balance'"),
        ({"class_weights": None}, "class_weights takes none or balanced, not None"),
        ({"class_weights": {0: 2.0}}, "class_weights takes none or balanced, not {0: 2.0}"),
        ({"class_weight": "balanced"}, "unknown key 'class_weight': did you mean 'class_weights'?"),
        ({"objective": "val_loss", "value": "first"}, "value takes last or best, the epoch whose validation loss counts, not 'first'"),
        ({"space": {"lr": 0.1, "objective": "top5"}}, "unknown hyper-parameter 'objective'"),
    ],
)
def test_a_line_that_is_wrong_is_an_error_with_the_remedy(lines: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        StudyConfig.from_dict(PLAIN | lines, "x.yaml")
    if lines.keys() <= {"objective", "class_weights"}:
        with pytest.raises(UsageError, match=re.escape(said)):
            TrialConfig.from_dict(TrialConfig().to_dict() | lines)


def test_top5_is_for_six_classes_and_a_target_for_what_can_reach_it() -> None:
    with pytest.raises(UsageError, match="objective top5 needs 6 classes or more, and the data has 4: choose another objective"):
        make(replace(CONFIG, objective="top5"))
    for objective, target in (("val_loss", 3.0), ("accuracy", 1.0), ("top5", None)):
        check_target(objective, target)
    for objective in ("accuracy", "macro_f1"):
        with pytest.raises(UsageError, match=r"--target is an? .* of at most 1, not 3"):
            check_target(objective, 3.0)


def test_origin_of_another_objective_is_read_and_checked(tmp_path: Path) -> None:
    plain = TrialConfig(objective="val_loss").to_dict()
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(plain | {"origin": {"validation_loss": 0.5}}))
    assert read_config(tmp_path / "c.yaml")[1] == {"validation_loss": 0.5}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(plain | {"origin": {"validation_loss": "low"}}))
    with pytest.raises(UsageError, match="origin: validation_loss takes a number, not 'low'"):
        read_config(tmp_path / "c.yaml")


@pytest.mark.parametrize("first,second", [({}, {"objective": "val_loss"}), ({"objective": "val_loss"}, {"objective": "macro_f1"})])
def test_going_on_with_another_objective_or_other_weights_shows_the_difference(storage: Storage, first: Any, second: Any) -> None:
    fabricated.study(storage, PLAIN | first)
    direction = optuna.load_study(study_name="made", storage=storage.optuna).direction.name
    assert direction == ("MINIMIZE" if first else "MAXIMIZE")
    was, now = (each.get("objective", "accuracy") for each in (first, second))
    with pytest.raises(TunerError, match=f"was made with another definition: objective was {was} and is now {now}; copy its file"):
        fabricated.study(storage, PLAIN | second)
    with pytest.raises(TunerError, match="class_weights was none and is now balanced"):
        fabricated.study(storage, PLAIN | first | {"class_weights": "balanced"})
    assert fabricated.study(storage, PLAIN | first, trials=60).leases.counts().n_trials == 60


def test_promotion_goes_by_losses_as_by_the_accuracies_that_they_mirror(tmp_path: Path) -> None:
    """A trial's error is 1 less its accuracy, or its loss: of equal errors the same trials pause, go on, race and are left."""
    accuracies, found = curves(16, seed=2), []
    for name, objective in (("a", "accuracy"), ("b", "val_loss")):
        storage = Storage(f"sqlite:///{tmp_path}/{name}.db", make=True)
        study = make_promoting(storage, 16, objective=objective)
        values = accuracies if objective == "accuracy" else [[1.0 - accuracy for accuracy in curve] for curve in accuracies]
        done = play(study, values, again=lambda storage=storage: load(storage, "s"))  # type: ignore[misc]
        ended = load(storage, "s").frozen_trials()
        carried = load(storage, "s").optuna_study(carried=True).get_trials(deepcopy=False)
        told = [value if objective == "accuracy" else 1.0 - (value or 0.0) for value in (trial.value for trial in carried)]
        found.append((done, [trial.state.name for trial in ended], np.round([each or 0.0 for each in told], 9).tolist()))
        assert describe_safety(load(storage, "s"))
    assert found[0] == found[1] and "PRUNED" in found[0][1] and len(found[0][0]) < 0.7 * 16 * 8


def test_only_shares_of_images_have_the_binomial_noise_of_images(tmp_path: Path) -> None:
    for objective, images in (("accuracy", 100), ("top5", 100), ("balanced_accuracy", None), ("macro_f1", None), ("val_loss", None)):
        leases = fabricated.study(
            Storage(f"sqlite:///{tmp_path}/s.db", make=True), PLAIN | {"pruner": "promote", "objective": objective}, name=objective
        ).leases
        assert isinstance(leases, PausingLeases)
        leases.count_images(100)
        assert leases.rule.val_images == images


@pytest.mark.parametrize("value", ["last", "best"])
@pytest.mark.parametrize("pruner", ["median", "percentile", "sha", "hyperband"])
def test_optunas_pruners_end_the_trial_of_the_greatest_loss(tmp_path: Path, pruner: str, value: str) -> None:
    options = {"median": {"n_startup_trials": 1}, "percentile": {"n_startup_trials": 1, "percentile": 50.0}, "sha": {}, "hyperband": {}}
    plain = LOSS | {"pruner": {"name": pruner, **options[pruner]}, "value": value, "space": {"lr": {"low": 0.01, "high": 0.1}, "epochs": 9}}
    study = fabricated.study(Storage(f"sqlite:///{tmp_path}/s.db", make=True), plain)
    ends = []
    for level in (0.5, 0.4, 0.6, 0.3, 0.9, 0.2):
        trial, pruned = claimed(study), False
        trial.configure(threads=1, precision="fp32")
        for epoch in range(1, 10):
            score = Score(epoch=epoch, train_loss=1, train_accuracy=1, val_loss=level, val_accuracy=level, seconds=1)
            trial.report(score)
            pruned = pruned or (epoch < 9 and trial.should_prune())
            if pruned:
                break
        ends.append(pruned)
        trial.finish(TrialState.PRUNED if pruned else TrialState.COMPLETE, {}, value=None if pruned else level)
    assert make_pruner(study.config) and ends[4], "the worst of them"
    assert not ends[5], "the best of them"
    assert claimed(study).optuna_study().direction.name == "MINIMIZE"


def test_value_best_of_a_loss_is_the_least_so_far(tmp_path: Path) -> None:
    study = fabricated.study(Storage(f"sqlite:///{tmp_path}/s.db", make=True), LOSS | {"value": "best"})
    trial = claimed(study)
    assert trial.configure(threads=1, precision="fp32").objective == "val_loss"
    for epoch, loss in enumerate([0.9, 0.4, 0.6], start=1):
        trial.report(Score(epoch=epoch, train_loss=1, train_accuracy=1, val_loss=loss, val_accuracy=0.5, seconds=1))
    assert study.frozen_trials()[0].intermediate_values == {1: 0.9, 2: 0.4, 3: 0.4}


def fill(folder: Path, objective: str, accuracies: list[float], *, images: int | None = 200, **changes: Any) -> Study:
    plain = PLAIN | {"objective": objective, "space": {"lr": {"low": 1e-3, "high": 1.0}, "momentum": [0.0, 0.9], "epochs": 2}} | changes
    study = fabricated.study(Storage(f"sqlite:///{folder}/tuner.db", make=True), plain, images=images)
    rows = [
        fabricated.trial(
            study,
            {"lr": 0.001 * (n + 1), "momentum": 0.9 * (n % 2), "epochs": 2},
            [0.5 * each, each],
            number=n,
            parameters=1000 * (n + 1),
            seconds=n + 1.0,
        )
        for n, each in enumerate(accuracies)
    ]
    rows.append(
        fabricated.trial(
            study,
            {"lr": 0.5, "momentum": 0.0, "epochs": 2},
            [0.05],
            state=TrialState.PRUNED,
            number=len(rows),
            reason="above the others at epoch 1: 1.9950",
        )
    )
    fabricated.add(study, rows)
    return study


@contextmanager
def not_painted() -> Iterator[None]:
    """Within it pictures are laid out, but not painted, which takes the most of a report's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", lambda *args, **options: None)
        yield


def read_texts(study: Study, language: Any = ENGLISH) -> str:
    """What a report says."""
    with not_painted():
        blocks = list(make_report(study, "cpu", language).walk())
    return "\n".join(
        block.text if isinstance(block, Paragraph) else "\n".join([*block.headings, *(" ".join(row) for row in block.rows)])
        for block in blocks
        if isinstance(block, (Paragraph, Table))
    )


def run(*arguments: str) -> str:
    return invoke(*arguments, "--storage", "sqlite:///tuner.db")


def test_every_reader_of_a_study_of_losses_takes_the_least_for_the_best(tmp_path: Path) -> None:
    # Losses 1.05, 0.42, 0.84, 0.42, ...: of two equals the first is the best.
    study = fill(tmp_path, "val_loss", [0.5, 0.8, 0.6, 0.8, 0.7, 0.3, 0.55, 0.65, 0.4, 0.75, 0.2])
    assert find_best(study)[0].number == 1 and Shown(study).best.value == pytest.approx(0.42)
    shown = json.loads(run("show", "made", "--json", "--sort", "value", "--top", "3"))
    assert [row["number"] for row in shown["trials"]] == [1, 3, 9] and (shown["objective"], shown["best_trial"]) == ("val_loss", 1)
    assert set(list_keys(shown, documented("show STUDY"))) <= documented("show STUDY")
    best = json.loads(run("best", "made", "--json"))
    assert best["number"] == 1 and best["val_interval"] is best["cannot_tell_from"] is None and best["config"]["objective"] == "val_loss"
    text, printed = run("show", "made"), run("best", "made")
    for said in (text, printed):
        assert "val loss" in said and "No interval is given: the validation loss is no share of the images." in said
        assert "A trial's value is the validation loss of its last epoch." in said and "Fisher" not in said and "~" not in said
    assert "* best: trial 1, validation loss 0.4200" in text and "objective val_loss" in text and "95 % interval" not in printed
    assert re.search(r"^ *1 .*0\.4200", printed, re.MULTILINE) and "validation_loss: 0.4" in printed
    assert "val_loss 0.4200 (trial 1)" in run("studies") and json.loads(run("studies", "--json"))[0]["objective"] == "val_loss"
    assert "Validation loss" in run("show", "made", "--trial", "1")
    assert not [line for line in give_advice(study) if "cannot be told apart" in line or "no effect" in line]

    report = read_texts(study)
    assert "Trial 1 is the best: MyNet, here of 2,000 parameters, has a validation loss of 0.4200 with" in report
    assert "No interval is given: the validation loss is no share of the images." in report
    assert (
        "It reached 0.4200, 0.6300 less: the new best." in report
        and "It reached 0.8400, 0.4200 more, so trial 1 stayed the best." in report
    )
    assert "above the others at that epoch (1.9950)" in report and "Within 0.01 of the best" not in report
    assert "In its last epoch trial 1 had an accuracy of 80.00 %" in report
    korean = read_texts(study, KOREAN)
    assert "손실 0.4200, 0.6300 하락: 새로운 최고 기록." in korean and "검증 손실 값은 이미지 수의 비율이 아니므로" in korean
    note = write_study_note(study, list_trials(study), find_best(study)[0], 12)
    assert "The value of a trial is its loss on a validation part" in note and "**trial 1, 0.4200**" in note
    assert "validation loss **0.4200**" in write_trial_note(study, find_best(study)[0])
    plots = make_plots(list_trials(study), speak_of(ENGLISH, study.objective))
    front = plots["accuracy-against-parameters"].data[-1]
    assert list(front.y) == pytest.approx([1.05, 0.42]) and plots["learning-curves"].layout.title.text.startswith("Validation loss")
    for name in ("curves", "parameters", "seconds", "parallel-coordinates", "slices"):
        assert Shown(study).figure(name).png.startswith(b"\x89PNG")


def test_the_copy_for_optuna_knows_the_direction(tmp_path: Path) -> None:
    study = fill(tmp_path, "val_loss", [0.9, 0.3, 0.8])
    run("export", "made", "--to", "optuna", f"sqlite:///{tmp_path}/other.db")
    copied = optuna.load_study(study_name="made", storage=f"sqlite:///{tmp_path}/other.db")
    assert copied.direction.name == "MINIMIZE" and copied.best_trial.number == find_best(study)[0].number == 0
    assert copied.metric_names == ["validation loss"]


def test_simulate_replays_losses_as_errors(tmp_path: Path) -> None:
    draw = random.Random(0)
    study = fill(tmp_path, "val_loss", [draw.uniform(0.2, 0.9) for _ in range(70)], pruner="none")
    recording = read_curves(study)
    assert recording.errors[0].tolist() == pytest.approx([epoch["val_loss"] for epoch in list_trials(study)[0].epochs])
    printed = run("simulate", "made", "--seeds", "2", "--pruner", "promote", "--no-progress")
    assert "hundredths lost" in printed and "points" not in printed
    surrogate = fit_surrogate(study)
    params = list_trials(study)[0].params
    assert surrogate.val_images is None and surrogate.observe(params, np.random.default_rng(0)).max() > 1, "a loss may be above 1"
    found = judge_sampler(surrogate, study.config, ("random", {}), find_rule("none"), seeds=range(2), trials=4)
    low, high = recording.errors[:, -1].min(), recording.errors[:, -1].max()
    assert all(low - 0.1 <= value <= high for value in found.values)
    worse = replace(found, values=[value + 0.1 for value in found.values])
    assert found.gain_over(worse).mean == pytest.approx(10)


def test_balanced_accuracy_has_an_interval_by_class(tmp_path: Path) -> None:
    alone = find_recall_interval(np.array([20]), np.array([18]))
    assert alone == pytest.approx(find_interval(18, 20), abs=1e-9), "of one class it is Wilson's"
    low, high = find_recall_interval(np.array([900, 3]), np.array([450, 3]))
    assert low < 0.7 < high < 1, "three images that are right do not make it sure"
    rng, sizes, truth = np.random.default_rng(0), np.array([60, 20, 8]), np.array([0.9, 0.7, 0.5])
    found = [find_recall_interval(sizes, rng.binomial(sizes, truth)) for _ in range(2000)]
    assert 0.93 <= np.mean([low <= truth.mean() <= high for low, high in found]) <= 0.99
    pairs = [(rng.binomial(sizes, truth), rng.binomial(sizes, truth)) for _ in range(1000)]
    apart = [
        can_tell_values_apart(*(float((h / sizes).mean()) for h in pair), tuple(find_recall_interval(sizes, h) for h in pair))  # type: ignore[arg-type]
        for pair in pairs
    ]
    assert 0.01 <= np.mean(apart) <= 0.07, "of two that are the same one in twenty at most"

    study = fill(tmp_path, "balanced_accuracy", [0.3, 0.85, 0.9, 0.6], images=40)  # each with an interval of 0.1 either way
    certainty = measure_certainty(study)
    assert certainty is not None and not certainty.exact and certainty.tied == (1,)
    assert (certainty.low, certainty.high) == pytest.approx((0.8, 1.0)) and certainty.gap == pytest.approx(math.sqrt(0.02))
    assert describe_best(study)[:2] == [
        "Trial 2: 0.9000 on 40 validation images, 95 % interval 0.8000 to 1.0000.",
        "It cannot be told apart from trial 1 of 3 others (the 95 % interval of the difference).",
    ]
    assert "0.9000  0.8000-1.0000" in run("best", "made")
    report = read_texts(study)
    assert "Each class counted apart, on 40 validation images in all, that balanced accuracy lies between 80.00 % and 100.00 %" in report
    assert "It cannot be told apart from trial 1, of 3 others (95 % interval of the difference)." in report
    assert "90.00 %, 5.00 points more, which may be chance on 40 images: the new best." in report
    assert "균형 정확도의 95 % 신뢰 구간은 80.00 % ~ 100.00 %" in read_texts(study, KOREAN)


def test_top5_has_wilsons_interval_and_macro_f1_none(tmp_path: Path) -> None:
    hits, none = (fill(tmp_path / name, name, [0.3, 0.85, 0.9]) for name in _folders(tmp_path, "top5", "macro_f1"))
    certainty = measure_certainty(hits)
    assert certainty is not None and certainty.exact and (certainty.low, certainty.high) == pytest.approx(find_interval(180, 200))
    assert measure_certainty(none) is None and "macro F1 is no share" in describe_best(none)[0]
    assert "that top-5 accuracy lies between" in read_texts(hits) and "Wilson" not in read_texts(none)


def _folders(folder: Path, *names: str) -> tuple[str, ...]:
    for name in names:
        (folder / name).mkdir()
    return names


@pytest.mark.parametrize("language", [ENGLISH, KOREAN], ids=["en", "ko"])
@pytest.mark.parametrize("objective", [name for name in OBJECTIVES if name != "accuracy"])
def test_a_language_says_all_of_another_objective_with_the_same_values(language: Any, objective: str) -> None:
    spoken = speak_of(language, OBJECTIVES[objective])
    assert spoken.texts.keys() == language.texts.keys() and speak_of(language, OBJECTIVES["accuracy"]) is language
    for key, text in spoken.texts.items():
        wanted, has = (set(re.findall(r"\{(\w+)\}", each)) for each in (ENGLISH.texts[key], text))
        assert has <= wanted or language.texts[key] == text, f"{key}: {has - wanted} are not given"
        assert "{figure}" not in text and "{Figure}" not in text


def test_curves_of_losses_have_axes_in_round_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    draw(open_console(), "Validation loss", [Curve(values=[80.0, 3.0, 0.5], colour="blue")], share=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 30 and not any("%" in line for line in lines)
    labels = [float(found.group(1)) for line in lines if (found := re.match(r" *([\d.]+) \|", line))]
    assert max(labels) >= 70 and min(labels) == 0


NET = """\
import torch
from torch import nn


class Net(nn.Module):
    \"\"\"Names the second class where an image is brighter than the shift.\"\"\"

    def __init__(self, shift):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.0, 1.0]))
        self.bias = nn.Parameter(torch.tensor([shift, 0.0]))

    def forward(self, x):
        return x.mean((1, 2, 3))[:, None] * self.weight + self.bias


def build(classes: int, *, shift: float = 0.0) -> nn.Module:
    return Net(shift)
"""
DATA = """\
import numpy as np


def load(part):
    \"\"\"Ninety dark images and ten bright ones; some dark ones are as bright as those.\"\"\"
    brightness = np.concatenate([np.linspace(60, 140, 90), np.linspace(120, 200, 10)]).astype(np.uint8)
    images = np.broadcast_to(brightness[:, None, None, None], (100, 8, 8, 3)).copy()
    return images, np.repeat([0, 1], [90, 10]), ["dark", "bright"]
"""


@pytest.fixture
def _nothing_permitted() -> Iterator[None]:
    yield
    own_code._permitted.clear()


@pytest.mark.usefixtures("_nothing_permitted")
def test_where_a_class_is_rare_balanced_accuracy_ranks_otherwise_than_accuracy(tuner: Tuner, tmp_path: Path) -> None:
    """One network never names the rare class, the other is right on both: the first is the more accurate."""
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "data.py").write_text(DATA)
    plain = {"model": "net.py:build", "data": "data.py:load", "image_size": 8, "validation": 0.5, "sampler": "grid", "pruner": "none"}
    space = {"lr": 1e-6, "batch_size": 10, "epochs": 2, "network": {"shift": [2.0, -0.1]}}
    (tmp_path / "rare.yaml").write_text(
        yaml.safe_dump({**plain, "objective": "balanced_accuracy", "class_weights": "balanced", "value": "best", "space": space})
    )
    tuner("search", "rare.yaml", *ALONE)
    rows = {row["params"]["network.shift"]: row for row in json.loads(invoke("show", "rare", "--json", *AT))["trials"]}
    never, both = (row["epochs"][0] for row in (rows[2.0], rows[-0.1]))
    assert never["val_accuracy"] == 0.9 > both["val_accuracy"] and never["val_balanced_accuracy"] == 0.5 < both["val_balanced_accuracy"]
    assert all(row["value"] == row["epochs"][0]["val_balanced_accuracy"] for row in rows.values())
    best = json.loads(invoke("best", "rare", "--export", "c.yaml", "--json", *AT))
    assert best["number"] == rows[-0.1]["number"] and best["config"]["class_weights"] == "balanced" and best["val_interval"] is not None
    result = json.loads(invoke("train", "c.yaml", "--device", "cpu", "--json"))
    assert result["value"] == result["trial"]["value"] == best["value"] and result["objective"] == "balanced_accuracy"
    assert set(list_keys(result, documented("train"))) <= documented("train")
    again = invoke("train", "c.yaml", "--device", "cpu")
    assert f"validation balanced accuracy {best['value']:.4f}, exactly as in trial {best['number']} of study rare" in again
    assert re.search(r"test accuracy 0\.\d+, balanced accuracy 0\.\d+ on 100 images", again)
    evaluated = json.loads(invoke("evaluate", "trained/c/weights.pt", "--device", "cpu", "--json"))
    assert evaluated["test_value"] == result["test_value"] and evaluated["objective"] == "balanced_accuracy"
    kept = json.loads(invoke("best", "rare", "--weights", "kept.pt", "--json", *AT))
    carried = torch.load("kept.pt", weights_only=True)["tuner"]
    assert carried["provenance"]["val_balanced_accuracy"] == kept["value"] and carried["configuration"]["objective"] == "balanced_accuracy"
    refused = invoke("search", "rare.yaml", "--target", "2", code=2)
    assert "--target is a balanced accuracy of at most 1, not 2" in refused
    (tmp_path / "five.yaml").write_text(yaml.safe_dump({**plain, "objective": "top5", "space": space}))
    assert "objective top5 needs 6 classes or more, and the data has 2" in invoke("search", "five.yaml", *ALONE, code=2)
    assert not list_studies_named("five")


def invoke(*arguments: str, code: int = 0) -> str:
    """What a command prints, in this process: on stdout, or of an error."""
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.stdout if code == 0 else done.output


def list_studies_named(name: str) -> list[str]:
    return [each["study"] for each in json.loads(invoke("studies", "--json", *AT)) if each["study"] == name]


@pytest.mark.parametrize("pruner", ["promote", "median"])
def test_a_search_that_minimises_the_loss_end_to_end(tuner: Tuner, small_study: Path, tmp_path: Path, pruner: str) -> None:
    plain = yaml.safe_load(small_study.read_text())
    space = plain["space"] | {"epochs": {"low": 2, "high": 4} if pruner == "promote" else 4}
    method = {"name": "median", "n_startup_trials": 1} if pruner == "median" else "promote"
    changed = {**plain, "objective": "val_loss", "pruner": method, "space": space, "sampler": {"name": "tpe", "n_startup_trials": 2}}
    small_study.write_text(yaml.safe_dump(changed))
    searched = tuner("search", "small.yaml", "--trials", "4", *ALONE)
    assert re.search(r"trial \d complete: validation loss \d\.\d{4}", searched.stderr) and "val loss" in searched.stdout
    rows = json.loads(invoke("show", "small", "--json", *AT))["trials"]
    complete = [row for row in rows if row["state"] == "COMPLETE"]
    assert (
        complete
        and all(row["value"] == row["epochs"][-1]["val_loss"] for row in rows)
        and {row["state"] for row in rows}
        <= {
            "COMPLETE",
            "PRUNED",
        }
    )
    best = min(complete, key=lambda row: row["value"])
    summary = re.findall(r"best (\d\.\d{4}) \(trial (\d)\)", searched.stderr)[-1]
    assert summary == (f"{best['value']:.4f}", str(best["number"]))
    found = optuna.load_study(study_name="small", storage=f"sqlite:///{tmp_path}/studies/tuner.db")
    assert found.direction.name == "MINIMIZE" and found.best_trial.number == best["number"]
    shown = invoke("show", "small", *AT)
    assert f"* best: trial {best['number']}, validation loss {best['value']:.4f}" in shown
    assert json.loads(invoke("best", "small", "--json", *AT))["number"] == best["number"]
    with not_painted():
        invoke("report", "small", "--out", "r.md", *AT)
    report = (tmp_path / "r.md").read_text(encoding="utf-8")
    assert f"has a validation loss of {best['value']:.4f}" in report and "most accurate" not in report
    more = CliRunner().invoke(main, ["search", "small.yaml", "--more", "1", "--target", f"{best['value'] + 0.01:.6f}", *ALONE])
    assert f"validation loss {best['value']:.4f} of trial {best['number']} reaches the target" in more.stderr
