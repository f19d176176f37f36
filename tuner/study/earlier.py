"""Trials of an earlier study, of which a new one's sampler is told from its start.

They are no trials of the new study: they stand in a table of their own, take no number and no place of its total, are never
its best, and no pruner compares with them. What was taken is kept, so the draws stay the same whatever becomes of the other study.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from optuna.trial import FrozenTrial, TrialState, create_trial

from ..config.dimension import put_on_step
from ..config.hyperparameters import DEFAULTS, HYPERPARAMETERS, find_option, find_width_pattern, name_option, name_width
from ..config.objective import ACCURACY
from ..config.samplers import SAMPLERS
from ..config.study_config import StudyConfig
from ..config.trial_config import TrialConfig
from ..errors import UsageError
from .search_space import applies, compare_definitions, define, is_drawn, to_distributions
from .storage import Storage
from .study import Study
from .tables import earlier


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """What was taken from a study: its name and id, how many finished trials it has, and those in the new space."""

    study: str
    uid: str
    finished: int
    trials: tuple[FrozenTrial, ...]

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the new study's user attributes."""
        return {"study": self.study, "uid": self.uid, "finished": self.finished, "trials": len(self.trials)}


def collect_earlier(source: Study, config: StudyConfig, data: str) -> Earlier:
    """The finished trials of `source` that lie in the space of `config`, as its own sampler sees them.

    Errors: UsageError for a sampler that learns from no such trial, for values that mean something else, and where none lies in it.
    """
    if (cost := source.config.cost or config.cost) is not None:
        raise UsageError(f"--from {source.name} is for studies of accuracy alone, and objectives names {cost} too: leave --from out")
    sampler = config.sampler[0]
    if not SAMPLERS[sampler].learns:
        able = " or ".join(name for name, spec in SAMPLERS.items() if spec.learns)
        raise UsageError(f"--from {source.name}: the sampler {sampler} learns from no other study's trials: choose sampler {able}")
    if changed := compare_definitions(_define_value(source.config, source.data), _define_value(config, data)):
        what = "accuracies" if config.objective == source.config.objective == ACCURACY.name else "values"
        raise UsageError(f"--from {source.name}: its {what} mean something else: {changed}; leave --from out")
    ended = source.optuna_study(carried=True).get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    known = zip(ended, source.read_facts(ended, "config", "run"), strict=True)
    seen = [(trial, facts["config"]) for trial, facts in known if _is_its_own(facts)]
    found = [taken for trial, trained in seen if (taken := _take(trial, trained, config)) is not None]
    if not found:
        raise UsageError(f"--from {source.name}: none of its {len(seen)} finished trials lies in this space: leave --from out")
    return Earlier(study=source.name, uid=source.uid, finished=len(seen), trials=tuple(found))


def _define_value(config: StudyConfig, data: str) -> dict[str, Any]:
    """The part of a definition that says what a value means: neither hyper-parameters, nor the seed, nor limits."""
    whole = define(config, data)
    return {
        k: v
        for k, v in whole.items()
        if k not in ("seed", "limits") and k not in HYPERPARAMETERS and find_width_pattern(k) is None and find_option(k) is None
    }


def _is_its_own(facts: Mapping[str, Any]) -> bool:
    """Whether a trial of these facts was trained in that study: not told of, and no copy of another's figures."""
    return "config" in facts and "same_as" not in facts.get("run", {})


def _take(trial: FrozenTrial, trained: Mapping[str, Any], config: StudyConfig) -> FrozenTrial | None:
    """The trial with the parameters that the new study draws; None where it lies outside."""
    params = find_params(TrialConfig.from_dict(trained, f"trial {trial.number}"), config)
    if params is None:
        return None
    step = trial.last_step if trial.state is TrialState.PRUNED else None
    return _make(config, params, trial.state, trial.value, step)


def find_params(trial: TrialConfig, config: StudyConfig) -> dict[str, Any] | None:
    """What a study would have drawn for this configuration; None where it lies outside its space."""
    values = {name: getattr(trial, name) for name in DEFAULTS}
    values |= {name_width(pattern): factor for pattern, factor in trial.widths.items()}
    values |= {name_option(option): value for option, value in trial.network.items()}
    space, constants = to_distributions(config), config.constants
    if trial.model not in config.models or trial.code != config.code.get(trial.model):
        return None
    for name in {*values, *constants} - space.keys():
        if applies(name, trial.model) and values.get(name, _unnamed(name)) != constants.get(name, _unnamed(name)):
            return None
    params: dict[str, Any] = {}
    known = {**{name: value for name, value in constants.items() if name not in config.space}, "model": trial.model}
    for name in space:
        if is_drawn(config, name, known):
            params[name] = known[name] = put_on_step(values.get(name, _unnamed(name)), config.space[name])
    try:
        create_trial(value=0.0, params=params, distributions={name: space[name] for name in params})
    except ValueError:  # Optuna's word for a value outside a distribution
        return None
    return params


def _unnamed(name: str) -> float | None:
    """What a width's factor is where it is not named; what an option of a network is then, only its own code knows."""
    return None if find_option(name) is not None else 1.0


def _make(config: StudyConfig, params: dict[str, Any], state: TrialState, value: float | None, step: int | None) -> FrozenTrial:
    space = to_distributions(config)
    return create_trial(
        state=state,
        value=value,
        params=params,
        distributions={name: space[name] for name in params},
        intermediate_values={} if step is None or value is None else {step: value},
    )


def store_earlier(connection: sa.Connection, study_id: int, taken: Earlier) -> None:
    """Keep them with a study that is being made."""
    for place, trial in enumerate(taken.trials):
        row = {"study_id": study_id, "place": place, "state": trial.state.name, "value": trial.value, "step": trial.last_step}
        connection.execute(sa.insert(earlier).values(**row, params=json.dumps(trial.params)))


def read_earlier(storage: Storage, study_id: int, config: StudyConfig) -> tuple[FrozenTrial, ...]:
    """Those of a study, numbered from below -1 up, so that they come before its own."""
    with storage.connect() as connection:
        if not sa.inspect(connection).has_table(earlier.name):
            return ()
        rows = connection.execute(sa.select(earlier).where(earlier.c.study_id == study_id).order_by(earlier.c.place)).all()
    found = []
    for row in rows:
        trial = _make(config, json.loads(row.params), TrialState[row.state], row.value, row.step)
        trial.number = row.place - len(rows)
        found.append(trial)
    return tuple(found)
