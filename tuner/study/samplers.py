"""Optuna's samplers, with draws that depend on the trial alone.

A sampler that keeps one random state draws something else after every interruption. Here each draw has a seed of
its own, made of the study's seed, the trial's number and the parameter, and the inner sampler is built anew for
it. So a search with one worker is the same search however often it was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from ..config.checks import check_options
from ..config.dimension import Choice
from ..config.hyperparameters import find_option, find_width_pattern
from ..config.samplers import SAMPLERS, Draws
from ..config.study_config import StudyConfig
from ..errors import UsageError
from .search_space import count_configurations, derive_seed, find_joint_space, fit_seed, list_grid

LARGEST_GRID = 10**6  # Optuna makes a list of all points, anew for every draw


class SeededSampler(BaseSampler):
    """An inner sampler built anew, with a seed of its own, for every draw.

    `space` is what every trial draws together. Optuna would infer it from the finished trials, and one that another tool
    ended without parameters would leave it empty. None leaves it to the inner sampler (a grouped TPE). `constant` keeps
    the study's own seed for joint draws, for samplers whose points are one sequence (quasi Monte Carlo, a shuffled grid): there a
    further draw is the sequence's next point. `attempt` counts the draws of a trial that is drawn again, from 0; each has seeds of
    its own.
    """

    def __init__(
        self,
        build: Callable[[int], BaseSampler],
        *,
        seed: int,
        space: dict[str, BaseDistribution] | None,
        constant: bool = False,
        attempt: int = 0,
    ) -> None:
        self._build = build
        self._seed = seed
        self._space = space
        self._constant = constant
        self._attempt = attempt
        self._joint: BaseSampler | None = None

    def _inner(self, *parts: object) -> BaseSampler:
        return self._build(fit_seed(self._seed) if self._constant else self._derive(*parts))

    def _derive(self, *parts: object) -> int:
        return derive_seed(self._seed, *parts, *(["again", self._attempt] if self._attempt else []))

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._inner(trial.number).before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        # Kept for the draw that follows: a grouped TPE remembers its groups in between.
        self._joint = self._inner(trial.number)
        return self._joint.infer_relative_search_space(study, trial) if self._space is None else self._space

    def sample_relative(self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        return (self._joint or self._inner(trial.number)).sample_relative(study, trial, search_space)

    def sample_independent(self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        inner = self._inner(trial.number, param_name)
        if isinstance(inner, optuna.samplers.GridSampler) and "grid_id" not in trial.system_attrs:
            # A start row that leaves a parameter out: any value of the grid will do.
            inner = optuna.samplers.RandomSampler(self._derive(trial.number, param_name))
        elif self._constant and not isinstance(inner, optuna.samplers.GridSampler):
            inner = self._build(self._derive(trial.number, param_name))
        return inner.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        inner = self._inner(trial.number)
        if not isinstance(inner, optuna.samplers.GridSampler):  # the grid would call study.stop(); our workers count trials themselves
            inner.after_trial(study, trial, state, values)


def make_sampler(config: StudyConfig, attempt: int = 0) -> SeededSampler:
    """The study's sampler, for the first draw of a trial or for a further one.

    Errors: UsageError for an argument that Optuna's class does not take or accept.
    """
    name, options = config.sampler
    spec = SAMPLERS[name]
    check_options("sampler", name, options, spec.options)
    made_by = getattr(optuna.samplers, spec.optuna_class)
    given = dict(options)
    if spec.finite:
        _check_finite(name, config)
        given["search_space"] = list_grid(config)

    def build(seed: int) -> BaseSampler:
        sampler: BaseSampler = made_by(seed=seed, **given)
        return sampler

    try:
        build(0)
    except (TypeError, ValueError) as error:
        raise UsageError(f"sampler {name}: {error}") from None
    return SeededSampler(build, seed=config.seed, space=_find_drawn_space(config), constant=spec.sequence, attempt=attempt)


def _check_finite(name: str, config: StudyConfig) -> None:
    total = count_configurations(config)
    if total is None:
        free = [k for k, d in config.drawn.items() if not isinstance(d, Choice) and d.step is None]
        raise UsageError(f"sampler {name} needs a step or a list of choices for {', '.join(free)}")
    if total > LARGEST_GRID:
        raise UsageError(f"sampler {name} visits every point, and this space has {total:,}: make it smaller (at most {LARGEST_GRID:,})")
    if depending := [each for each, when in config.conditions.items() if when]:
        raise UsageError(f"sampler {name} cannot search what some trials do not have ({', '.join(depending)}): leave `when` out")
    joint = find_joint_space(config)
    if len(config.models) > 1 and any(_is_of_a_model(each) and each not in joint for each in config.space):
        raise UsageError(f"sampler {name} cannot search what only some of the models have: search one model at a time")


def _is_of_a_model(name: str) -> bool:
    return find_width_pattern(name) is not None or find_option(name) is not None


def _find_drawn_space(config: StudyConfig) -> dict[str, BaseDistribution] | None:
    """What the sampler draws together; None where Optuna's sampler finds that itself."""
    name, options = config.sampler
    draws, fewest = SAMPLERS[name].draws(options), SAMPLERS[name].fewest
    if draws is Draws.ITS_OWN:
        return None
    if draws is Draws.NONE:
        return {}
    space = find_joint_space(config)
    if draws is Draws.NUMBERS:
        space = {k: d for k, d in space.items() if not isinstance(d, CategoricalDistribution)}
    return space if len(space) >= fewest else {}
