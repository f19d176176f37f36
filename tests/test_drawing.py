"""A configuration that cannot be drawn ends its row, and options that cannot draw are told before anything is written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.test_objective import STUDY
from tests.test_space import FINITE, SPACE, claimed, search
from tuner.config.study_config import StudyConfig
from tuner.data import load as load_data
from tuner.data.parts import Parts
from tuner.errors import UsageError
from tuner.placement import Placement
from tuner.study.outcome import Outcome
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load
from tuner.study.study import Study
from tuner.study.trials import list_trials
from tuner.study.trying import try_methods
from tuner.workers.events import Event, TrialEnded
from tuner.workers.objective import train_trial


@pytest.mark.parametrize(
    "plain,message",
    [
        ({"sampler": {"name": "tpe", "n_startup_trials": "20"}}, "sampler tpe fails with these options: TypeError"),
        ({"sampler": {"name": "tpe", "n_startup_trials": 500, "n_ei_candidates": 0}}, "sampler tpe fails with these options: IndexError"),
        ({"sampler": {"name": "cmaes", "popsize": 1}}, "sampler cmaes fails with these options: AssertionError"),
        ({"sampler": {"name": "gp", "n_startup_trials": None}}, "sampler gp fails with these options: TypeError"),
        ({"pruner": {"name": "sha", "reduction_factor": 2.5, "min_resource": "2"}}, "pruner sha"),
    ],
)
def test_options_that_fail_when_they_are_used_are_told_before_anything_is_written(plain: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        try_methods(StudyConfig.from_dict({"space": SPACE, **plain}))


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "qmc", "random", "grid"])
def test_seeds_of_up_to_63_bits_draw(tmp_path: Path, sampler: str) -> None:
    drawn = []
    for seed in (2**32 - 1, 2**32, 2**63 - 1):
        config = StudyConfig.from_dict({"space": FINITE if sampler == "grid" else SPACE, "sampler": sampler, "seed": seed})
        try_methods(config)
        storage = Storage(f"sqlite:///{tmp_path}/{seed}.db", make=True)
        drawn.append(str([(c["lr"], c["batch_size"], c["widths"]) for c in search(storage, "s", config, 5)]))
        storage.close()
    assert len(set(drawn)) == 3


def make_study(folder: Path) -> Study:
    config = StudyConfig.from_dict({**STUDY, "start": [], "space": {"lr": [0.01, 0.02], "batch_size": 32, "epochs": 1}})
    return create_or_load(Storage(f"sqlite:///{folder}/x.db", make=True), "s", config, "f", trials=2)


@pytest.mark.parametrize(
    "enqueued,reason",
    [
        ({"lr": 0.5}, r"cannot be drawn: ValueError: '?0.5'? not in \(0.01, 0.02\)"),
        ({"lr": "fast"}, "cannot be drawn: ValueError"),
    ],
)
def test_an_enqueued_row_outside_the_space_is_a_fail_and_the_study_goes_on(tmp_path: Path, enqueued: dict[str, Any], reason: str) -> None:
    study = make_study(tmp_path)
    study.optuna_study().enqueue_trial(enqueued)
    parts = Parts(load_data(study.config.data), study.config.data, "cpu")
    said: list[Event] = []
    for _ in range(2):
        train_trial(study, claimed(study).lease, parts, Placement(device="cpu"), stop=lambda: False, say=said.append)
    ended = [event for event in said if isinstance(event, TrialEnded)]
    assert [event.outcome for event in ended] == [Outcome.ERROR, Outcome.TRAINED]
    first, second = list_trials(study)
    assert (first.state, second.state) == ("FAIL", "COMPLETE")
    assert re.match(reason, first.reason), first.reason
    assert study.leases.counts().used == 1
    study.storage.close()
