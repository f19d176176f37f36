"""Which trials are worth their cost: the best within limits, and the front, where accuracy is had for no less."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from ..config.limits import COSTS, Limits, describe_cost
from ..config.objective import ACCURACY, Objective
from ..errors import NothingToShow
from .study import Study
from .trials import TrialRow, list_trials


def find_front(points: Sequence[tuple[float, float]], objective: Objective = ACCURACY) -> list[tuple[float, float]]:
    """The points (cost, value) that no cheaper or equal one beats, cheapest first."""
    best: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda point: (point[0], objective.place(point[1]))):
        if not best or objective.is_better(value, best[-1][1]):
            best.append((cost, value))
    return best


def find_front_rows(rows: Sequence[TrialRow], cost: str) -> list[TrialRow]:
    """The COMPLETE trials on the front of their values against that cost, cheapest first; of equals the earlier. Copies do not count."""
    known = [row for row in rows if row.state == "COMPLETE" and row.value is not None and row.run.get(cost) and "same_as" not in row.run]
    first = {(row.run[cost], row.value): row for row in sorted(known, key=lambda row: -row.number)}
    objective = known[0].objective if known else ACCURACY
    return [first[point] for point in find_front(list(first), objective)]  # type: ignore[arg-type]


def list_front(study: Study, cost: str) -> list[TrialRow]:
    """The front of a study's trials. Errors: NothingToShow where no COMPLETE one has that cost."""
    front = find_front_rows(list_trials(study), cost)
    if not front:
        raise NothingToShow(f"study {study.name!r} has no COMPLETE trial whose {COSTS[cost]} were measured: {_say_how({cost: 0})}")
    return front


def rank_within(study: Study, limits: Limits) -> list[TrialRow]:
    """The COMPLETE trials whose networks are within the limits, the best first. Errors: NothingToShow where there is none."""
    complete = [row for row in list_trials(study) if row.state == "COMPLETE" and row.value is not None and row.config is not None]
    if not complete:
        raise NothingToShow(f"study {study.name!r} has no COMPLETE trial yet: go on with `tuner search {quote(study.name)}`")
    wanted = limits.to_dict()
    known = [row for row in complete if all(row.run.get(name) is not None for name in wanted)]
    if not known:
        lacking = " and ".join(COSTS[name] for name in wanted if not any(row.run.get(name) is not None for row in complete))
        raise NothingToShow(f"study {study.name!r} has no COMPLETE trial whose {lacking or 'costs'} were measured: {_say_how(wanted)}")
    within = [row for row in known if limits.find_excess(row.run) <= 1]
    if not within:
        nearest = min(known, key=lambda row: limits.find_excess(row.run))
        raise NothingToShow(
            f"study {study.name!r} has no COMPLETE trial within {limits}: the smallest is trial {nearest.number} with "
            f"{describe_cost(nearest.run, wanted)}"
        )
    return sorted(within, key=lambda row: (row.objective.place(row.value), row.number))


def _say_how(wanted: dict[str, float]) -> str:
    if "milliseconds" in wanted:
        return "they are where a study file has limits: {milliseconds: ...}"
    return "they are since this version, of trials that it trains"
