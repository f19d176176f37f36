"""What a sampler sees of a study whose trials pause: one record a configuration.

A trial that pauses, or that was left where it paused, is shown as COMPLETE with the accuracy that it would be expected to
end with (`promotion.predict_errors`). As it stands in the database a paused trial would be left out of what a sampler learns
from, and one that was left would stand there with the accuracy of too few epochs. The stored rows stay as they are.
"""

from __future__ import annotations

from optuna.trial import FrozenTrial, TrialState

from .finished import Finished
from .outcome import Outcome, read_outcome
from .pausing import PausingLeases
from .promotion import predict_errors


class Carried:
    """The finished trials of a study, and those that pause or paused, carried to their end. Read again only when there are others."""

    def __init__(self, finished: Finished, leases: PausingLeases) -> None:
        self._finished = finished
        self._leases = leases
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
        left = [n for n, row in rows.items() if row.state is TrialState.PRUNED and n in standing.best and _was_left(row)]
        going = [number for number, row in standing.decided.items() if number not in rows and row.epoch > 0]
        errors = predict_errors(rule, standing.best, standing.final, standing.place([*left, *going], rule.levels))
        storage = self._leases.storage.optuna
        for number, error in errors.items():
            row = rows.get(number) or self._drawn.get(number)
            if row is None:
                row = self._drawn[number] = storage.get_trial(standing.decided[number].trial_id)
            rows[number] = _complete(row, 1.0 - error)
        for number in self._drawn.keys() & {row.number for row in finished}:
            del self._drawn[number]
        return [rows[number] for number in sorted(rows)]


def _was_left(row: FrozenTrial) -> bool:
    return read_outcome(row.state.name, row.user_attrs.get("run", {})) is Outcome.BELOW_OTHERS


def _complete(row: FrozenTrial, accuracy: float) -> FrozenTrial:
    """The trial as it would stand with this accuracy at its end."""
    return FrozenTrial(
        number=row.number,
        trial_id=row._trial_id,
        state=TrialState.COMPLETE,
        value=accuracy,
        datetime_start=row.datetime_start,
        datetime_complete=row.datetime_complete or row.datetime_start,
        params=row.params,
        distributions=row.distributions,
        user_attrs=row.user_attrs,
        system_attrs=row.system_attrs,
        intermediate_values=row.intermediate_values,
    )
