"""A study's pruner: Optuna's, or the rule that pauses and promotes."""

from __future__ import annotations

from dataclasses import replace

import optuna
from optuna.pruners import BasePruner

from ..config.checks import check_options
from ..config.pruners import PRUNERS
from ..config.study_config import StudyConfig
from ..errors import UsageError
from .promotion import Promotion


def make_pruner(config: StudyConfig) -> BasePruner:
    """The study's pruner. Errors: UsageError for an argument that Optuna's class does not take or accept."""
    name, options = config.pruner
    spec = PRUNERS[name]
    if make_promotion(config) is not None:
        return optuna.pruners.NopPruner()
    check_options("pruner", name, options, spec.options)
    usual = dict(spec.defaults) | ({spec.longest: int(max(config.possible("epochs")))} if spec.longest else {})
    try:
        made: BasePruner = getattr(optuna.pruners, spec.optuna_class)(**{**usual, **options})
    except (TypeError, ValueError) as error:
        raise UsageError(f"pruner {name}: {error}") from None
    return made


def make_promotion(config: StudyConfig) -> Promotion | None:
    """The rule that pauses and promotes; None where the study has a pruner of Optuna's. Errors as for `make_pruner`.

    Its resource is the epochs of trials that are drawn: a start row with epochs of its own is ranked at the rungs it reaches.
    Where epochs are searched, none has fewer than the least of them.
    """
    name, options = config.pruner
    if not PRUNERS[name].pauses:
        return None
    check_options("pruner", name, options, PRUNERS[name].options)
    least, most = config.epochs_range
    try:
        given = Promotion(epochs=most, **options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"pruner {name}: {error}") from None
    if given.first is not None and given.first >= most > 1:
        raise UsageError(f"pruner {name}: first {given.first} is not below the {most} epochs of a trial: choose a smaller one")
    return replace(given, first=max(least, (given.first or min(given.rungs, default=1)))) if 1 < least < most else given
