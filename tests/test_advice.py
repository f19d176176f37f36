"""What a search advises at its end, and that it advises nothing where chance or too few trials would explain it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests import fabricated
from tuner.search.request import Request
from tuner.search.run import supervise
from tuner.study.advice import give_advice
from tuner.study.storage import Storage
from tuner.study.study import Study
from tuner.study.tables import studies

LR = {"low": 1e-4, "high": 1e-1, "log": True}
SPACE = {"lr": LR, "momentum": {"low": 0.0, "high": 0.9}}
Values = dict[str, Any]


def draw(index: int) -> Values:
    """Evenly over `SPACE`, the same at every call."""
    rng = random.Random(index)
    return {"lr": 10 ** rng.uniform(-4, -1), "momentum": rng.uniform(0, 0.9)}


def make(folder: Path, rows: Sequence[Values], judge: Callable[[Values], float], *, images: int = 5000, **plain: Any) -> Study:
    storage = Storage(f"sqlite:///{folder}/s.db", make=True)
    study = fabricated.study(storage, {"pruner": "none", "sampler": "random", "space": SPACE, **plain}, images=images)
    fabricated.add(study, [fabricated.trial(study, row, [judge(row)], number=k) for k, row in enumerate(rows)])
    return study


def by_rate(row: Values) -> float:
    """The best learning rate is 0.003, in the middle; momentum matters less."""
    return 0.9 - 0.1 * abs(math.log10(row["lr"] / 0.003)) + 0.05 * row["momentum"] * (1 - row["momentum"])


def test_a_range_that_is_best_at_its_edge_is_to_be_widened(tmp_path: Path) -> None:
    lows = [{"lr": rate, "momentum": 0.5} for rate in (1.0e-4, 1.1e-4, 1.2e-4)]
    study = make(tmp_path, [*map(draw, range(20)), *lows], lambda row: 0.9 - 0.1 * math.log10(row["lr"] / 1e-4))
    [line] = give_advice(study)
    assert line.startswith("lr is best at its lower edge, 0.0001: widen it (")
    assert "of the best 5 trials are within 5 % of it" in line


def test_a_sampler_that_learns_can_take_the_trials_along_into_the_wider_space(tmp_path: Path) -> None:
    rows = [{"lr": 1e-4 * (1 + k / 100), "momentum": 0.5} for k in range(12)]
    lines = give_advice(make(tmp_path, rows, lambda row: 0.9 - 100 * row["lr"], sampler="tpe"))
    assert lines[-1] == "In a wider space these trials are of use: tuner search wider.yaml --from made."


def test_a_list_of_numbers_is_widened_too_and_what_its_kind_ends_at_is_not(tmp_path: Path) -> None:
    space = {"batch_size": [64, 8, 16, 32, 128], "momentum": {"low": 0.0, "high": 0.9}}
    rows = [{"batch_size": (8, 16, 32, 64, 128)[k % 5], "momentum": k / 1000 if k % 5 == 0 else 0.5} for k in range(30)]
    study = make(tmp_path, rows, lambda row: 0.9 - 0.05 * math.log2(row["batch_size"]) - row["momentum"] / 10, space=space)
    [line] = give_advice(study)
    assert line.startswith("batch_size is best at its lower edge, 8: widen it (5 of the best 5"), "momentum has nothing below 0"


def test_where_chance_brings_the_best_five_to_an_edge_nothing_is_said(tmp_path: Path) -> None:
    space = {"batch_size": [8, 16], "momentum": {"low": 0.0, "high": 0.9}}
    rows = [{"batch_size": (8, 16)[k % 2], "momentum": 0.5} for k in range(12)]
    assert give_advice(make(tmp_path, rows, lambda row: 0.9 - 0.05 * row["batch_size"] / 8, space=space)) == []


def test_best_values_in_the_middle_or_few_trials_give_no_advice(tmp_path: Path) -> None:
    assert give_advice(make(tmp_path, [draw(k) for k in range(30)], by_rate)) == []


def test_nine_trials_say_nothing_of_an_edge(tmp_path: Path) -> None:
    rows = [{"lr": 1e-4 * (1 + k / 100), "momentum": 0.5} for k in range(9)]
    assert give_advice(make(tmp_path, rows, lambda row: 0.9 - row["lr"])) == []


def test_a_part_of_twenty_images_is_too_small_to_tell(tmp_path: Path) -> None:
    lines = give_advice(make(tmp_path, [draw(k) for k in range(12)], lambda row: round(20 * by_rate(row)) / 20, images=20))
    assert len(lines) == 1 and lines[0].startswith(
        "11 of 11 other finished trials cannot be told apart from the best on 20 validation images"
    )


@pytest.mark.parametrize("finished, options, said", [(4, {}, True), (10, {}, True), (11, {}, False), (4, {"n_startup_trials": 3}, False)])
def test_a_sampler_that_has_learnt_nothing_yet_is_told(tmp_path: Path, finished: int, options: Values, said: bool) -> None:
    study = make(tmp_path, [draw(k) for k in range(finished)], by_rate, sampler={"name": "tpe", **options})
    assert [line for line in give_advice(study) if "draws its first 10 at random (its n_startup_trials)" in line] != [] or not said
    assert said or give_advice(study) == []


def test_a_hyper_parameter_without_effect_is_named_with_how_that_was_found(tmp_path: Path) -> None:
    rows = [draw(k) for k in range(60)]
    study = make(tmp_path, rows, lambda row: 0.9 - 0.1 * abs(math.log10(row["lr"] / 0.003)), images=2000)
    [line] = give_advice(study)
    assert line.startswith(
        "momentum had no effect that 2,000 validation images can show (fANOVA over 60 trials: it moved the accuracy by 0.22"
    )


def test_a_small_effect_that_the_images_can_show_is_one(tmp_path: Path) -> None:
    rows = [draw(k) for k in range(60)]
    study = make(tmp_path, rows, lambda row: 0.9 - 0.1 * abs(math.log10(row["lr"] / 0.003)) + 0.03 * row["momentum"], images=50_000)
    assert give_advice(study) == []


def test_a_search_ends_with_its_advice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = make(tmp_path, [draw(k) for k in range(2)], by_rate, sampler="tpe")
    with study.storage.transaction() as connection:
        connection.execute(sa.update(studies).values(slots=2))
    supervise(study, Request(study="made"))
    said = capsys.readouterr()
    assert "Best of study made" in said.out
    assert "Advice: 2 finished trials are too few, because the sampler tpe draws its first 10 at random" in said.err
