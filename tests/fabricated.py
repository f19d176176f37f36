"""Finished trials written straight into a study, with no training: for what only reads them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from tuner.config.hyperparameters import DEFAULTS
from tuner.config.objective import OBJECTIVES
from tuner.config.study_config import StudyConfig
from tuner.study import studies
from tuner.study.facts import NAMES, describe, write_facts
from tuner.study.search_space import assemble, to_distributions
from tuner.study.storage import Storage
from tuner.study.study import Study

BEGUN = datetime(2026, 11, 20, 12)


def study(
    storage: Storage, plain: dict[str, Any], *, name: str = "made", data: str = "0" * 16, trials: int = 50, images: int | None = None
) -> Study:
    """A study from the mapping of a study file, with no trials yet, and `images` in its validation part."""
    return studies.create_or_load(storage, name, StudyConfig.from_dict(plain), data, trials=trials, val_images=images)


def trial(
    study: Study,
    values: dict[str, Any],
    accuracies: Sequence[float],
    *,
    state: TrialState = TrialState.COMPLETE,
    reason: str = "",
    parameters: int = 1000,
    seconds: float = 2.0,
    start: int | None = None,
    number: int = 0,
) -> FrozenTrial:
    """A trial with these validation accuracies, an epoch each. `values` are its hyper-parameters by name.

    Where the objective is a figure of its own, it is the accuracy; a loss is 2.1 times what is wrong.
    """
    space = to_distributions(study.config)
    config = assemble(DEFAULTS | dict(study.config.fixed) | values, study.config, seed=number, threads=1, precision="fp32")
    curve = [
        {
            "epoch": epoch,
            "train_loss": 2 * (1 - accuracy),
            "train_accuracy": min(1.0, accuracy + 0.01 * epoch),
            "val_loss": 2.1 * (1 - accuracy),
            "val_accuracy": accuracy,
            "seconds": seconds,
        }
        for epoch, accuracy in enumerate(accuracies, start=1)
    ]
    objective = OBJECTIVES[study.config.objective]
    for epoch_figures, accuracy in zip(curve, accuracies, strict=True):
        ends = dict(zip(objective.also, (max(0.0, accuracy - 0.1), min(1.0, accuracy + 0.1)), strict=False))
        epoch_figures |= {objective.key: accuracy, **ends} if objective.key not in epoch_figures else {}
    figures = [epoch_figures[objective.key] for epoch_figures in curve]
    run = {"reason": reason, "parameters": parameters, "device": "cpu (x86_64)", "versions": {"tuner": "0.1.0"}}
    attrs: dict[str, Any] = {
        "config": config.to_dict(),
        "curve": curve,
        "run": run,
        "set": {k: v for k, v in values.items() if k not in space},
    }
    if start is not None:
        attrs["start"] = start
    begun = BEGUN + timedelta(minutes=number)
    return FrozenTrial(
        number=0,
        trial_id=0,
        state=state,
        value=figures[-1] if figures and state is not TrialState.FAIL else None,
        datetime_start=begun,
        datetime_complete=begun + timedelta(seconds=30),
        params={name: value for name, value in values.items() if name in space},
        distributions={name: dist for name, dist in space.items() if name in values},
        user_attrs=attrs,
        system_attrs={},
        intermediate_values=dict(enumerate(figures, start=1)),
    )


def add(study: Study, trials: Iterable[FrozenTrial], at_once: int = 200) -> None:
    """Write them into the study, in their order."""
    remaining = iter(trials)
    while some := list(itertools.islice(remaining, at_once)):
        with study.storage.transaction():
            for each in some:
                put(study, each)


def put(study: Study, trial: FrozenTrial) -> int:
    """Write one as a search stores it: what is long about it among its facts. Its id."""
    facts = {name: trial.user_attrs.pop(name) for name in NAMES if name in trial.user_attrs}
    trial.user_attrs |= describe(facts.get("run", {}))
    trial_id = study.storage.optuna.create_new_trial(study.leases.study_id, template_trial=trial)
    write_facts(study.storage, study.leases.study_id, trial_id, **facts)
    return trial_id
