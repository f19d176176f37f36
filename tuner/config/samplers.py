"""Optuna's samplers, by the names that study files give them. Imports no Optuna."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Draws(Enum):
    """Which hyper-parameters a sampler draws together, so that it can learn how they act on each other."""

    ALL = "all that every trial has"
    NUMBERS = "all that every trial has, but for choices"
    NONE = "each on its own"
    ITS_OWN = "what Optuna's sampler finds itself"


@dataclass(frozen=True, kw_only=True)
class SamplerSpec:
    """One sampler.

    `optuna_class` is its name in `optuna.samplers`, `options` the arguments that a study file may give. With `sequence`
    its points are one sequence: drawn with the study's own seed, one trial at a time. With `finite` it visits each point
    of a finite space. One that `learns` does so from any finished trial, whoever drew it. `draws` decides from the options;
    fewer than `fewest` hyper-parameters are drawn on their own. With `two_objectives` it searches a front too.
    """

    optuna_class: str
    draws: Callable[[Mapping[str, Any]], Draws]
    options: tuple[str, ...] = ()
    sequence: bool = False
    finite: bool = False
    fewest: int = 1
    learns: bool = False
    two_objectives: bool = False


def _tpe_draws(options: Mapping[str, Any]) -> Draws:
    if options.get("group"):
        return Draws.ITS_OWN
    return Draws.NONE if options.get("multivariate") is False else Draws.ALL


TPE = (
    *("n_startup_trials", "n_ei_candidates", "multivariate", "group", "constant_liar", "warn_independent_sampling"),
    *("consider_prior", "prior_weight", "consider_magic_clip", "consider_endpoints"),
)
GP = ("n_startup_trials", "deterministic_objective", "warn_independent_sampling")
CMAES = (
    *("sigma0", "n_startup_trials", "popsize", "restart_strategy", "inc_popsize", "use_separable_cma", "with_margin", "lr_adapt"),
    *("consider_pruned_trials", "warn_independent_sampling"),
)
NSGA2 = ("population_size", "mutation_prob", "crossover_prob", "swapping_prob")
QMC = ("qmc_type", "scramble", "warn_asynchronous_seeding", "warn_independent_sampling")

SAMPLERS: dict[str, SamplerSpec] = {
    "tpe": SamplerSpec(optuna_class="TPESampler", draws=_tpe_draws, options=TPE, learns=True, two_objectives=True),
    "gp": SamplerSpec(optuna_class="GPSampler", draws=lambda _: Draws.ALL, options=GP, learns=True),
    "cmaes": SamplerSpec(optuna_class="CmaEsSampler", draws=lambda _: Draws.NUMBERS, options=CMAES, fewest=2),
    "nsga2": SamplerSpec(optuna_class="NSGAIISampler", draws=lambda _: Draws.ALL, options=NSGA2, two_objectives=True),
    "qmc": SamplerSpec(optuna_class="QMCSampler", draws=lambda _: Draws.NUMBERS, options=QMC, sequence=True, two_objectives=True),
    "random": SamplerSpec(optuna_class="RandomSampler", draws=lambda _: Draws.NONE, two_objectives=True),
    "grid": SamplerSpec(optuna_class="GridSampler", draws=lambda _: Draws.NONE, sequence=True, finite=True, two_objectives=True),
}
