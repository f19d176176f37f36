"""Samplers judged on a surrogate: searches in which each trial's configuration is drawn, and its curve foretold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from ..config.objective import ACCURACY, OBJECTIVES, Objective
from ..config.study_config import StudyConfig
from ..console.text import Say
from ..study.promotion import predict_errors
from ..study.samplers import make_sampler
from ..study.search_space import suggest
from ..study.study import Study
from .costs import Estimate, bootstrap
from .recording import Recording
from .replay import replay
from .rules import MakeRule, Promoting, Rule, find_rule
from .surrogate import Surrogate, fit_surrogate

Method = tuple[str, Mapping[str, Any]]  # a sampler and its options, as in a study file
BASE: Method = ("random", {})  # what all are compared with


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """Searches with one sampler: the true values of their winners, and the part of all epochs that they trained, one figure a seed."""

    values: Sequence[float]
    shares: Sequence[float]
    objective: Objective = ACCURACY

    @property
    def value(self) -> Estimate:
        return _estimate(self.values)

    @property
    def share(self) -> Estimate:
        return _estimate(self.shares)

    def gain_over(self, other: Sampled) -> Estimate:
        """By how many hundredths the values are better, seed by seed: of a share, points."""
        place = self.objective.place
        return _estimate([100 * (place(theirs) - place(mine)) for mine, theirs in zip(self.values, other.values, strict=True)])


@dataclass(frozen=True, kw_only=True)
class SamplerRow:
    """What one sampler found under one pruner; `gain` is in hundredths over drawing at random."""

    sampler: str
    pruner: str
    workers: int
    accuracy: Estimate
    gain: Estimate
    share: Estimate

    def to_dict(self) -> dict[str, Any]:
        return {
            "sampler": self.sampler,
            "pruner": self.pruner,
            "workers": self.workers,
            "accuracy": self.accuracy.to_list(),
            "points_over_random": self.gain.to_list(),
            "share": self.share.to_list(),
        }


def judge_samplers(
    study: Study, methods: Mapping[str, Method], *, seeds: int, trials: int, workers: Sequence[int], say: Say
) -> tuple[Surrogate, list[SamplerRow]]:
    """A row for random draws and for each of these samplers, by the name it is shown with, without pruning and with promotion.

    Errors: NothingToShow for a study of fewer than 60 whole trials, UsageError for a sampler that does not fit the space.
    """
    surrogate = fit_surrogate(study)
    rows = []
    for pruner, count in product(("none", "promote"), workers):
        make = find_rule(pruner, val_images=surrogate.val_images)
        base: Sampled | None = None
        for name, method in {BASE[0]: BASE, **methods}.items():
            say(f"{seeds} searches of {trials} trials on the surrogate: sampler {name}, pruner {pruner}")
            found = judge_sampler(surrogate, study.config, method, make, seeds=range(seeds), trials=trials, workers=count)
            base = base or found
            gain = found.gain_over(base)
            rows.append(SamplerRow(sampler=name, pruner=pruner, workers=count, accuracy=found.value, gain=gain, share=found.share))
    return surrogate, rows


def judge_sampler(
    surrogate: Surrogate, config: StudyConfig, method: Method, make: MakeRule, *, seeds: Sequence[int], trials: int, workers: int = 1
) -> Sampled:
    """Search `trials` configurations of the study's space with a sampler, once a seed. Start rows are left out.

    Errors: UsageError for a sampler that does not fit the space.
    """
    values, shares = [], []
    objective = OBJECTIVES[config.objective]
    for seed in seeds:
        epochs = {"epochs": surrogate.epochs}  # the resource, as where trials pause
        space = {name: dimension for name, dimension in config.space.items() if name != "epochs"}
        data = replace(config.data, seed=seed)
        searched = replace(config, sampler=method, data=data, space=space, fixed={**config.fixed, **epochs}, start=())
        rule = make(surrogate.epochs, seed)
        drawn = _Drawn(surrogate, searched, rule, trials)
        done = replay(drawn.recording, drawn, seed=seed, workers=workers, trials=trials, draw=drawn.draw)
        best = min(done.completions, key=lambda completion: completion.error)
        values.append(objective.from_error(float(surrogate.foretell(drawn.params[done.configurations[best.trial]])[-1])))
        shares.append(done.spent / (trials * surrogate.epochs))
    return Sampled(values=values, shares=shares, objective=objective)


class _Drawn:
    """The configurations of one search, and its rule. `recording` gets a row for each as it is drawn."""

    def __init__(self, surrogate: Surrogate, config: StudyConfig, rule: Rule, trials: int) -> None:
        self.recording = Recording(name="surrogate", errors=np.zeros((max(trials, 2), surrogate.epochs)))
        self.params: list[dict[str, Any]] = []
        self.begin, self.choose, self.report = rule.begin, rule.choose, rule.report
        self._surrogate = surrogate
        self._config = config
        self._rule = rule
        self._sampler = make_sampler(config)
        self._told: list[FrozenTrial] = []
        self._ended: dict[int, float] = {}

    def complete(self, trial: int, error: float) -> None:
        self._rule.complete(trial, error)
        self._ended[trial] = error

    def draw(self, trial: int) -> int:
        """The next trial's configuration, as the sampler chooses it from what the search knows by now."""
        study = optuna.create_study(sampler=self._sampler, direction=OBJECTIVES[self._config.objective].direction)
        study.add_trials(self._list_seen(trial))
        asked = study.ask()
        suggest(asked, self._config, {}, seed=0, threads=1, precision="fp32")
        self._told.append(asked._cached_frozen_trial)
        self.params.append(asked.params)
        self.recording.errors[trial] = self._surrogate.observe(asked.params, np.random.default_rng([self._config.seed, trial]))
        return trial

    def _list_seen(self, count: int) -> list[FrozenTrial]:
        """The trials as a sampler sees them: those that pause carried to their end (`study/carried.py`), those in training as running."""
        errors = dict(self._ended)
        if isinstance(self._rule, Promoting):
            errors |= predict_errors(self._rule.rule, self._rule.best, self._rule.final, self._rule.paused)
        return [
            optuna.trial.create_trial(
                state=TrialState.COMPLETE if number in errors else TrialState.RUNNING,
                value=OBJECTIVES[self._config.objective].from_error(errors[number]) if number in errors else None,
                params=told.params,
                distributions=told.distributions,
            )
            for number, told in enumerate(self._told[:count])
        ]


def _estimate(values: Sequence[float]) -> Estimate:
    array = np.array(values)
    return bootstrap(len(array), lambda chosen: float(array[chosen].mean()))
