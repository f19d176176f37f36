"""A trial's parameters before they are stored: they can be drawn again, and no connection is held while they are.

What `optuna.Trial` draws stands in the storage at once and for good. Here the sampler is asked by the same public methods, in the same
order, for the same values; `store` writes them, and what the sampler itself notes with the trial.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalChoiceType, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from .finished import OptunaStudy


class Drawing:
    """One draw of a trial. What it has already, what is fixed for it (by a start row, or `fixed`) and what can be one value only is
    not drawn.

    Errors of the `suggest_` methods: ValueError for a fixed value that the distribution does not hold, and the sampler's own.
    """

    def __init__(self, study: optuna.Study, trial: FrozenTrial, fixed: Mapping[str, Any] | None = None) -> None:
        self._storage = study._storage
        self._study_id = study._study_id
        self._sampler = study.sampler
        seen = study.read_once() if isinstance(study, OptunaStudy) else copy.copy(study)  # all parameters are drawn from the same trials
        self._notes = seen._storage = _Notes(study._storage, trial._trial_id)  # type: ignore[assignment]
        self._study = optuna.pruners._filter_study(seen, trial)  # Hyperband's brackets are searched each on its own
        self._fixed = dict(trial.system_attrs.get("fixed_params", {}) if fixed is None else fixed)
        self._joint: dict[str, Any] | None = None  # drawn when it is asked for, as Optuna does
        self._new: dict[str, BaseDistribution] = {}
        self.params: dict[str, Any] = {}
        if fixed is None:
            self._sampler.before_trial(self._study, trial)
        self._trial = copy.copy(trial)
        self._trial._system_attrs = trial.system_attrs | self._notes.attrs  # the grid notes its point there

    def suggest_categorical(self, name: str, choices: Sequence[CategoricalChoiceType]) -> Any:
        return self._suggest(name, CategoricalDistribution(choices))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        return int(self._suggest(name, IntDistribution(low, high, log=log, step=step)))

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False) -> float:
        return float(self._suggest(name, FloatDistribution(low, high, log=log, step=step)))

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        if name in self._trial.params:
            value = self.params[name] = self._trial.params[name]
            return value
        if name in self._fixed:
            value = self._fixed[name]
        elif distribution.single():
            value = distribution.to_external_repr(_find_single(distribution))
        elif name in (joint := self._draw_jointly()):
            value = joint[name]
        else:
            value = self._sampler.sample_independent(self._study, self._trial, name, distribution)
        distribution.to_internal_repr(value)  # ValueError for what is none of its values
        self._new[name] = distribution
        self.params[name] = value
        return value

    def _draw_jointly(self) -> dict[str, Any]:
        if self._joint is None:
            space = self._sampler.infer_relative_search_space(self._study, self._trial)
            self._joint = self._sampler.sample_relative(self._study, self._trial, space)
        return self._joint

    def store(self) -> None:
        """Write what is new with the trial."""
        try:
            self._write()
        except KeyError:  # Optuna's cache does not know a row that another process made: then all that are unfinished are read
            self._storage.get_all_trials(self._study_id, deepcopy=False)
            self._write()

    def _write(self) -> None:
        for name, value in self._notes.attrs.items():
            self._storage.set_trial_system_attr(self._trial._trial_id, name, value)
        for name, distribution in self._new.items():
            self._storage.set_trial_param(self._trial._trial_id, name, distribution.to_internal_repr(self.params[name]), distribution)


class _Notes:
    """A storage as a sampler sees it while it draws a trial: what it notes with the trial is kept in `attrs`."""

    def __init__(self, storage: BaseStorage, trial_id: int) -> None:
        self._storage = storage
        self._trial_id = trial_id
        self.attrs: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        assert trial_id == self._trial_id, "a sampler notes only with the trial that it draws"
        self.attrs[key] = value


def _find_single(distribution: BaseDistribution) -> float:
    """The internal value of a distribution that holds one."""
    return 0.0 if isinstance(distribution, CategoricalDistribution) else float(distribution.low)  # type: ignore[attr-defined]
