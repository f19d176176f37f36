"""Drawing: every sampler and pruner, the same search however often it is interrupted, and the definition of a study."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from tuner.config.pruners import PRUNERS
from tuner.config.samplers import SAMPLERS
from tuner.config.study_config import StudyConfig
from tuner.config.trial_config import TrialConfig
from tuner.errors import UsageError
from tuner.study.lease import Lease
from tuner.study.pruners import make_pruner
from tuner.study.samplers import make_sampler
from tuner.study.search_space import compare_definitions, count_configurations, define, derive_seed, find_joint_space, list_grid
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load
from tuner.study.study import Study
from tuner.study.worker_id import WorkerId
from tuner.training.score import Score
from tuner.workers.leased_trial import LeasedTrial

SPACE = {
    "lr": {"low": 0.001, "high": 0.1, "log": True},
    "batch_size": [8, 16, 32],
    "epochs": {"low": 2, "high": 6},
    "widths": {"*.pool": {"low": 0.5, "high": 1.5, "step": 0.5}},
}
FINITE = {"lr": [0.001, 0.01], "batch_size": [8, 16, 32], "widths": {"*.pool": {"low": 0.5, "high": 1.5, "step": 0.5}}}


def value(config: TrialConfig) -> float:
    """A smooth stand-in for an accuracy."""
    return 1 / (1 + abs(config.lr - 0.02) * 10 + config.batch_size / 100 + abs(config.widths.get("*.pool", 1.0) - 1))


def claimed(study: Study) -> LeasedTrial:
    claim = study.leases.claim(WorkerId.here(), study.new_trial)
    assert isinstance(claim, Lease), claim
    return LeasedTrial(study, claim)


def finish(trial: LeasedTrial, config: TrialConfig) -> None:
    trial.finish(TrialState.COMPLETE, {"reason": "test"}, value=value(config))


def search(storage: Storage, name: str, config: StudyConfig, trials: int, *, kills: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    """A search with one worker; in the trials `kills` the worker goes away after drawing, and comes back."""
    study = create_or_load(storage, name, config, "f", trials=trials)
    drawn = []
    for number in range(trials):
        trial = claimed(study)
        if number in kills:
            trial.configure(threads=1, precision="fp32")
            study.leases.requeue(trial.lease)
            storage.drop_cache()
            trial = claimed(study)
        drawn.append(trial.configure(threads=1, precision="fp32"))
        finish(trial, drawn[-1])
    return [c.to_dict() for c in drawn]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_draws_the_same_search_interrupted_or_not(tmp_path: Any, sampler: str) -> None:
    config = StudyConfig.from_dict({"space": FINITE if sampler == "grid" else SPACE, "sampler": sampler})
    if sampler in ("tpe", "gp"):  # leave the random start-up early
        config = StudyConfig.from_dict({"space": SPACE, "sampler": {"name": sampler, "n_startup_trials": 4}})
    one, two = Storage(f"sqlite:///{tmp_path}/1.db", make=True), Storage(f"sqlite:///{tmp_path}/2.db", make=True)
    through = search(one, "s", config, 9)
    assert search(two, "s", config, 9, kills=(0, 3, 6, 7)) == through
    assert len({(c["lr"], c["batch_size"], c["epochs"], str(c["widths"])) for c in through}) > 5, "the draws differ from each other"
    one.close(), two.close()


def test_another_seed_is_another_search(tmp_path: Any) -> None:
    drawn = []
    for seed in (0, 1):
        storage = Storage(f"sqlite:///{tmp_path}/{seed}.db", make=True)
        drawn.append([c["lr"] for c in search(storage, "s", StudyConfig.from_dict({"space": SPACE, "seed": seed}), 3)])
        storage.close()
    assert drawn[0] != drawn[1]


def test_the_grid_visits_every_point_once_and_then_there_is_nothing_more(tmp_path: Any) -> None:
    config = StudyConfig.from_dict({"space": FINITE, "sampler": "grid"})
    storage = Storage(f"sqlite:///{tmp_path}/g.db", make=True)
    drawn = search(storage, "s", config, 18)
    assert count_configurations(config) == 18
    assert len({(c["lr"], c["batch_size"], c["widths"]["*.pool"]) for c in drawn}) == 18
    assert create_or_load(storage, "s", config, "f", more=1).new_trial() is None
    storage.close()


def test_start_rows_run_first_and_what_they_leave_out_is_drawn(tmp_path: Any) -> None:
    config = StudyConfig.from_dict(
        {"space": SPACE, "start": [{"lr": 0.05, "momentum": 0.5}, {"batch_size": 16, "widths": {"*.pool": 1.5}}]}
    )
    storage = Storage(f"sqlite:///{tmp_path}/g.db", make=True)
    first, second, third = search(storage, "s", config, 3)
    assert (first["lr"], first["momentum"]) == (0.05, 0.5) and first["batch_size"] in (8, 16, 32)
    assert (second["batch_size"], second["widths"], second["momentum"]) == (16, {"*.pool": 1.5}, 0.9)
    assert third["momentum"] == 0.9
    storage.close()


def test_a_grid_with_a_start_row_that_leaves_values_out(tmp_path: Any) -> None:
    config = StudyConfig.from_dict({"space": FINITE, "sampler": "grid", "start": [{"lr": 0.01}]})
    storage = Storage(f"sqlite:///{tmp_path}/g.db", make=True)
    assert search(storage, "s", config, 2)[0]["lr"] == 0.01
    storage.close()


def test_a_width_that_the_drawn_model_lacks_is_not_drawn(tmp_path: Any) -> None:
    config = StudyConfig.from_dict({"model": ["mynet", "googlenet"], "space": {"widths": {"e4.pool": [0.5, 1.0], "stem": [0.5, 1.0]}}})
    storage = Storage(f"sqlite:///{tmp_path}/g.db", make=True)
    through = search(storage, "s", config, 6)
    for drawn in through:
        assert set(drawn["widths"]) == ({"stem"} if drawn["model"] == "mynet" else {"e4.pool", "stem"})
    assert len({(drawn["model"], str(drawn["widths"])) for drawn in through}) == 6
    assert count_configurations(config) == 2 + 4
    assert set(find_joint_space(config)) == {"model", "widths.stem"}
    storage.close()


def test_rows_told_from_outside_without_parameters_do_not_empty_the_joint_draw(tmp_path: Any) -> None:
    config = StudyConfig.from_dict({"space": SPACE, "sampler": {"name": "tpe", "n_startup_trials": 2}})
    storage = Storage(f"sqlite:///{tmp_path}/g.db", make=True)
    search(storage, "s", config, 4)
    study = create_or_load(storage, "s", config, "f", more=2)
    claim = study.leases.claim(WorkerId.here(), study.new_trial)
    assert isinstance(claim, Lease)
    study.optuna_study().tell(claim.number, 0.1)
    trial = claimed(study)
    trial.configure(threads=1, precision="fp32")
    assert any(key.startswith("tpe:relative_params") for key in trial.frozen().system_attrs)
    storage.close()


def test_diverged_trials_are_told_to_the_sampler(tmp_path: Any) -> None:
    storage = Storage(f"sqlite:///{tmp_path}/g.db", make=True)
    study = create_or_load(storage, "s", StudyConfig.from_dict({"space": SPACE}), "f")
    trial = claimed(study)
    trial.configure(threads=1, precision="fp32")
    trial.finish(TrialState.PRUNED, {"reason": "diverged"}, infeasible="diverged")
    [row] = study.frozen_trials()
    assert row.state is TrialState.PRUNED and row.constraints == {"diverged": 1.0}
    storage.close()


@pytest.mark.parametrize("pruner", [name for name, spec in PRUNERS.items() if not spec.pauses])  # test_promote.py has the others
def test_every_pruner_is_built_and_asked(tmp_path: Any, pruner: str) -> None:
    config = StudyConfig.from_dict({"space": SPACE, "pruner": pruner})
    storage = Storage(f"sqlite:///{tmp_path}/g.db", make=True)
    study = create_or_load(storage, "s", config, "f")
    pruned = []
    for number in range(12):
        trial = claimed(study)
        trial.configure(threads=1, precision="fp32")
        for epoch in range(1, 7):
            good = 0.9 if number < 6 else 0.1
            trial.report(Score(epoch=epoch, train_loss=1.0, train_accuracy=0.5, val_loss=1.0, val_accuracy=good, seconds=1.0))
            if trial.should_prune():
                pruned.append(number)
                trial.finish(TrialState.PRUNED, {"reason": "test"})
                break
        else:
            trial.finish(TrialState.COMPLETE, {"reason": "test"}, value=good)
    assert all(number >= 6 for number in pruned)
    assert bool(pruned) == (pruner != "none")
    storage.close()


@pytest.mark.parametrize(
    "plain,message",
    [
        ({"sampler": {"name": "tpe", "n_startup": 3}}, "sampler tpe takes no argument 'n_startup'.*did you mean 'n_startup_trials'"),
        ({"sampler": {"name": "tpe", "seed": 3}}, "the seed stands at the top"),
        ({"sampler": {"name": "grid"}}, "sampler grid needs a step or a list of choices for lr, epochs"),
        ({"sampler": {"name": "cmaes", "use_separable_cma": True, "with_margin": True}}, "sampler cmaes"),
        ({"pruner": {"name": "median", "warmup": 3}}, "pruner median takes no argument 'warmup'"),
        ({"pruner": {"name": "percentile", "percentile": 200}}, "pruner percentile"),
        ({"pruner": {"name": "none", "x": 200}}, "pruner none takes no argument 'x'"),
    ],
)
def test_a_bad_argument_of_a_sampler_or_pruner_is_a_line(plain: dict[str, Any], message: str) -> None:
    space = SPACE | {"epochs": {"low": 2, "high": 6, "step": 1}}
    config = StudyConfig.from_dict({"space": {**space, "momentum": {"low": 0, "high": 0.9, "step": 0.1}}, **plain})
    message = message.replace("lr, epochs", "lr")
    with pytest.raises(UsageError, match=message):
        make_sampler(config)
        make_pruner(config)


def test_the_definition_covers_what_decides_a_trial_and_leaves_out_what_may_change() -> None:
    base = {"space": {"lr": [0.1, 0.2]}}

    def changed(data: str = "f", **plain: Any) -> str:
        before, after = StudyConfig.from_dict(base), StudyConfig.from_dict({**base, **plain})
        return compare_definitions(define(before, "f"), define(after, data))

    assert changed() == ""
    assert changed(sampler="random", pruner="none", start=[{"lr": 0.1}]) == ""
    assert changed(space={"lr": [0.1, 0.2], "batch_size": 8}) == "", "a default that is named is still the default"
    for plain in ({"model": "googlenet"}, {"width": 0.5}, {"validation": 0.2}, {"train_images": 10}, {"seed": 1}, {"image_size": 16}):
        assert changed(**plain).startswith(next(iter(plain)))
    assert changed("g") == "data was f and is now g"
    assert changed(space={"lr": [0.1]}) == "lr was [0.1, 0.2] and is now [0.1]"


def test_sizes_and_grids() -> None:
    assert count_configurations(StudyConfig.from_dict({"space": SPACE})) is None
    config = StudyConfig.from_dict({"pruner": "none", "space": {"epochs": {"low": 2, "high": 8, "step": 2}, "lr": [1, 2]}})
    assert count_configurations(config) == 8
    assert list_grid(config) == {"epochs": [2, 4, 6, 8], "lr": [1.0, 2.0]}


def test_seeds_are_the_same_on_every_machine() -> None:
    assert derive_seed(0, "trial", 7) == derive_seed(0, "trial", 7) != derive_seed(0, "trial", 8)
    assert derive_seed(0, "trial", 7) == 3189054140
    assert optuna.__version__.startswith("5.")
