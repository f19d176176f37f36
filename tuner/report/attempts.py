"""Attempts: each finished trial beside the best before it, and what was changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..config.hyperparameters import DEFAULTS, find_width_pattern, name_option, name_width
from ..config.trial_config import TrialConfig
from ..study.certainty import may_be_chance
from ..study.trials import TrialRow


@dataclass(frozen=True, kw_only=True)
class Change:
    name: str
    old: Any
    new: Any


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One finished trial. `before` is the best COMPLETE trial when it was begun; None for the first of all.

    `images` is on how many its accuracy was counted, None where that is not known.
    """

    row: TrialRow
    before: TrialRow | None
    changes: list[Change]
    images: int | None = None

    @property
    def improved(self) -> bool:
        return self.row.state == "COMPLETE" and (self.before is None or self.row.objective.is_better(self.row.value, self.before.value))

    @property
    def doubtful(self) -> bool:
        """Whether a gain may be chance."""
        return self.before is not None and self.images is not None and may_be_chance(self.row, self.before, self.images)


def list_attempts(rows: Sequence[TrialRow], images: int | None = None) -> list[Attempt]:
    """The finished trials by number, each beside the best of those with a lower one."""
    best: TrialRow | None = None
    found = []
    for row in rows:
        if row.state not in ("COMPLETE", "PRUNED", "FAIL") or row.config is None:
            continue
        changes = list_changes(best.config, row.config) if best is not None and best.config is not None else []
        if best is not None:  # what one of them does not have was not changed
            changes = [change for change in changes if change.name not in (*best.absent, *row.absent)]
        found.append(Attempt(row=row, before=best, changes=changes, images=images))
        if found[-1].improved:
            best = row
    return found


def list_changes(before: TrialConfig, after: TrialConfig) -> list[Change]:
    """What was changed, the network first. Seeds and threads are not a change."""
    old, new = _flat(before), _flat(after)
    names = dict.fromkeys([*old, *new])
    pairs = {name: (old.get(name, absent), new.get(name, absent)) for name in names for absent in [_absent(name)]}
    return [Change(name=name, old=was, new=now) for name, (was, now) in pairs.items() if was != now]


def _absent(name: str) -> float | None:
    """What a hyper-parameter is for a network that does not have it."""
    return 1.0 if find_width_pattern(name) is not None else None


def _flat(config: TrialConfig) -> dict[str, Any]:
    plain = {name: getattr(config, name) for name in ("model", "code", "width", *DEFAULTS, "precision")}
    plain |= {name_width(pattern): factor for pattern, factor in config.widths.items()}
    return plain | {name_option(option): value for option, value in config.network.items()}
