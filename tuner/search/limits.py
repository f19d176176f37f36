"""A study's limits against its space and its start rows, before anything is written."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import optuna

from ..config.limits import Limits, describe_cost
from ..config.study_config import StudyConfig
from ..config.trial_config import TrialConfig
from ..errors import UsageError
from ..models import find_model
from ..study.examples import find_smallest
from ..study.samplers import make_sampler
from ..study.search_space import suggest
from ..study.sizes import find_size, is_of_size

DRAWS = 100  # at random, where the smallest network that can be named is above the limits


def check_limits(config: StudyConfig, classes: int) -> None:
    """Errors: UsageError for a start row above the limits, and for a space in which nothing is found within them."""
    limits = config.limits.known_before
    if not limits:
        return
    for index, row in enumerate(config.start, start=1):
        _check_row(config, row, classes, f"start row {index}")
    if config.drawn or not config.start:
        _check_space(config, classes, limits)


def measure_share(config: StudyConfig, classes: int) -> float:
    """The share of 100 configurations, drawn at random, that is within the limits."""
    limits = config.limits.known_before
    return sum(limits.find_excess(find_size(each, classes)) <= 1 for each in _draw(config)) / DRAWS


def _check_row(config: StudyConfig, row: Mapping[str, Any], classes: int, where: str) -> None:
    """What the row leaves out counts as small as it may be; where nobody can say what that is, the trial's own draws will show it."""
    models = [row["model"]] if "model" in row else [m for m in config.models if "model" in config.space or m == config.constants["model"]]
    left = [name for name in config.space if is_of_size(name) and name not in row and name != "model"]
    if left and any(find_model(model).takes_options for model in models):
        return
    limits = config.limits.known_before
    costs = [find_size(find_smallest(config, model, row), classes) for model in models]
    cost = min(costs, key=limits.find_excess)
    if limits.find_excess(cost) > 1:
        told = "its network has" if not left else "the smallest network that it allows has"
        raise UsageError(
            f"{where}: {told} {describe_cost(cost, limits.to_dict())}, and limits allows {limits}: make it smaller, or raise the limit"
        )


def _check_space(config: StudyConfig, classes: int, limits: Limits) -> None:
    nearest: dict[str, int] = {}
    tried = 0
    for made in _list_candidates(config):
        cost = find_size(made, classes)
        tried += 1
        if limits.find_excess(cost) <= 1:
            return
        nearest = min((each for each in (nearest, cost) if each), key=limits.find_excess)
    looked = "" if tried == 1 else f" found in {tried} configurations"
    raise UsageError(
        f"limits: nothing in this space is within {limits}: the smallest network{looked} has "
        f"{describe_cost(nearest, limits.to_dict())}; raise the limit, or let the space hold smaller ones"
    )


def _list_candidates(config: StudyConfig) -> Iterator[TrialConfig]:
    """The smallest network of each model, then configurations drawn at random where something is searched."""
    for model in config.models:
        yield find_smallest(config, model, {})
    if config.drawn:
        yield from _draw(config)


def _draw(config: StudyConfig) -> Iterator[TrialConfig]:
    study = optuna.create_study(sampler=make_sampler(replace(config, sampler=("random", {}))))
    with warnings.catch_warnings(action="ignore"):
        for _ in range(DRAWS):
            yield suggest(study.ask(), config, {}, seed=0, threads=1, precision="fp32")
