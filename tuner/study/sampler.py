"""Optuna's samplers and pruners by name, and draws that depend on the trial alone.

A sampler that keeps one random state draws something else after every interruption. Here each draw has a seed of
its own, made of the study's seed, the trial's number and the parameter, and the inner sampler is built anew for
it. So a search with one worker is the same search however often it was interrupted.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from ..config import StudyConfig
from ..dimension import Choice
from ..errors import UsageError, nearest
from ..space import grid, joint, seed_of, size

_SAMPLERS: dict[str, type[BaseSampler]] = {
    "tpe": optuna.samplers.TPESampler,
    "gp": optuna.samplers.GPSampler,
    "cmaes": optuna.samplers.CmaEsSampler,
    "qmc": optuna.samplers.QMCSampler,
    "random": optuna.samplers.RandomSampler,
    "grid": optuna.samplers.GridSampler,
}
_PRUNERS: dict[str, type[optuna.pruners.BasePruner]] = {
    "median": optuna.pruners.MedianPruner,
    "percentile": optuna.pruners.PercentilePruner,
    "sha": optuna.pruners.SuccessiveHalvingPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "none": optuna.pruners.NopPruner,
}
# Arguments that a study file cannot give: the seed stands at its top, the others take Python objects.
_RESERVED = {"self", "seed", "search_space", "independent_sampler", "constraints_func", "gamma", "weights", "source_trials", "x0"}


class SeededSampler(BaseSampler):
    """An inner sampler built anew, with a seed of its own, for every draw.

    `space` is what every trial draws: known beforehand, so that rows that other tools told without parameters
    do not empty the joint draw; None leaves it to the inner sampler (a grouped TPE). `constant` keeps the study's
    own seed for joint draws, for samplers whose points are one sequence (quasi Monte Carlo, a shuffled grid).
    """

    def __init__(
        self,
        build: Callable[[int], BaseSampler],
        *,
        seed: int,
        space: dict[str, BaseDistribution] | None,
        constant: bool = False,
    ) -> None:
        self._build = build
        self._seed = seed
        self._space = space
        self._constant = constant
        self._joint: BaseSampler | None = None

    def _inner(self, *parts: object) -> BaseSampler:
        return self._build(self._seed if self._constant else seed_of(self._seed, *parts))

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
            inner = optuna.samplers.RandomSampler(seed_of(self._seed, trial.number, param_name))
        elif self._constant and not isinstance(inner, optuna.samplers.GridSampler):
            inner = self._build(seed_of(self._seed, trial.number, param_name))
        return inner.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        inner = self._inner(trial.number)
        if not isinstance(inner, optuna.samplers.GridSampler):  # the grid would call study.stop(); our loop counts itself
            inner.after_trial(study, trial, state, values)


def make_sampler(config: StudyConfig) -> SeededSampler:
    """The study's sampler. Errors: UsageError for an argument that Optuna's class does not take or accept."""
    name, options = config.sampler
    _check_options("sampler", name, _SAMPLERS[name], options)
    options = dict(options)
    if name == "grid":
        if size(config) is None:
            free = [k for k, d in config.space.items() if not isinstance(d, Choice) and d.step is None]
            raise UsageError(f"sampler grid needs a step or a list of choices for {', '.join(free)}")
        if len(config.models) > 1 and any(name not in joint(config) for name in config.space if name.startswith("widths.")):
            raise UsageError("sampler grid cannot search widths that only some of the models have: search one model at a time")
        options["search_space"] = grid(config)

    def build(seed: int) -> BaseSampler:
        return _SAMPLERS[name](seed=seed, **options)  # type: ignore[call-arg]

    try:
        build(0)
    except (TypeError, ValueError) as error:
        raise UsageError(f"sampler {name}: {error}") from None
    return SeededSampler(build, seed=config.seed, space=_joint_space(name, options, config), constant=name in ("grid", "qmc"))


def _joint_space(name: str, options: Mapping[str, Any], config: StudyConfig) -> dict[str, BaseDistribution] | None:
    """What the sampler draws jointly: categorical dimensions only where it can take them."""
    if name == "tpe" and options.get("group"):
        return None
    if name in ("random", "grid") or (name == "tpe" and options.get("multivariate") is False):
        return {}
    space = joint(config)
    if name in ("cmaes", "qmc"):
        space = {k: d for k, d in space.items() if not isinstance(d, CategoricalDistribution)}
    return {} if name == "cmaes" and len(space) < 2 else space  # CMA-ES needs two dimensions


def make_pruner(config: StudyConfig) -> optuna.pruners.BasePruner:
    """The study's pruner; steps are 1-based epochs, so the resource of halving runs from 1 to the longest trial."""
    name, options = config.pruner
    _check_options("pruner", name, _PRUNERS[name], options)
    options = dict(options)
    if name == "percentile":
        options.setdefault("percentile", 25.0)
    if name == "sha":
        options.setdefault("min_resource", 1)
    if name == "hyperband":
        options.setdefault("max_resource", longest(config))
    try:
        return _PRUNERS[name](**options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"pruner {name}: {error}") from None


def longest(config: StudyConfig) -> int:
    """The most epochs that a trial of the study can have."""
    return int(max(config.possible("epochs")))


def _check_options(kind: str, name: str, method: type, options: Mapping[str, Any]) -> None:
    known = set(inspect.signature(method.__init__).parameters) - _RESERVED  # type: ignore[misc]
    for option in options:
        if option == "seed":
            raise UsageError(f"{kind} {name}: the seed stands at the top of a study file, not here")
        if option not in known:
            remedy = nearest(option, known) if known else "it takes none"
            raise UsageError(f"{kind} {name} takes no argument {option!r}: {remedy}")
