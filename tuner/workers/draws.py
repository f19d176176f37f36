"""The configuration of a leased trial, drawn until one is within the study's limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from ..config.limits import describe_cost
from ..config.samplers import SAMPLERS
from ..config.trial_config import TrialConfig
from ..study.drawing import Drawing
from ..study.search_space import count_configurations, derive_seed, find_point, find_untried, suggest
from ..study.sizes import find_size
from ..study.study import Study

MOST_DRAWS = 100  # of one trial, where the networks that are drawn are above the study's limits


class CannotDraw(Exception):
    """The row has no configuration that could be trained, in the words of the sampler: the trial's fault, not its worker's."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A configuration whose parameters are stored. `cost` is what is known of it beforehand, with `draws`; empty without limits."""

    config: TrialConfig
    cost: dict[str, Any]


def draw(
    study: Study, seen: optuna.Study, trial: FrozenTrial, row: Mapping[str, Any], *, threads: int, precision: str
) -> Drawn:
    """Draw the configuration of a trial, and store its parameters. `row` is the trial's start row, `seen` what its sampler sees.

    One that is above the study's limits is drawn again, with seeds of its own (study's seed, trial's number, count of draws): it is
    no trial, and costs nothing. Of a finite space a point that another row has is replaced by one that none has. To be called in a
    transaction that proves the lease. Errors: CannotDraw where no draw is within the limits, and those of the sampler.
    """
    config, limits = study.config, study.config.limits.known_before
    finite = count_configurations(config) is not None and bool(config.drawn)
    seed = derive_seed(config.seed, "trial", trial.number)

    def assemble(drawing: Drawing) -> tuple[TrialConfig, dict[str, Any], float]:
        made = suggest(drawing, config, row, seed=seed, threads=threads, precision=precision)
        cost: dict[str, Any] = find_size(made, study.count_classes()) if limits else {}
        return made, cost, limits.find_excess(cost)

    drawing = Drawing(seen, trial)
    made, cost, excess = nearest = assemble(drawing)
    draws = 1
    while excess > 1 and draws < MOST_DRAWS and not SAMPLERS[config.sampler[0]].finite:
        drawing = Drawing(study.optuna_study(carried=True, attempt=draws), trial)
        made, cost, excess = assemble(drawing)
        nearest = min(nearest, (made, cost, excess), key=lambda each: each[2])
        draws += 1
    if finite and (other := _find_other_point(study, trial, row, drawing, taken=excess > 1)) is not None:
        drawing = Drawing(seen, trial, fixed=other)
        made, cost, excess = assemble(drawing)
    if excess > 1:
        raise CannotDraw(_describe_misses(study, draws, nearest[1]))
    drawing.store()
    return Drawn(config=made, cost={**cost, "draws": draws} if limits else {})


def _find_other_point(
    study: Study, trial: FrozenTrial, row: Mapping[str, Any], drawing: Drawing, *, taken: bool
) -> dict[str, Any] | None:
    """Where another row has the point that was drawn, or it may not be `taken`: one that no row has, with what this row fixes.

    None where that is not needed, and where none is left.
    """
    config = study.config
    tried = study.tried_points(but=trial.number)
    if not taken and find_point(config, drawing.params) not in tried:
        return None
    fixed = trial.system_attrs.get("fixed_params", {})
    fits = (lambda values: study.fitting.fits({**values, **row})) if config.limits.known_before else None
    return find_untried(config, tried, fixed, seed=derive_seed(config.seed, "untried", trial.number), fits=fits)


def _describe_misses(study: Study, draws: int, nearest: Mapping[str, Any]) -> str:
    limits = study.config.limits.known_before
    tried = "the one configuration drawn is not" if draws == 1 else f"none of {draws} configurations drawn is"
    return (
        f"{tried} within the limits ({limits}): the smallest has {describe_cost(nearest, limits.to_dict())}; "
        "raise the limits, or let the space hold smaller networks"
    )
