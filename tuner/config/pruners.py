"""Optuna's pruners, by the names that study files give them. Imports no Optuna."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PrunerSpec:
    """One pruner.

    `optuna_class` is its name in `optuna.pruners`, `options` the arguments that a study file may give, `defaults` those
    that are ours. `longest` is the option that is the number of epochs of the study's longest trial when it is not given.
    A pruner that `writes` keeps its rungs on the trial; one that never `prunes` need not be asked. One that `pauses` is our
    own rule (`study/promotion.py`): it ends no trial before the search ends, and searches `epochs` by itself.
    """

    optuna_class: str
    options: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    longest: str | None = None
    writes: bool = False
    prunes: bool = True
    pauses: bool = False


STEPS = ("n_startup_trials", "n_warmup_steps", "interval_steps", "n_min_trials")
SHA = ("min_resource", "reduction_factor", "min_early_stopping_rate", "bootstrap_count")
HYPERBAND = ("min_resource", "max_resource", "reduction_factor", "bootstrap_count")

# Steps are epochs counted from 1, so the resource of successive halving and Hyperband begins at 1.
PRUNERS: dict[str, PrunerSpec] = {
    "promote": PrunerSpec(optuna_class="NopPruner", options=("fraction", "first", "chance", "audit"), pauses=True),
    "median": PrunerSpec(optuna_class="MedianPruner", options=STEPS),
    "percentile": PrunerSpec(optuna_class="PercentilePruner", options=("percentile", *STEPS), defaults={"percentile": 25.0}),
    "sha": PrunerSpec(optuna_class="SuccessiveHalvingPruner", options=SHA, defaults={"min_resource": 1}, writes=True),
    "hyperband": PrunerSpec(optuna_class="HyperbandPruner", options=HYPERBAND, longest="max_resource", writes=True),
    "none": PrunerSpec(optuna_class="NopPruner", prunes=False),
}
