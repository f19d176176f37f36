"""What counts as tried: values on steps, grids with failed points, spaces that are finite, start rows by content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from tests.test_space import claimed, finish
from tuner.config.study_config import StudyConfig
from tuner.study.lease import NothingToClaim
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load
from tuner.study.study import Study
from tuner.study.trials import find_best
from tuner.study.worker_id import WorkerId
from tuner.workers.leased_trial import LeasedTrial

STEPS = {"momentum": {"low": 0.1, "high": 0.4, "step": 0.1}, "batch_size": [8, 16, 32]}
THIRD = 0.1 + 2 * 0.1  # 0.30000000000000004


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Any]:
    opened = Storage(f"sqlite:///{tmp_path}/s.db", make=True)

    def make(trials: int | None = None, **plain: Any) -> Study:
        return create_or_load(opened, "s", StudyConfig.from_dict({"space": STEPS, **plain}), "f", trials=trials)

    yield make
    opened.close()


def point(trial: LeasedTrial) -> tuple[float, int]:
    config = trial.configure(threads=1, precision="fp32")
    finish(trial, config)
    return config.momentum, config.batch_size


def is_over(study: Study) -> bool:
    return isinstance(study.leases.claim(WorkerId.here(), study.new_trial), NothingToClaim)


@pytest.mark.parametrize("sampler", ["grid", "tpe", "random", "qmc", "gp", "cmaes"])
def test_every_sampler_tries_every_point_of_a_finite_space_once(made: Any, sampler: str) -> None:
    study = made(40, sampler=sampler)
    points = [point(claimed(study)) for _ in range(12)]
    assert len(set(points)) == 12 and {momentum for momentum, _ in points} == {0.1, 0.2, THIRD, 0.4}
    assert is_over(study)


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_a_start_row_on_a_step_is_that_point_of_the_space(made: Any, sampler: str) -> None:
    study = made(40, sampler=sampler, start=[{"momentum": 0.3, "batch_size": 16}])
    points = [point(claimed(study)) for _ in range(12)]
    assert points[0] == (THIRD, 16) and study.frozen_trials()[0].params["momentum"] == THIRD
    assert len(set(points)) == 12 and is_over(study)


def test_a_value_on_a_step_that_was_stored_as_it_was_typed_is_the_same_configuration(made: Any) -> None:
    study = made(40, sampler="random")
    study.optuna_study().enqueue_trial({"momentum": 0.3, "batch_size": 16})
    assert point(claimed(study)) == (THIRD, 16)
    study.optuna_study().enqueue_trial({"momentum": THIRD, "batch_size": 16})
    twin = claimed(study)
    other = twin.find_duplicate(twin.configure(threads=1, precision="fp32"))
    assert other is not None and other.number == 0
    twin.take_over(other)
    assert len({point(claimed(study)) for _ in range(11)}) == 11 and is_over(study)


@pytest.mark.parametrize("sampler", ["grid", "random"])
def test_a_point_whose_trial_failed_is_tried_again_before_the_space_is_over(made: Any, sampler: str) -> None:
    study = made(40, sampler=sampler)
    failed = claimed(study)
    failed.configure(threads=1, precision="fp32")
    failed.finish(TrialState.FAIL, {"reason": "test"})
    points = [point(claimed(study)) for _ in range(12)]
    assert len(set(points)) == 12 and is_over(study)


def test_no_more_rows_are_made_than_points_are_left(made: Any) -> None:
    study = made(40)
    held = [claimed(study) for _ in range(12)]
    assert is_over(study), "each of the twelve will be a point of its own"
    assert len({point(each) for each in held}) == 12


def test_start_rows_are_known_by_what_they_say(made: Any) -> None:
    rows = [{"momentum": 0.1, "batch_size": 8}, {"momentum": 0.2, "batch_size": 8}]
    study = made(40, start=rows)
    points = [point(claimed(study))]
    study = made(40, start=[{"momentum": 0.4, "batch_size": 8}, *reversed(rows)])
    points += [point(claimed(study)) for _ in range(2)]
    assert Counter(points) == Counter([(0.1, 8), (0.4, 8), (0.2, 8)])


def test_a_copy_costs_neither_a_slot_nor_a_kept_place(made: Any) -> None:
    row = {"momentum": 0.1, "batch_size": 8}
    study = made(3, start=[row, row])
    point(claimed(study))
    copy = claimed(study)
    twin = copy.find_duplicate(copy.configure(threads=1, precision="fp32"))
    assert twin is not None
    copy.take_over(twin)
    counts = study.leases.counts()
    assert (counts.used, counts.finished, counts.complete, counts.copies) == (1, 1, 2, 1)
    assert len({point(claimed(study)) for _ in range(2)}) == 2 and is_over(study)
    assert study.leases.counts().finished == 3 and len(study.frozen_trials()) == 4
    assert [row.number for row in find_best(study, 4)].count(1) == 1 and 1 not in [r.number for r in find_best(study, 4, copies=False)]
