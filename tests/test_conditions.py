"""Conditional spaces: a trial has what its conditions say, nothing else is drawn, compared, told or written."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from tests.fabricated import add, study, trial
from tests.test_space import search
from tuner.config.samplers import SAMPLERS
from tuner.config.study_config import StudyConfig
from tuner.config.trial_config import TrialConfig, read_config
from tuner.console.progress import Progress
from tuner.errors import UsageError
from tuner.placement import Placement
from tuner.report.journal import list_attempts
from tuner.report.pictures.parameters import draw_parallel_coordinates, find_importances, list_scales
from tuner.report.words import ranges
from tuner.search.dry_run import format_dimension
from tuner.study.samplers import make_sampler
from tuner.study.search_space import compare_definitions, count_configurations, define, find_point, find_untried
from tuner.study.storage import Storage
from tuner.study.trials import export_config, find_best, list_trials
from tuner.study.trying import try_methods
from tuner.workers.events import TrialStarted

SPACE = {
    "nesterov": {"values": [True, False], "when": {"momentum": [0.5, 0.7]}},  # before what it depends on
    "momentum": {"values": [0.0, 0.5, 0.7], "when": {"optimizer": "sgd"}},
    "optimizer": ["sgd", "adamw"],
    "lr": [0.01, 0.02],
}
PAGE = Path(__file__).parent.parent / "docs" / "own-images.md"
POINTS = {
    *itertools.product([0.01, 0.02], ["adamw"], [None], [None]),
    *itertools.product([0.01, 0.02], ["sgd"], [0.0], [None]),
    *itertools.product([0.01, 0.02], ["sgd"], [0.5, 0.7], [True, False]),
}


def key(params: Any) -> tuple[Any, ...]:
    return tuple(params.get(name) for name in ("lr", "optimizer", "momentum", "nesterov"))


def open_storage(folder: Path) -> Storage:
    return Storage(f"sqlite:///{folder}/s.db", make=True)


def test_every_point_is_tried_once_and_has_what_its_conditions_say(tmp_path: Path) -> None:
    config = StudyConfig.from_dict({"space": SPACE, "sampler": "random"})
    assert count_configurations(config) == len(POINTS) == 12
    made = study(open_storage(tmp_path), {"space": SPACE, "sampler": "random"}, name="s", data="f", trials=12)
    drawn = search(made.storage, "s", config, 12)
    rows = list_trials(made)
    assert {key(row.params) for row in rows} == POINTS
    for row, plain in zip(rows, drawn, strict=True):
        assert plain["momentum"] == row.params.get("momentum", 0.9) and plain["nesterov"] is row.params.get("nesterov", False)
        assert set(row.absent) == {"momentum", "nesterov"} - set(row.params)
    assert find_untried(config, {find_point(config, row.params) for row in rows}, {}, seed=0) is None
    assert made.new_trial() is None


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "grid"])
def test_every_sampler_draws_it(sampler: str) -> None:
    space = {**SPACE, "lr": {"low": 0.001, "high": 0.1, "log": True}, "momentum": {"low": 0.5, "high": 0.9, "when": {"optimizer": "sgd"}}}
    space.pop("nesterov")
    config = StudyConfig.from_dict({"space": space, "sampler": sampler})
    assert count_configurations(config) is None
    try_methods(config)


def test_a_grid_says_that_it_cannot() -> None:
    with pytest.raises(UsageError, match=r"sampler grid cannot search what some trials do not have \(nesterov, momentum\)"):
        make_sampler(StudyConfig.from_dict({"space": SPACE, "sampler": "grid"}))


def test_the_study_file_comes_back_and_a_condition_is_part_of_the_definition() -> None:
    space = {"optimizer": ["sgd", "adamw"], "momentum": {"low": 0.5, "high": 0.9, "when": {"optimizer": "sgd"}}}
    config = StudyConfig.from_dict({"space": space})
    assert config.to_dict()["space"] == space and StudyConfig.from_dict(config.to_dict()) == config
    assert StudyConfig.from_dict({"space": SPACE}).to_dict()["space"] == SPACE
    without = StudyConfig.from_dict({"space": {**space, "momentum": {"low": 0.5, "high": 0.9}}})
    assert define(without, "f")["momentum"] == {"low": 0.5, "high": 0.9}, "today's studies keep their definition"
    assert "momentum was" in compare_definitions(define(without, "f"), define(config, "f"))
    assert format_dimension(config.space["momentum"]) == "0.5 to 0.9, when optimizer is sgd"
    assert ("momentum", "0.5 to 0.9, when optimizer is sgd") in ranges(config.space)


def test_what_is_absent_is_not_exported_and_not_told_as_a_change(tmp_path: Path) -> None:
    made = study(open_storage(tmp_path), {"data": "digits", "space": SPACE})
    sgd = trial(made, {"lr": 0.01, "optimizer": "sgd", "momentum": 0.7, "nesterov": True}, [0.5])
    adamw = trial(made, {"lr": 0.01, "optimizer": "adamw"}, [0.6], number=1)
    add(made, [sgd, adamw])
    rows = list_trials(made)
    assert [change.name for change in list_attempts(rows)[1].changes] == ["optimizer"]
    Path("c.yaml").write_text(export_config(made, find_best(made)[0]))
    assert "momentum" not in Path("c.yaml").read_text() and "nesterov" not in Path("c.yaml").read_text()
    assert read_config(Path("c.yaml"))[0] == rows[1].config
    assert "momentum: 0.7" in export_config(made, rows[0])


def test_the_live_view_shows_what_a_trial_has(tmp_path: Path) -> None:
    made = study(open_storage(tmp_path), {"data": "digits", "space": SPACE})
    view = Progress(made, [Placement(device="cpu")], made.leases.counts())
    for config, shown in (
        (TrialConfig(optimizer="adamw", lr=0.01), "optimizer adamw, lr 0.01"),
        (TrialConfig(optimizer="sgd", momentum=0.5, lr=0.01), "nesterov False, momentum 0.5, optimizer sgd, lr 0.01"),
    ):
        view.event(0, TrialStarted(number=0, config=config, epoch=0))
        assert view.rows[0].config == shown


def test_importances_and_parallel_coordinates_are_of_all_trials(tmp_path: Path) -> None:
    """Optuna takes only trials that have every parameter: half of them, and the worse half."""
    made = study(open_storage(tmp_path), {"data": "digits", "space": SPACE})
    rows = [
        trial(
            made, {"lr": lr, "optimizer": "adamw"} if n % 2 else {"lr": lr, "optimizer": "sgd", "momentum": 0.0}, [0.5 + n % 2 * 0.3 + lr]
        )
        for n, lr in enumerate([0.01, 0.01, 0.02, 0.02] * 4)
    ]
    add(made, rows)
    assert set(find_importances(made)) == {"optimizer", "lr"}
    without = [row for row in list_trials(made) if row.absent]
    assert draw_parallel_coordinates(list_scales(made), without) is not None, "a line that has no momentum is drawn too"


def test_the_examples_of_the_page_are_study_files() -> None:
    photos, text = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    Path("photos.yaml").write_text(photos)
    assert StudyConfig.from_file(Path("photos.yaml")).data.source == "folder:photos"
    Path("a.yaml").write_text(text)
    assert {name for name, when in StudyConfig.from_file(Path("a.yaml")).conditions.items() if when} == {
        "momentum",
        "nesterov",
        "weight_decay",
    }


BAD = {
    "circle": (
        {
            "optimizer": {"values": ["sgd", "adamw"], "when": {"nesterov": True}},
            "nesterov": {"values": [True], "when": {"optimizer": "sgd"}},
        },
        "when goes in a circle: ",
    ),
    "itself": ({"optimizer": {"values": ["sgd", "adamw"], "when": {"optimizer": "sgd"}}}, "when goes in a circle: optimizer -> optimizer"),
    "unknown name": (
        {"momentum": {"low": 0, "high": 0.9, "when": {"optimiser": "sgd"}}},
        "momentum: when: unknown hyper-parameter 'optimiser': did you mean 'optimizer'?",
    ),
    "unknown value": (
        {"momentum": {"low": 0, "high": 0.9, "when": {"optimizer": "sdg"}}},
        "momentum: when: unknown optimizer 'sdg': did you mean 'sgd'?",
    ),
    "never": (
        {"momentum": {"low": 0, "high": 0.9, "when": {"optimizer": "adamw"}}},
        "momentum: when optimizer is adamw: no trial has that (sgd): add it there, or take it out here",
    ),
    "a range": (
        {"lr": {"low": 0.1, "high": 0.2}, "momentum": {"low": 0, "high": 0.9, "when": {"lr": 0.1}}},
        "momentum: when lr: that is a range, and a condition is on one of the values of a list",
    ),
    "of epochs": ({"epochs": {"low": 1, "high": 3, "when": {"optimizer": "sgd"}}}, "epochs takes no when: every trial has it"),
    "on epochs": ({"momentum": {"low": 0, "high": 0.9, "when": {"epochs": 3}}}, "momentum: when takes hyper-parameters with a list"),
    "no map": ({"momentum": {"low": 0, "high": 0.9, "when": "sgd"}}, "momentum: when takes a map such as {optimizer: sgd}, not 'sgd'"),
    "empty list": ({"momentum": {"low": 0, "high": 0.9, "when": {"optimizer": []}}}, "momentum: when optimizer: an empty list never holds"),
    "too many": (
        {
            "optimizer": ["sgd", "adamw"],
            "batch_size": list(range(1, 10_000)),
            "momentum": {"low": 0, "high": 0.9, "when": {"optimizer": "sgd", "batch_size": 8}},
        },
        "make 19,998 cases: choose among fewer (at most 10,000)",
    ),
}


@pytest.mark.parametrize("space,message", BAD.values(), ids=BAD.keys())
def test_a_condition_that_is_wrong_is_a_line(space: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        StudyConfig.from_dict({"space": {"weight_decay": [0.0, 0.1], **space}}, "a.yaml")
    assert caught.value.message.startswith("a.yaml: ") and message in caught.value.message


def test_a_start_row_sets_only_what_its_trial_has(tmp_path: Path) -> None:
    rows = [{"optimizer": "sgd", "momentum": 0.5}, {"optimizer": "adamw"}]
    config = StudyConfig.from_dict({"space": SPACE, "start": rows})
    drawn = search(open_storage(tmp_path), "s", config, 2)
    assert [(plain["optimizer"], plain["momentum"]) for plain in drawn] == [("sgd", 0.5), ("adamw", 0.9)]
    for row in ({"momentum": 0.5}, {"optimizer": "adamw", "momentum": 0.5}):
        with pytest.raises(
            UsageError, match="start row 1: momentum is there only when optimizer is sgd: set that in the row too, or leave"
        ):
            StudyConfig.from_dict({"space": SPACE, "start": [row]})
