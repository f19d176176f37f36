"""Study files and configuration files: what is read, and what bad input gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner.config.dimension import Choice, Range
from tuner.config.study_config import StudyConfig
from tuner.config.study_files import find_shipped_folder, list_available
from tuner.config.trial_config import TrialConfig, read_config, write_config
from tuner.config.yaml_file import parse
from tuner.errors import UsageError


def study(text: str) -> StudyConfig:
    return StudyConfig.from_dict(parse(text, "s.yaml"), "s.yaml")


def test_a_plain_value_is_fixed_a_list_a_choice_and_a_map_a_range() -> None:
    config = study("space: {lr: {low: 1e-4, high: 0.1, log: true}, batch_size: [8, 16], epochs: {low: 2, high: 8}, momentum: 0.9}")
    assert config.fixed == {"momentum": 0.9}
    assert config.space == {
        "lr": Range(low=0.0001, high=0.1, log=True),
        "batch_size": Choice(values=(8, 16)),
        "epochs": Range(low=2, high=8),
    }


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "1.0e-3", "0.001", "+1e-3"])
def test_a_number_with_an_exponent_is_a_number(text: str) -> None:
    assert study(f"space: {{lr: {text}}}").fixed["lr"] == 0.001


def test_a_study_is_the_same_after_a_round_trip_through_its_stored_form() -> None:
    config = study(
        "model: [mynet, googlenet]\nwidth: 0.5\ndata: digits\ntrain_images: 500\nseed: 3\nnormalize: {mean: [0.1, 0.2, 0.3], std: 1}\n"
        "sampler: {name: tpe, n_startup_trials: 3}\npruner: null\n"
        "space: {lr: [0.1, 0.01], weight_decay: {low: 0, high: 0.1}, "
        "widths: {'*.pool': {low: 0.5, high: 1.5, step: 0.5}, stem: 2}}\nstart: [{lr: 0.1, widths: {'*.pool': 1}}]"
    )
    assert StudyConfig.from_dict(config.to_dict()) == config
    assert config.pruner == ("none", {})


def test_a_configuration_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    config = TrialConfig(model="googlenet", widths={"*.n1x1": 0.5}, lr=0.1 + 0.2, batch_size=7, augment="flip", seed=123, threads=2)
    path = tmp_path / "c.yaml"
    path.write_text(write_config(config, fingerprint="abc", origin={"study": "s", "trial": 4}))
    assert read_config(path) == (config, {"study": "s", "trial": 4}, "abc")


BAD_STUDIES = {
    "misspelt key": ("modle: mynet", "unknown key 'modle': did you mean 'model'?"),
    "misspelt hyper-parameter": ("space: {learning_rat: 1}", "unknown hyper-parameter 'learning_rat'"),
    "nearest hyper-parameter": ("space: {batchsize: 8}", "did you mean 'batch_size'?"),
    "nothing to try": ("model: mynet", "nothing to try"),
    "empty": ("", "the file is empty"),
    "list": ("- a\n- b", "holds a list, but a map"),
    "not yaml": ("space: [1, 2", "line 1 is not YAML"),
    "key twice": ("space: {lr: 1, lr: 2}", "the key 'lr' stands twice"),
    "upside down": ("space: {lr: {low: 1, high: 0.1}}", "upside down: low 1.0 is above high 0.1"),
    "lr 0": ("space: {lr: 0}", "lr must be above 0 and finite, not 0"),
    "lr nan": ("space: {lr: .nan}", "lr must be above 0 and finite, not nan"),
    "lr inf": ("space: {lr: .inf}", "lr must be above 0 and finite, not inf"),
    "log from 0": ("space: {weight_decay: {low: 0, high: 1, log: true}}", "a log range must start above 0, not at 0"),
    "lr range from 0": ("space: {lr: {low: 0, high: 1}}", "lr must be above 0"),
    "batch 0": ("space: {batch_size: 0}", "batch_size must be at least 1 and finite, not 0"),
    "batch 2.5": ("space: {batch_size: [8, 2.5]}", "batch_size takes a whole number, not 2.5"),
    "batch text": ("space: {batch_size: many}", "batch_size takes a number, not 'many'"),
    "batch true": ("space: {batch_size: true}", "batch_size takes a number, not True"),
    "unknown model": ("model: mynett\nspace: {lr: 1}", "unknown model 'mynett': did you mean 'mynet'?"),
    "unknown sampler": ("sampler: tpee\nspace: {lr: 1}", "unknown sampler 'tpee': did you mean 'tpe'?"),
    "unknown pruner": ("pruner: medain\nspace: {lr: 1}", "did you mean 'median'?"),
    "unknown data": ("data: cifar\nspace: {lr: 1}", "unknown data 'cifar': did you mean 'cifar10'?"),
    "folder without path": ("data: folder\nspace: {lr: 1}", "a folder is named as folder:PATH"),
    "pattern": ("space: {widths: {'*.n2x2': 1}}", "width pattern '*.n2x2' matches no width of mynet"),
    "pattern in start": ("start: [{widths: {'z9.pool': 1}}]", "width pattern 'z9.pool' matches no width"),
    "factor 0": ("space: {widths: {stem: 0}}", "widths.stem must be above 0 and finite, not 0"),
    "start off the choices": ("space: {lr: [1, 2]}\nstart: [{lr: 3}]", "start row 1: lr 3.0 is not among the choices [1.0, 2.0]"),
    "start out of range": ("space: {lr: {low: 1, high: 2}}\nstart: [{lr: 3}]", "start row 1: lr 3.0 is not in the range"),
    "start off the step": (
        "space: {widths: {stem: {low: 0.5, high: 1.5, step: 0.5}}}\nstart: [{widths: {stem: 0.75}}]",
        "start row 1: widths.stem 0.75 is not in the range",
    ),
    "start is a map": ("start: {lr: 1}", "start takes a list of configurations"),
    "no high": ("space: {lr: {low: 1}}", "has no high"),
    "range key": ("space: {lr: {low: 1, hihg: 2}}", "did you mean 'high'?"),
    "step and log": ("space: {lr: {low: 1, high: 2, step: 1, log: true}}", "has a step or is log, not both"),
    "step does not reach": ("space: {lr: {low: 1, high: 2, step: 0.3}}", "do not reach 2.0"),
    "empty choice": ("space: {lr: []}", "an empty list"),
    "choice twice": ("space: {lr: [1, 1.0]}", "a value stands twice"),
    "range of words": ("space: {augment: {low: 1, high: 2}}", "takes a value or a list to choose from"),
    "unknown augment": ("space: {augment: flp}", "did you mean 'flip'?"),
    "validation 1": ("validation: 1\nspace: {lr: 1}", "validation must be above 0 and below 1, not 1"),
    "std 0": ("normalize: {std: 0}\nspace: {lr: 1}", "std takes one or three positive numbers"),
    "horizon": (
        "space: {schedule: cosine, epochs: {low: 2, high: 4}}",
        "schedule 'cosine' depends on how many epochs a trial has",
    ),
    "model twice": ("model: mynet\nspace: {model: [mynet, googlenet]}", "model stands twice"),
    "width 0": ("width: 0\nspace: {lr: 1}", "width must be above 0, not 0"),
}


@pytest.mark.parametrize("text,message", BAD_STUDIES.values(), ids=BAD_STUDIES.keys())
def test_a_bad_study_is_a_line_that_shows_the_value_and_the_remedy(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        study(text)
    assert message in caught.value.message
    assert caught.value.message.startswith("s.yaml")
    assert "\n" not in caught.value.message


def test_a_horizon_schedule_is_fine_with_fixed_epochs_or_without_a_pruner() -> None:
    assert study("space: {schedule: cosine, epochs: 4}").space == {}
    assert study("pruner: none\nspace: {schedule: cosine, epochs: [2, 4]}").pruner[0] == "none"


def test_a_binary_file_and_a_missing_file_are_one_line(tmp_path: Path) -> None:
    binary = tmp_path / "b.yaml"
    binary.write_bytes(bytes(range(256)))
    for path, message in ((binary, "not a text file"), (tmp_path / "none.yaml", "no file"), (tmp_path, "is a folder")):
        with pytest.raises(UsageError, match=message):
            StudyConfig.from_file(path)


@pytest.mark.parametrize(
    "text,message",
    [
        ("format: 2\nmodel: mynet", "format 2 is newer than this tuner reads (1)"),
        ("model: mynet", "format None is unknown"),
        ("format: 1\nlr: 0", "lr must be above 0"),
        ("format: 1\nmodell: mynet", "did you mean 'model'?"),
        ("format: 1\nwidths: {zz: 1}", "matches no width"),
        ("format: 1\nthreads: 0", "threads takes a whole number of at least 1"),
        ("format: 1\nseed: 18446744073709551616", "line 2: a whole number of more than 64 bits"),
        ("format: 1\ndata: {sorce: digits}", "did you mean 'source'?"),
    ],
)
def test_a_bad_configuration_file_is_a_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_config(path)
    assert message in caught.value.message and "\n" not in caught.value.message


@pytest.mark.parametrize("path", sorted(find_shipped_folder().glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_study_loads(path: Path) -> None:
    from tuner.study.pruners import make_pruner
    from tuner.study.samplers import make_sampler

    config = StudyConfig.from_file(path)
    assert make_sampler(config) is not None and make_pruner(config) is not None
    assert config.space or config.start


def test_the_shipped_studies_are_those_of_the_design() -> None:
    assert {path.stem for path in find_shipped_folder().glob("*.yaml")} == {
        "mynet",
        "googlenet",
        "mynet-fast",
        "mynet-cpu",
        "journal",
        "quickstart",
        "finetune",
    }


def test_a_study_in_the_working_folder_goes_before_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "mynet.yaml").write_text("space: {lr: 1}")
    assert list_available()["mynet"].read_text() == "space: {lr: 1}"
    assert list_available()["journal"].parent == find_shipped_folder()
    (tmp_path / "studies/...yaml").write_text("space: {lr: 1}")  # no folder can have the name `..`
    assert ".." not in list_available()


@pytest.mark.parametrize("name", ["mynet", "googlenet", "mynet-fast"])
def test_the_real_searches_move_the_stem_and_every_branch_on_its_own(name: str) -> None:
    config = StudyConfig.from_file(find_shipped_folder() / f"{name}.yaml")
    patterns = [key.removeprefix("widths.") for key in config.space if key.startswith("widths.")]
    from tuner.models import find_model

    for model in config.models:
        for width in find_model(model).widths:
            moving = [p for p in patterns if width in find_model(model).matches(p)]
            assert len(moving) == 1, (width, moving)
            branches = {w.split(".")[-1] for w in find_model(model).matches(moving[0])}
            assert len(branches) == 1, moving


def test_the_journal_is_report_a_row_by_row() -> None:
    config = StudyConfig.from_file(find_shipped_folder() / "journal.yaml")
    rows = [(r.get("model", "mynet"), r["epochs"], r["batch_size"], r["lr"]) for r in config.start]
    assert config.row_limit == 9 and config.space == {}
    assert rows == [
        ("googlenet", 2, 4, 0.001),
        ("mynet", 2, 4, 0.001),
        ("mynet", 4, 4, 0.001),
        ("mynet", 4, 4, 0.0001),
        ("mynet", 4, 16, 0.001),
        ("mynet", 4, 8, 0.001),
        ("mynet", 4, 32, 0.001),
        ("mynet", 6, 8, 0.0005),
        ("mynet", 6, 8, 0.001),
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "method: bayes\nmetric: {name: loss}\nparameters: {learning_rate: {min: 0.1, max: 1}}",
            ("a W&B sweep", "`space` for `parameters`"),
        ),
        ("lr0: [1.0e-5, 0.1]\nmosaic: [0, 1]", ("an Ultralytics space (lr0, mosaic)", "lr: {low: ..., high: ..., log: true}")),
    ],
    ids=["wandb", "ultralytics"],
)
def test_spaces_of_other_tools_are_named_with_their_keys_here(tmp_path, text, parts):
    (tmp_path / "sweep.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        StudyConfig.from_file(tmp_path / "sweep.yaml")
    assert all(part in caught.value.message for part in parts) and "did you mean" not in caught.value.message
