"""What may end a study before it has all its trials: its rules, and what they have decided.

All of it stands in one row of the study, so that every search and every worker, on any machine, heeds the same. A decision
names what it was made for, and holds as long as that does: a larger budget, other patience or a larger total lift it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from ..config.duration import format_duration
from .tables import stopping


class Cause(StrEnum):
    """Which rule ended a study. Part of the stored format."""

    FLAT = "flat"  # --stop-when-flat
    BUDGET = "budget"  # --budget


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A decision that holds, with the figures it was made from."""

    cause: Cause
    figures: Mapping[str, Any] = field(default_factory=dict)

    def describe(self) -> str:
        """For people: what follows "the search ended, ..."."""
        found = self.figures
        if self.cause is Cause.BUDGET:
            spent, budget = format_duration(found["spent"]), format_duration(found["budget"])
            return f"{spent} of its budget of {budget} are spent, and no trial fits the rest"
        among = "none of them was trained to its end" if found["best"] is None else f"{found['best']:.4f} among them"
        return (
            f"the last {found['patience']} trials brought no gain above noise: best {found['before']:.4f} before them, {among}, "
            f"noise {found['noise']:.4f} ({describe_noise(found)})"
        )


def describe_noise(figures: Mapping[str, Any]) -> str:
    """Where it comes from."""
    if figures["repeats"]:
        return "from configurations that were trained more than once"
    return "not known" if figures["images"] is None else f"the binomial error on {figures['images']:,} validation images"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of one study, and what each decided last.

    `budget` is in seconds of training and validation, all trials of the study added up. `patience` is how many trials may bring no
    gain. `images` are those of the validation part. `flat` and `spent` are decisions: the figures that they were made from.
    """

    budget: float | None = None
    patience: int | None = None
    images: int | None = None
    flat: Mapping[str, Any] | None = None
    spent: Mapping[str, Any] | None = None

    def find_end(self, n_trials: int) -> Ended | None:
        """The decision that holds in a study of so many trials."""
        if self.spent is not None and self.budget is not None and self.budget <= self.spent["budget"]:
            return Ended(cause=Cause.BUDGET, figures=self.spent)
        return Ended(cause=Cause.FLAT, figures=self.flat) if self.flat is not None and self._is_flat(n_trials) else None

    def limit(self, n_trials: int) -> int:
        """The study's total of trials, or how many had begun when it was found to be flat."""
        return min(n_trials, int(self.flat["begun"])) if self.flat is not None and self._is_flat(n_trials) else n_trials

    def _is_flat(self, n_trials: int) -> bool:
        return self.flat is not None and self.flat["patience"] == self.patience and n_trials <= self.flat["n_trials"]

    def count_passed(self, n_trials: int) -> int:
        """How many trials had had their turn at a decision that a larger total has lifted."""
        if self.flat is None or self.flat["patience"] != self.patience or n_trials <= self.flat["n_trials"]:
            return 0
        return int(self.flat["counted"])


def read_rules(connection: sa.Connection, study_id: int) -> Rules:
    """Those of the study; none where nobody gave any. The table must be there."""
    row = connection.execute(sa.select(stopping).where(stopping.c.study_id == study_id)).one_or_none()
    if row is None:
        return Rules()
    flat, spent = (None if text is None else json.loads(text) for text in (row.flat_json, row.spent_json))
    return Rules(budget=row.budget, patience=row.patience, images=row.images, flat=flat, spent=spent)


def write_rules(connection: sa.Connection, study_id: int, rules: Rules) -> None:
    """In place of what was there. To be called under the study's lock."""
    texts = {
        f"{name}_json": None if made is None else json.dumps(dict(made)) for name, made in (("flat", rules.flat), ("spent", rules.spent))
    }
    row = {"budget": rules.budget, "patience": rules.patience, "images": rules.images, **texts}
    if connection.execute(sa.update(stopping).where(stopping.c.study_id == study_id).values(**row)).rowcount == 0:
        connection.execute(sa.insert(stopping).values(study_id=study_id, **row))
