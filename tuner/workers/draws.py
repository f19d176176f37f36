"""The configuration of a leased trial, drawn until one is within the study's limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial
from sqlalchemy.exc import SQLAlchemyError

from ..config.limits import KNOWN_BEFORE, describe_cost
from ..config.samplers import SAMPLERS
from ..config.trial_config import TrialConfig
from ..errors import Interrupted, TunerError
from ..study.drawing import Drawing
from ..study.retry import StorageAway
from ..study.search_space import count_configurations, derive_seed, find_point, find_untried, suggest
from ..study.sizes import find_size, shrink
from ..study.storage import read_first_line
from ..study.study import Study

T = TypeVar("T")
MOST_DRAWS = 30  # of one trial, where the networks that are drawn are above the study's limits
HALVINGS = 6  # of the way to the smallest network
LOOKS, FEW_LOOKS = 10_000, 200  # at points of a finite space, for one within the limits; few where every look measures another network


class CannotDraw(Exception):
    """The row has no configuration that could be trained, in the words of the sampler: the trial's fault, not its worker's."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A configuration whose parameters are not stored: what it costs, and by what factor that is above the limits."""

    drawing: Drawing
    config: TrialConfig
    cost: dict[str, Any]
    excess: float


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A configuration whose parameters `store` writes. `cost` is what is known of it, with `draws`; empty where nothing asks for it."""

    drawing: Drawing
    config: TrialConfig
    cost: dict[str, Any]


def draw(study: Study, seen: optuna.Study, trial: FrozenTrial, row: Mapping[str, Any], *, threads: int, precision: str) -> Drawn:
    """Draw the configuration of a trial. `row` is the trial's start row, `seen` what its sampler sees.

    One that is above the study's limits is drawn again, with seeds of its own (study's seed, trial's number, count of draws): it is
    no trial, and costs nothing. After MOST_DRAWS of them the smallest is made smaller, until it is just within. Of a finite space a point
    that another row has is replaced by one that none has. Errors: CannotDraw where nothing is within the limits, and those of the sampler.
    """
    config, limits = study.config, study.config.limits.known_before
    wanted = bool(limits) or config.cost in KNOWN_BEFORE
    finite = count_configurations(config) is not None and bool(config.drawn)
    seed = derive_seed(config.seed, "trial", trial.number)

    def attempt(drawing: Drawing) -> Attempt:
        made = suggest(drawing, config, row, seed=seed, threads=threads, precision=precision)
        cost: dict[str, Any] = find_size(made, study.count_classes()) if wanted else {}
        return Attempt(drawing=drawing, config=made, cost=cost, excess=limits.find_excess(cost))

    best = attempt(Drawing(seen, trial))
    draws = 1
    while best.excess > 1 and draws < MOST_DRAWS and not SAMPLERS[config.sampler[0]].finite:
        found = attempt(Drawing(study.optuna_study(carried=True, attempt=draws), trial))
        best, draws = min(best, found, key=lambda each: each.excess), draws + 1
    if best.excess > 1 and not (finite and study.fitting.count is not None):
        best = _make_smaller(study, seen, trial, best, attempt)
    if finite and (other := _find_other_point(study, trial, row, best)) is not None:
        best = attempt(Drawing(seen, trial, fixed=other))
    if best.excess > 1:
        raise CannotDraw(_describe_misses(study, draws, best.cost))
    return Drawn(drawing=best.drawing, config=best.config, cost={**best.cost, "draws": draws} if wanted else {})


def name_faults(call: Callable[[], T]) -> Callable[[], T]:
    """The same call, whose errors are CannotDraw where neither the database nor another tool is at fault."""

    def attempt() -> T:
        try:
            return call()
        except (CannotDraw, Interrupted, StorageAway, SQLAlchemyError, StorageInternalError, UpdateFinishedTrialError):
            raise
        except TunerError as fault:
            raise CannotDraw(fault.message) from fault
        except Exception as fault:
            raise CannotDraw(f"{type(fault).__name__}: {read_first_line(fault)}"[:500]) from fault

    return attempt


def _make_smaller(study: Study, seen: optuna.Study, trial: FrozenTrial, drawn: Attempt, attempt: Callable[[Drawing], Attempt]) -> Attempt:
    """The largest network within the limits, between what was drawn and the smallest of its kind; the smallest where none is."""
    set_by_row = trial.system_attrs.get("fixed_params", {})

    def shrink_to(share: float) -> Attempt:
        return attempt(Drawing(seen, trial, fixed={**shrink(study.config, drawn.drawing.params, share), **set_by_row}))

    best, low, high = shrink_to(0.0), 0.0, 1.0
    for _ in range(HALVINGS if best.excess <= 1 else 0):
        middle = (low + high) / 2
        found = shrink_to(middle)
        if found.excess <= 1:
            best, low = found, middle
        else:
            high = middle
    return best


def _find_other_point(study: Study, trial: FrozenTrial, row: Mapping[str, Any], drawn: Attempt) -> dict[str, Any] | None:
    """Where another row has the point that was drawn, or it is above the limits: one that no row has, with what this row fixes.

    None where that is not needed, and where none is left.
    """
    config = study.config
    tried = study.tried_points(but=trial.number)
    if drawn.excess <= 1 and find_point(config, drawn.drawing.params) not in tried:
        return None
    fixed = trial.system_attrs.get("fixed_params", {})
    fits = (lambda values: study.fitting.fits({**values, **row})) if config.limits.known_before else None
    looks = 1 if fits is None else FEW_LOOKS if study.fitting.count is None else LOOKS
    return find_untried(config, tried, fixed, seed=derive_seed(config.seed, "untried", trial.number), fits=fits, looks=looks)


def _describe_misses(study: Study, draws: int, nearest: Mapping[str, Any]) -> str:
    limits = study.config.limits.known_before
    return (
        f"no configuration within the limits ({limits}) was found in {draws} draws: the smallest has "
        f"{describe_cost(nearest, limits.to_dict())}; "
        "raise the limits, or let the space hold smaller networks"
    )
