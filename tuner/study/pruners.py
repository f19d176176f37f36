"""Optuna's pruners, made for a study."""

from __future__ import annotations

import optuna
from optuna.pruners import BasePruner

from ..config.checks import check_options
from ..config.pruners import PRUNERS
from ..config.study_config import StudyConfig
from ..errors import UsageError


def make_pruner(config: StudyConfig) -> BasePruner:
    """The study's pruner. Errors: UsageError for an argument that Optuna's class does not take or accept."""
    name, options = config.pruner
    spec = PRUNERS[name]
    check_options("pruner", name, options, spec.options)
    usual = dict(spec.defaults) | ({spec.longest: int(max(config.possible("epochs")))} if spec.longest else {})
    try:
        made: BasePruner = getattr(optuna.pruners, spec.optuna_class)(**{**usual, **options})
    except (TypeError, ValueError) as error:
        raise UsageError(f"pruner {name}: {error}") from None
    return made
