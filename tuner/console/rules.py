"""The rules that may end a study, and what they decided: in sentences, and as plain facts."""

from __future__ import annotations

from typing import Any

from ..study.lease import Counts
from ..study.study import Study
from .text import format_duration


def describe_rules(study: Study, counts: Counts) -> list[str]:
    """A sentence for each rule that the study has, and one for the decision that holds."""
    rules = study.leases.read_rules()
    told = []
    if rules.budget is not None:
        told.append(f"Budget: {format_duration(counts.spent)} of {format_duration(rules.budget)} of training are spent.")
    if rules.patience is not None:
        told.append(f"No new trial begins once the last {rules.patience} brought no gain above noise.")
    if counts.ended is not None:
        told.append(f"Ended: {counts.ended.describe()}.")
    return told


def collect_rules(study: Study, counts: Counts) -> dict[str, Any]:
    """The same for machines, in seconds and fractions; None for what is not there."""
    ended = counts.ended
    return {
        "budget": counts.budget,
        "spent": None if counts.budget is None else counts.spent,
        "stop_when_flat": study.leases.read_rules().patience,
        "ended_by": None if ended is None else ended.cause.value,
        "ended_reason": None if ended is None else ended.describe(),
    }
