"""How well the rank at a rung foretells the rank at the end, from a study's own finished trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .promotion import PRIOR_WEIGHT, Curves, Promotion


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """At one rung: Spearman's correlation of the best error so far with the error at the end, over `trials` finished ones.

    `shrunk` is what may be believed of it: as though three more trials had shown none. Finished trials are a selection, those
    that ranked well early, so both are rather too low than too high. None with fewer than three trials, or all alike.
    """

    epoch: int
    trials: int
    spearman: float | None

    @property
    def shrunk(self) -> float | None:
        return None if self.spearman is None else self.spearman * self.trials / (self.trials + PRIOR_WEIGHT)


def measure_agreement(rule: Promotion, best: Curves, final: Mapping[int, float]) -> list[Agreement]:
    """One figure a rung, from the lowest up. `best` and `final` as in `promotion.py`."""
    found = []
    for epoch in rule.rungs:
        pairs = [(best[trial][epoch - 1], value) for trial, value in final.items() if len(best[trial]) >= epoch]
        found.append(Agreement(epoch=epoch, trials=len(pairs), spearman=correlate_ranks(pairs)))
    return found


def correlate_ranks(pairs: list[tuple[float, float]]) -> float | None:
    """Spearman's correlation, equal values sharing their ranks; None where there is none to speak of."""
    if len(pairs) < 3:
        return None
    from scipy.stats import rankdata  # slow to import, and most studies that are shown have no such pairs

    early, late = (rankdata(values) for values in zip(*pairs, strict=True))
    if np.ptp(early) == 0 or np.ptp(late) == 0:
        return None
    return float(np.corrcoef(early, late)[0, 1])
