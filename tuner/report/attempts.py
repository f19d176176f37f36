"""Attempts: each finished trial beside the best before it, and what was changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..config.hyperparameters import DEFAULTS, name_width
from ..config.trial_config import TrialConfig
from ..study.trials import TrialRow


@dataclass(frozen=True, kw_only=True)
class Change:
    name: str
    old: Any
    new: Any


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One finished trial. `before` is the best COMPLETE trial when it was begun; None for the first of all."""

    row: TrialRow
    before: TrialRow | None
    changes: list[Change]

    @property
    def improved(self) -> bool:
        return self.row.state == "COMPLETE" and (self.before is None or (self.row.value or 0) > (self.before.value or 0))


def list_attempts(rows: Sequence[TrialRow]) -> list[Attempt]:
    """The finished trials by number, each beside the best of those with a lower one."""
    best: TrialRow | None = None
    found = []
    for row in rows:
        if row.state not in ("COMPLETE", "PRUNED", "FAIL") or row.config is None:
            continue
        changes = list_changes(best.config, row.config) if best is not None and best.config is not None else []
        found.append(Attempt(row=row, before=best, changes=changes))
        if found[-1].improved:
            best = row
    return found


def list_changes(before: TrialConfig, after: TrialConfig) -> list[Change]:
    """What was changed, the network first. Seeds and threads are not a change."""
    old, new = _flat(before), _flat(after)
    names = dict.fromkeys([*old, *new])
    return [Change(name=name, old=old.get(name, 1.0), new=new.get(name, 1.0)) for name in names if old.get(name, 1.0) != new.get(name, 1.0)]


def _flat(config: TrialConfig) -> dict[str, Any]:
    plain = {name: getattr(config, name) for name in ("model", "width", *DEFAULTS, "precision")}
    return plain | {name_width(pattern): factor for pattern, factor in config.widths.items()}
