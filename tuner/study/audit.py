"""The audit: some trials that the rule leaves paused are trained to the end all the same, to see whether it was right.

Which ones is settled by the study's seed and the trial's number alone, one in each stretch of 1 / `audit` numbers: so any
worker comes to the same answer, an interruption changes nothing, and those checked are a fair sample of those left.
They are taken up after the race has given up, so that the search itself goes as it would have gone; where they end better than
the rule had foretold, the race goes on (`promotion.estimate_changes`).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy.special import betaincinv

from .promotion import Costs, Curves, Promotion, find_incumbent

AUDITED_FROM = 40  # trials: below, a check costs more than it tells


def is_audited(rule: Promotion, trial: int, *, seed: int) -> bool:
    """Whether this trial is among those that are trained to their end whatever their rank."""
    if rule.audit <= 0:
        return False
    stretches = range(math.floor(trial * rule.audit), math.floor((trial + 1) * rule.audit) + 1)
    return any(math.floor((stretch + _draw(seed, stretch)) / rule.audit) == trial for stretch in stretches)


def find_audited(rule: Promotion, best: Curves, paused: Mapping[int, int], *, seed: int) -> int | None:
    """The paused trial to train to its end for the audit, the one that has come farthest first; None where none is left.

    To be asked when `find_raced` answers None. `best` counts the study's trials: all that were begun have a curve there.
    """
    if len(best) < AUDITED_FROM:
        return None
    chosen = [trial for trial in paused if is_audited(rule, trial, seed=seed)]
    return min(chosen, key=lambda trial: (-paused[trial], trial), default=None)


def _draw(seed: int, stretch: int) -> float:
    """A number in [0, 1) of its own for each stretch of trials."""
    digest = hashlib.sha256(f"audit {seed} {stretch}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


@dataclass(frozen=True, kw_only=True)
class AuditResult:
    """What the audit found: of `checked` trials that had been given up, `won` ended better than the best of the others.

    With `front` they are compared with the others that cost no more, as the trials of a study with two objectives are.
    """

    checked: int
    won: int
    front: bool = False

    @property
    def most(self) -> float:
        """The part of those left that may have been better after all: the upper end of a 95 % interval (Clopper and Pearson)."""
        return 1.0 if self.won >= self.checked else float(betaincinv(self.won + 1, self.checked - self.won, 0.95))

    @property
    def sentence(self) -> str:
        """For people."""
        if not self.checked:
            return "none of the trials left paused was checked"
        won = "none" if not self.won else str(self.won)
        return f"of {self.checked} checked, {won} would have {'been on the front' if self.front else 'won'}"


def read_audit(final: Mapping[int, float], audited: set[int], costs: Costs | None = None) -> AuditResult:
    """`final` of all finished trials, and which of them were only finished for the audit; `costs` where they are an objective."""
    others = {trial: value for trial, value in final.items() if trial not in audited}
    checked = {trial: value for trial, value in final.items() if trial in audited}
    beaten = [value < find_incumbent(others, costs, trial) for trial, value in checked.items()]
    return AuditResult(checked=len(checked), won=sum(beaten) if others else 0, front=costs is not None)
