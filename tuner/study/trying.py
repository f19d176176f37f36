"""Trying a study's sampler and pruner before anything is written: options are only read when something is drawn."""

from __future__ import annotations

import warnings
from dataclasses import replace

import optuna

from ..config.pruners import PRUNERS
from ..config.samplers import SAMPLERS
from ..config.study_config import StudyConfig
from ..errors import UsageError
from .objectives import list_directions, make_values
from .pruners import make_pruner
from .samplers import make_sampler
from .search_space import suggest
from .storage import read_first_line

TRIALS = 8  # drawn from a study that exists in memory only
STARTUP = "n_startup_trials"  # the option of samplers and pruners that says how many trials are drawn, or let alone, at random
EPOCHS = 3


def try_methods(config: StudyConfig) -> None:
    """Draw, report and prune some trials of a made-up study, past the start-up of its sampler and pruner.

    Errors: UsageError for options that Optuna's classes do not take, refuse, or fail with.
    """
    make_sampler(config)
    make_pruner(config)
    if config.drawn:
        _try(config, "sampler", trials=1)
        _try(_start_up_early(config, "sampler"), "sampler", trials=TRIALS)
    _try(replace(config, sampler=("random", {})), "pruner", trials=1)
    _try(_start_up_early(replace(config, sampler=("random", {})), "pruner"), "pruner", trials=TRIALS)


def _start_up_early(config: StudyConfig, kind: str) -> StudyConfig:
    """With a start-up of two trials, where the study's is longer."""
    name, options = config.sampler if kind == "sampler" else config.pruner
    if STARTUP in (SAMPLERS if kind == "sampler" else PRUNERS)[name].options:
        options = {**options, STARTUP: min(2, options.get(STARTUP, 2))}
    early = (name, options)
    return replace(config, sampler=early) if kind == "sampler" else replace(config, pruner=early)


def _try(config: StudyConfig, kind: str, *, trials: int) -> None:
    study = optuna.create_study(directions=list_directions(config), sampler=make_sampler(config), pruner=make_pruner(config))
    with warnings.catch_warnings(action="ignore"):
        _draw(study, config, kind, trials)


def _draw(study: optuna.Study, config: StudyConfig, kind: str, trials: int) -> None:
    name, _ = config.sampler if kind == "sampler" else config.pruner
    try:
        for number in range(trials):
            trial = study.ask()
            suggest(trial, config, {}, seed=0, threads=1, precision="fp32")
            for epoch in range(1, EPOCHS + 1):
                if config.cost is not None:
                    break  # Optuna takes no reports there
                trial.report((number + 1) / (trials + epoch), epoch)
                if kind == "pruner":
                    trial.should_prune()
            study.tell(trial, make_values(config, (number + 1) / (trials + 1), {config.cost or "": 1000.0 - number}))
    except Exception as fault:
        raise UsageError(f"{kind} {name} fails with these options: {type(fault).__name__}: {read_first_line(fault)}") from None
