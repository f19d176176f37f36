"""What each sampler sees of a study whose trials pause: one record a configuration, carried to its end."""

from __future__ import annotations

import math

import pytest
from optuna.trial import TrialState

from tests.test_promote import CONFIG, EPOCHS, curves, get, make, play, report, train
from tuner.config.samplers import SAMPLERS
from tuner.study.lease import Lease
from tuner.study.pausing import PausingLeases
from tuner.study.promotion import predict_errors
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, load
from tuner.study.study import Study
from tuner.workers.leased_trial import LeasedTrial

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
SPACE = {"lr": [0.001, 0.002, 0.004, 0.008], "batch_size": [8, 16, 32, 64], "epochs": EPOCHS}
FREE = {"lr": {"low": 0.001, "high": 0.1, "log": True}, "momentum": {"low": 0.5, "high": 0.9}, "epochs": EPOCHS}


def draw(study: Study) -> Lease:
    """Claim a trial and draw its configuration."""
    lease = get(study)
    LeasedTrial(study, lease).configure(threads=1, precision="fp32")
    return lease


def seen(study: Study) -> dict[int, tuple[str, float | None]]:
    trials = study.optuna_study(carried=True).get_trials(deepcopy=False, states=FINISHED)
    return {trial.number: (trial.state.name, trial.value) for trial in trials}


def test_a_paused_trial_is_seen_complete_at_its_predicted_end(storage: Storage) -> None:
    study, accuracies = make(storage, 12), curves(12)
    for _ in range(14):
        lease = draw(study)
        train(study, lease, accuracies[lease.number])
    assert isinstance(study.leases, PausingLeases)
    standing, rule = study.leases.read_standing(), study.leases.rule
    paused = standing.paused(rule.levels)
    wanted = predict_errors(rule, standing.best, standing.final, paused)
    complete = {t.number: t.value for t in study.frozen_trials() if t.state is TrialState.COMPLETE}
    assert len(paused) >= 4 and complete
    assert seen(study) == {n: ("COMPLETE", 1 - error) for n, error in wanted.items()} | {n: ("COMPLETE", v) for n, v in complete.items()}
    assert {trial.state for trial in study.frozen_trials()} == {TrialState.COMPLETE, TrialState.WAITING}, "stored rows stay true"
    assert all(math.isclose(1 - math.exp(standing.best[n][-1]), 1 - error, abs_tol=0.5) for n, error in wanted.items())
    taken = get(study)
    if taken.taken:
        assert seen(load(storage, "s"))[taken.number] == ("COMPLETE", 1 - wanted[taken.number]), "also while it goes on"


def test_trials_that_were_left_keep_their_predicted_value_for_what_comes_after(storage: Storage) -> None:
    study, accuracies = make(storage, 10), curves(10)
    play(study, accuracies)
    left = [trial for trial in study.frozen_trials() if trial.state is TrialState.PRUNED]
    view = seen(study)
    assert left and all(view[trial.number][0] == "COMPLETE" and view[trial.number][1] != trial.value for trial in left)
    assert len(view) == 10
    diverged = get(more := create_or_load(storage, "s", study.config, "f", more=2))
    report(more, diverged, {diverged.number: [0.9]}, 1)  # type: ignore[arg-type]
    LeasedTrial(more, diverged).configure(threads=1, precision="fp32")
    LeasedTrial(more, diverged).finish(TrialState.PRUNED, {"outcome": "diverged", "reason": "diverged: x"}, infeasible="diverged")
    assert seen(more)[diverged.number] == ("PRUNED", 0.9), "a fault is no record of an accuracy"


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_draws_beside_paused_trials_and_no_point_twice(sampler: str, tmp_path: object) -> None:
    space = SPACE if sampler in ("grid", "random", "tpe") else FREE
    options = {"n_startup_trials": 2} if "n_startup_trials" in SAMPLERS[sampler].options else {}
    storage = Storage(f"sqlite:///{tmp_path}/x.db", make=True)
    study, accuracies = make(storage, 10, space=space, sampler={"name": sampler, **options}), curves(10)
    while len(study.frozen_trials()) < 10:
        lease = draw(study)
        train(study, lease, accuracies[lease.number])
    points = [tuple(sorted(trial.params.items())) for trial in study.frozen_trials()]
    assert len(set(points)) == 10 and CONFIG["pruner"]["name"] == "promote"


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes"])
def test_a_sampler_that_learns_learns_from_paused_trials(sampler: str, tmp_path: object) -> None:
    """Two searches that differ in the accuracies of trials that paused, and in nothing else, draw differently."""

    def next_params(name: str, good: set[int]) -> list[dict[str, float]]:
        storage = Storage(f"sqlite:///{tmp_path}/{name}.db", make=True)
        spec = {"name": sampler, "n_startup_trials": 2}
        study = make(storage, 30, space=FREE, sampler=spec, pruner={"name": "promote", "fraction": 0.01, "audit": 0})
        for number in range(8):
            lease = draw(study)
            assert lease.number == number, "nothing is promoted"
            train(study, lease, [0.8 if number in good else 0.2])
        draw(study)
        return [trial.params for trial in study.frozen_trials()]

    assert next_params("a", {0, 1, 2}) != next_params("b", {5, 6, 7})
