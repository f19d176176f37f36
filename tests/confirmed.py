"""Confirmations that were not trained: their figures are written straight into the storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optuna.trial import TrialState, create_trial

from tuner.study.confirmation import begin, choose_contestants
from tuner.study.contestants import Plan
from tuner.study.facts import write_facts
from tuner.study.study import Study

IMAGES = {"train": 45_000, "validation": 5_000}


def confirm(
    study: Study,
    k: int,
    values: Mapping[int, Sequence[float | None]] | None = None,
    *,
    parameters: Mapping[int, int] | None = None,
    left: int = 0,
) -> Study:
    """The confirmation of the study's best `k`, whose accuracies at each seed are `values` by trial; None is one that diverged.

    Without `values` they are all the same. The last `left` trainings have not begun yet.
    """
    contestants = choose_contestants(study, k)
    values = values or {each.trial: (0.9, 0.91) for each in contestants}
    assert {each.trial for each in contestants} == set(values)
    plan = Plan(contestants=contestants, seeds=max(map(len, values.values())), **IMAGES)
    made = begin(study, plan)
    for trial, seed in plan.places[: len(plan.places) - left]:
        value = values[trial][seed - 1]
        row = create_trial(state=TrialState.PRUNED) if value is None else create_trial(value=value)
        trial_id = made.storage.optuna.create_new_trial(made.leases.study_id, template_trial=row)
        facts = {"set": {"trial": trial, "seed": seed}, "config": plan.configure(study.config.seed, trial, seed).to_dict()}
        run = {"outcome": "diverged" if value is None else "trained", "parameters": (parameters or {}).get(trial, 1000)}
        write_facts(made.storage, made.leases.study_id, trial_id, **facts, run=run, curve=[])
    return made
