"""A trial of a study with a budget: what it took, what it is still to take, and whether that fits."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.duration import format_duration
from ..config.trial_config import TrialConfig
from ..study.cost_model import expect_epoch
from ..study.costs import Cost, read_set_aside, read_spent, write_cost
from ..study.facts import read_seconds
from ..study.forecast import Forecast, read_forecast
from ..study.stopping import read_rules
from .leased_trial import LeasedTrial


class OutOfBudget(Exception):
    """The trial's next epoch does not fit the study's budget; the text says so."""


class TrialBudget:
    """Says of one leased trial whether the study's budget lets it go on. A budget may be given and changed at any time.

    What counts are seconds of epochs, training and validation, as they stand on the trials. Errors as of a leased trial's writes.
    """

    def __init__(self, trial: LeasedTrial, config: TrialConfig) -> None:
        self._trial = trial
        self._study = trial.study
        self._config = config
        self._forecast: Forecast | None = None
        self._stored = 0.0  # seconds that it had when it was begun: where its checkpoint is lost its curve begins anew

    def begin(self) -> str | None:
        """Before the trial is trained, or goes on: set aside what it is to take. Why not, where it cannot be finished."""
        if self._study.leases.read_rules().budget is None:
            return None
        [facts] = self._study.read_facts([self._study.retry(self._trial.frozen)], "curve", "run")
        measured = read_seconds(facts)
        self._stored = sum(measured)
        return self._set_aside(measured, begun=False)

    def note(self) -> str | None:
        """After an epoch was reported. Why the trial has to stop, where its next one does not fit."""
        if self._study.leases.read_rules().budget is None:
            return None
        return self._set_aside([float(epoch["seconds"]) for epoch in self._trial.curve], begun=True)

    def _set_aside(self, measured: Sequence[float], *, begun: bool) -> str | None:
        """Write down the trial's costs, and see whether they fit beside those of the other trials in training.

        A trial is begun where all it is to take fits. One that was begun stops where its next epoch does not fit beside what is set
        aside for others; but its last epoch it may have, as long as anything is left. So what is spent exceeds a budget by an
        epoch of each worker at most: the one that it trained when the last second was spent.
        """
        lease, leases, epochs = self._trial.lease, self._study.leases, self._config.epochs
        epoch = self._expect_epoch(measured)
        ahead = leases.count_ahead(lease.number, len(measured), epochs)
        whole, rest = (None, 0.0) if epoch is None else (epoch * epochs, epoch * ahead)
        cost = Cost(seconds=max(self._stored, sum(measured)), epoch=epoch, whole=whole, rest=rest)

        def write() -> str | None:
            with self._study.storage.transaction() as connection:
                write_cost(connection, leases.study_id, lease.trial_id, cost)
                budget = read_rules(connection, leases.study_id).budget
                if budget is None:
                    return None
                spent = read_spent(connection, leases.study_id)
                left = budget - spent - read_set_aside(connection, leases.study_id, but=lease.trial_id)
            following = epoch or 0.0
            if begun and epochs - len(measured) <= 1 and spent < budget:
                return None
            if 0 < left >= (following if begun else rest):
                return None
            what = f"its next epoch takes about {format_duration(following)}" if begun else f"it would take about {format_duration(rest)}"
            return f"back in the queue: {what}, and {format_duration(max(0.0, left))} of the study's budget are left"

        return leases.write(lease, write, alone=True)

    def _expect_epoch(self, measured: Sequence[float]) -> float | None:
        """Seconds of the next epoch. Others' epochs are asked about where the trial has too few of its own."""
        if len(measured) > 1:
            return expect_epoch(measured)
        if self._forecast is None:
            self._forecast = read_forecast(self._study)
        return self._forecast.predict(self._config, measured)
