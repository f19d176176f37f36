"""The latency of a trial's network: measured once, before its first epoch, where the study asks for it."""

from __future__ import annotations

from ..config.limits import format_cost
from ..config.trial_config import TrialConfig
from ..placement import Placement
from ..training.latency import measure_latency
from .leased_trial import LeasedTrial


class TooSlow(Exception):
    """The latency is above the study's limit, by the factor `excess`; the text says so."""

    def __init__(self, text: str, excess: float) -> None:
        super().__init__(text)
        self.excess = excess


def check_latency(trial: LeasedTrial, config: TrialConfig, classes: int, placement: Placement) -> None:
    """Measure it on the trial's device, and keep it with the trial: one that goes on is not measured again.

    Errors: TooSlow, and whatever the network raises.
    """
    limit = trial.study.config.limits.milliseconds
    if limit is None and trial.study.config.cost != "milliseconds":
        return
    found = trial.cost.get("milliseconds")
    if found is None:
        found = round(measure_latency(config, classes, placement.device), 4)
        trial.keep_latency(found)
    if limit is not None and found > limit:
        raise TooSlow(f"too slow: {format_cost('milliseconds', found)}, and the limit is {limit:g}", found / limit)
