"""From rows to a comparison: the order, intervals for the accuracies, and whether neighbours really differ."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import binomtest

from ..study.certainty import LEVEL, find_interval
from ..study.storage import Storage
from .rows import Bits, load, unpack

# What a row's facts are called, in the order in which they are printed.
FACTS = (
    "model",
    "top1",
    "top5",
    "loss",
    "images",
    "broken",
    "parameters",
    "macs",
    "images_per_second",
    "ms_per_image",
    "peak_memory_mb",
    "device",
    "threads",
    "batch_size",
)
CODE = ("code", "trained_code")  # of a network of the user's own only


def compare_pair(first: Bits, second: Bits) -> dict[str, Any]:
    """McNemar's exact test on the hits (N,) of two networks on the same images.

    `wins` are the images that only the first has right, `losses` those that only the second has; `p` is how likely a
    split at least so uneven would be if both were equally good.
    """
    wins, losses = int((first & ~second).sum()), int((second & ~first).sum())
    p = float(binomtest(wins, wins + losses, 0.5).pvalue) if wins + losses else 1.0
    return {"wins": wins, "losses": losses, "p": p, "differ": p < LEVEL}


def list_results(storage: Storage, name: str) -> list[dict[str, Any]]:
    """The newest result of each network on the comparison's newest images, best first, as plain facts.

    Beside `FACTS`: `trial`, `top1_interval`, `top5_interval`, `CODE` where the network is the user's own, and `next`, the paired
    test against the network one place below (None for the last). Accuracies are fractions.
    Errors: UsageError where there is no such comparison.
    """
    complete = [t for t in load(storage, name).trials() if t.state is TrialState.COMPLETE and "hits" in t.user_attrs]
    if not complete:
        return []
    complete.sort(key=lambda t: (t.datetime_complete or datetime.min, t.number))
    data = complete[-1].user_attrs["stamp"]["data"]
    newest = {t.user_attrs["model"]: t for t in complete if t.user_attrs["stamp"]["data"] == data}
    return rank(list(newest.values()))


def rank(trials: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
    """COMPLETE trials on the same images, best first, each with the facts that `list_results` describes."""
    order = sorted(trials, key=lambda t: (-t.user_attrs["top1"], -t.user_attrs["top5"], t.user_attrs["model"]))
    found = []
    for trial, below in zip(order, [*order[1:], None], strict=True):
        facts = trial.user_attrs
        row = {name: facts[name] for name in FACTS} | {"trial": trial.number} | {name: facts[name] for name in CODE if name in facts}
        for k in ("top1", "top5"):
            row[f"{k}_interval"] = list(find_interval(round(facts[k] * facts["images"]), facts["images"]))
        row["next"] = None if below is None else {"model": below.user_attrs["model"], **_pair(facts, below.user_attrs)}
        found.append(row)
    return found


def _pair(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    total = first["listed"]
    both = np.ones(total, dtype=np.bool_)
    for facts in (first, second):
        both[facts["broken_rows"]] = False
    a, b = (unpack(facts["hits"], (2, total))[0] for facts in (first, second))
    return compare_pair(a[both], b[both])
