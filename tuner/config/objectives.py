"""Two objectives: `objectives: [accuracy, parameters]` in a study file searches the front of accuracy against a cost."""

from __future__ import annotations

from typing import Any

from ..errors import UsageError
from .limits import COSTS
from .pruners import PRUNERS
from .samplers import SAMPLERS

ACCURACY = "accuracy"


def parse_objectives(plain: Any) -> str | None:
    """The cost that is kept low while accuracy is raised; None for accuracy alone. Errors: UsageError."""
    example = f"a list such as [accuracy, parameters] (or {', '.join(list(COSTS)[1:])})"
    if not isinstance(plain, list) or not all(isinstance(each, str) for each in plain):
        raise UsageError(f"objectives takes {example}, not {plain!r}")
    unknown = next((each for each in plain if each not in (ACCURACY, *COSTS)), None)
    if unknown is not None:
        raise UsageError(f"unknown objective {unknown!r}: {example}")
    if ACCURACY not in plain or len(set(plain)) < len(plain) or len(plain) > 2:
        raise UsageError(f"objectives takes accuracy and one cost, {example}, not {plain!r}")
    return next((each for each in plain if each != ACCURACY), None)


def check_objectives(cost: str | None, objective: str, sampler: str, pruner: str) -> None:
    """Errors: UsageError for another objective than accuracy beside a cost, and for a sampler or a pruner that knows one objective only."""
    if cost is None:
        return
    if objective != ACCURACY:
        raise UsageError(f"objective {objective} and objectives [{ACCURACY}, {cost}] say two things: give one of them")
    if not SAMPLERS[sampler].two_objectives:
        able = ", ".join(name for name, spec in SAMPLERS.items() if spec.two_objectives)
        raise UsageError(f"sampler {sampler} searches one objective, and objectives names accuracy and {cost}: choose one of {able}")
    if PRUNERS[pruner].prunes and not PRUNERS[pruner].pauses:
        raise UsageError(f"pruner {pruner} compares accuracies alone, and objectives names {cost} too: leave pruner out, or set none")
