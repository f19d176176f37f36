"""What Optuna's pruners read of a study, held in lists: a real one takes milliseconds for every report."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState


class LightTrial:
    """What they read of a trial."""

    def __init__(self, number: int) -> None:
        self.number = self._trial_id = number
        self.intermediate_values: dict[int, float] = {}
        self.last_step: int | None = None
        self.system_attrs: dict[str, Any] = {}
        self.state = TrialState.RUNNING

    def report(self, epoch: int, error: float) -> None:
        self.intermediate_values[epoch] = error
        self.last_step = epoch

    def copy(self) -> LightTrial:
        made = LightTrial(self.number)
        made.__dict__.update(self.__dict__)
        made.system_attrs = dict(self.system_attrs)
        return made


class LightStudy:
    """A study to be minimised, and its storage. `study_name` decides Hyperband's brackets."""

    direction = StudyDirection.MINIMIZE
    directions = (StudyDirection.MINIMIZE,)
    sampler = optuna.samplers.RandomSampler(seed=0)

    def __init__(self, name: str) -> None:
        self.study_name = name
        self.trials: list[LightTrial] = []
        self._complete: list[LightTrial] = []
        self._storage = self

    def add_trial(self) -> LightTrial:
        self.trials.append(LightTrial(len(self.trials)))
        return self.trials[-1]

    def end_trial(self, number: int, state: TrialState) -> None:
        self.trials[number].state = state
        if state is TrialState.COMPLETE:
            self._complete.append(self.trials[number])

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[LightTrial]:
        if states is None:
            return self.trials
        if states == (TrialState.COMPLETE,):
            return self._complete
        return [trial for trial in self.trials if trial.state in states]

    def get_all_trials(self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[LightTrial]:
        del study_id
        return self.get_trials(deepcopy, states)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """On a copy, as Optuna's storages do: who has read the trial before does not see it. Successive halving relies on it."""
        self.trials = list(self.trials)
        made = self.trials[trial_id] = self.trials[trial_id].copy()
        made.system_attrs[key] = value

    def get_study_id_from_name(self, name: str) -> int:
        del name
        return 0

    def get_study_directions(self, study_id: int) -> tuple[StudyDirection, ...]:
        del study_id
        return self.directions
