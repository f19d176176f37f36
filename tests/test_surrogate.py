"""Samplers judged on a surrogate that is fitted to a study's own trials."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tests import fabricated
from tests.conftest import Tuner
from tuner.errors import NothingToShow
from tuner.simulate.rules import find_rule
from tuner.simulate.sampling import judge_sampler
from tuner.simulate.surrogate import fit_surrogate
from tuner.study.storage import Storage
from tuner.study.study import Study

EPOCHS, IMAGES = 4, 200


def make_study(folder: Path, count: int = 80) -> Study:
    """Trials whose accuracy rises to a learning rate of 0.01 and falls beyond it; flipping gives 5 points more."""
    storage = Storage(f"sqlite:///{folder}/tuner.db", make=True)
    space = {"lr": {"low": 1e-4, "high": 1.0, "log": True}, "momentum": {"low": 0.0, "high": 0.9}, "augment": ["none", "flip"]}
    study = fabricated.study(storage, {"data": "digits", "pruner": "none", "space": {**space, "epochs": EPOCHS}}, trials=count)
    rng, trials = np.random.default_rng(1), []
    for number in range(count):
        values = {"lr": 10 ** rng.uniform(-4, 0), "momentum": rng.uniform(0, 0.9), "augment": str(rng.choice(["none", "flip"]))}
        end = 0.9 - 0.1 * (math.log10(values["lr"]) + 2) ** 2 + 0.05 * (values["augment"] == "flip")
        curve = [round(IMAGES * end * epoch / EPOCHS) / IMAGES for epoch in range(1, EPOCHS + 1)]
        trials.append(fabricated.trial(study, {**values, "epochs": EPOCHS}, curve, number=number))
    fabricated.add(study, trials)
    return study


def test_a_surrogate_knows_what_matters_and_how_well_it_knows_it(tmp_path: Path) -> None:
    surrogate = fit_surrogate(make_study(tmp_path))
    assert surrogate.worth > 0.9 and surrogate.epochs == EPOCHS and surrogate.val_images == IMAGES
    best = {"lr": 0.01, "momentum": 0.5, "augment": "flip"}
    assert surrogate.foretell(best)[-1] < surrogate.foretell(best | {"augment": "none"})[-1] < surrogate.foretell(best | {"lr": 0.9})[-1]
    lone = surrogate.forest.predict(np.array([[0.5, 0.5 / 0.9, 0.0, 1.0]]))[0]
    assert np.allclose(np.log(surrogate.foretell(best)), lone), "as scikit-learn's own prediction of the encoded row"
    seen = np.array([surrogate.observe(best, np.random.default_rng(seed))[-1] for seed in range(40)])
    binomial = math.sqrt(0.05 * 0.95 / IMAGES)
    assert abs(seen.mean() - surrogate.foretell(best)[-1]) < binomial and 0.6 * binomial < seen.std() < 2 * binomial


@pytest.mark.parametrize("pruner", ["none", "promote"])
def test_a_sampler_that_learns_finds_more_than_one_that_does_not(tmp_path: Path, pruner: str) -> None:
    study = make_study(tmp_path)
    surrogate = fit_surrogate(study)
    tpe, random = (
        judge_sampler(surrogate, study.config, (name, {}), find_rule(pruner), seeds=range(4), trials=20, workers=2)
        for name in ("tpe", "random")
    )
    assert tpe.gain_over(random).mean > 0
    assert tpe.share.mean == 1 if pruner == "none" else tpe.share.mean < 0.9


def test_too_few_trials_are_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(NothingToShow, match=r"has 59 trials of all its epochs, and 60 are wanted to judge samplers: search on"):
        fit_surrogate(make_study(tmp_path, 59))


def test_the_command_says_what_the_surrogate_is_worth(tmp_path: Path, tuner: Tuner) -> None:
    make_study(tmp_path)
    where = ("--storage", f"sqlite:///{tmp_path}/tuner.db", "--seeds", "2", "--pruner", "promote")
    told = json.loads(tuner("simulate", "made", *where, "--sampler", "qmc", "--json").stdout)
    assert [(row["sampler"], row["pruner"]) for row in told["samplers"]] == [
        (sampler, pruner) for pruner in ("none", "promote") for sampler in ("random", "qmc")
    ]
    assert told["samplers"][0]["points_over_random"] == [0, 0, 0]
    refused = tuner("simulate", "--sampler", "tpe", code=2)
    assert "--sampler needs a STUDY" in refused.stderr
