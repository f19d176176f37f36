"""What a sampler sees of a study whose trials pause: one record a configuration.

A trial that pauses, or that was left where it paused, is shown as COMPLETE with the value that it would be expected to
end with (`promotion.predict_errors`). As it stands in the database a paused trial would be left out of what a sampler learns
from, and one that was left would stand there with the value of too few epochs. The stored rows stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable

from optuna.trial import FrozenTrial, TrialState

from ..config.objective import ACCURACY, Objective
from .facts import read_facts
from .finished import Finished
from .outcome import Outcome, read_outcome
from .pausing import PausingLeases
from .promotion import predict_errors


class Carried:
    """The finished trials of a study, and those that pause or paused, carried to their end. Read again only when there are others."""

    def __init__(self, finished: Finished, leases: PausingLeases, objective: Objective = ACCURACY) -> None:
        self._finished = finished
        self._leases = leases
        self._objective = objective
        self._left: dict[int, bool] = {}  # by number, of those that were pruned: whether they were left where they paused
        self._drawn: dict[int, FrozenTrial] = {}  # unfinished trials by number, whose parameters no longer change
        self._rows: list[FrozenTrial] = []
        self._known: tuple[object, ...] = ()

    def __call__(self) -> list[FrozenTrial]:
        """By number. Not copies: do not change them."""
        finished, standing = self._finished(), self._leases.read_standing()
        known = (id(finished), len(finished), standing.version)
        if known != self._known:
            self._rows, self._known = self._carry(finished), known
        return self._rows

    def _carry(self, finished: list[FrozenTrial]) -> list[FrozenTrial]:
        standing, rule = self._leases.read_standing(), self._leases.rule
        rows = {row.number: row for row in finished}
        pruned = [row for number, row in rows.items() if row.state is TrialState.PRUNED and number in standing.best]
        self._look(row for row in pruned if row.number not in self._left)
        left = [row.number for row in pruned if self._left[row.number]]
        going = [number for number, row in standing.decided.items() if number not in rows and row.epoch > 0]
        errors = predict_errors(rule, standing.best, standing.final, standing.place([*left, *going], rule.levels))
        storage = self._leases.storage.optuna
        for number, error in errors.items():
            row = rows.get(number) or self._drawn.get(number)
            if row is None:
                row = self._drawn[number] = storage.get_trial(standing.decided[number].trial_id)
            value = self._objective.from_error(error)
            rows[number] = _complete(row, [value, *([standing.costs[number]] if standing.costs else [])])
        for number in self._drawn.keys() & {row.number for row in finished}:
            del self._drawn[number]
        return [rows[number] for number in sorted(rows)]

    def _look(self, pruned: Iterable[FrozenTrial]) -> None:
        new = list(pruned)
        for row, facts in zip(new, read_facts(self._leases.storage, self._leases.study_id, new, "run"), strict=True):
            self._left[row.number] = read_outcome(row.state.name, facts.get("run", {})) is Outcome.BELOW_OTHERS


def _complete(row: FrozenTrial, values: list[float]) -> FrozenTrial:
    """The trial as it would stand with these values at its end: its own, and its cost where that is an objective too."""
    return FrozenTrial(
        number=row.number,
        trial_id=row._trial_id,
        state=TrialState.COMPLETE,
        value=None,
        values=values,
        datetime_start=row.datetime_start,
        datetime_complete=row.datetime_complete or row.datetime_start,
        params=row.params,
        distributions=row.distributions,
        user_attrs=row.user_attrs,
        system_attrs=row.system_attrs,
        intermediate_values=row.intermediate_values,
    )
