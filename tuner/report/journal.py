"""The improvement journal: each attempt beside the best before it, and what followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..config.hyperparameters import DEFAULTS, find_width_pattern, name_option, name_width
from ..config.trial_config import TrialConfig
from ..console.text import format_value
from ..study.certainty import can_tell_apart
from ..study.outcome import Outcome
from ..study.trials import TrialRow
from .blocks import Block, Paragraph, Table
from .words import count, few, joined, model_name, percent, points, spoken

MOST_PROSE = 20  # attempts told one by one; of a longer search only the improvements are
MOST_IMPROVEMENTS = 16
MOST_ROWS = 60
UNSTABLE = (Outcome.DIVERGED, Outcome.OUT_OF_MEMORY)  # of PRUNED trials, those that no pruner ended


@dataclass(frozen=True, kw_only=True)
class Change:
    name: str
    old: Any
    new: Any

    def __str__(self) -> str:
        name = spoken(self.name)
        if self.name == "model":
            return f"the network from {model_name(self.old)} to {model_name(self.new)}"
        if self.name == "code":
            return f"the file of the network from {str(self.old)[:12]} to {str(self.new)[:12]} (SHA-256)"
        return f"{name} from {format_value(self.old)} to {format_value(self.new)}"

    @property
    def short(self) -> str:
        """As a cell of a table has it: the new value, and the old one."""
        if self.name == "model":
            return f"{model_name(self.new)} (was {model_name(self.old)})"
        if self.name == "code":
            return f"the network's file {str(self.new)[:12]} (was {str(self.old)[:12]})"
        return f"{spoken(self.name).removeprefix('the ')} {format_value(self.new)} (was {format_value(self.old)})"


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
        return self.row.state == "COMPLETE" and (self.before is None or (self.row.value or 0) > (self.before.value or 0))

    @property
    def doubt(self) -> str:
        """Why a gain may be none; empty where it is more than chance, or where that cannot be said."""
        if self.before is None or self.images is None:
            return ""
        mine, theirs = (round((row.value or 0.0) * self.images) for row in (self.row, self.before))
        return "" if can_tell_apart(mine, theirs, self.images) else f"which may be chance on {self.images:,} images"


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


def write_journal(found: Sequence[Attempt]) -> list[Block]:
    """The whole journal: every attempt of a short search; of a long one the improvements, and the others in a table."""
    if len(found) <= MOST_PROSE:
        return [Paragraph(lead=f"Trial {attempt.row.number}.", text=tell(attempt)) for attempt in found]
    improvements = [attempt for attempt in found if attempt.improved]
    blocks: list[Block] = []
    shown = improvements
    if len(improvements) > MOST_IMPROVEMENTS:
        shown = [*improvements[:4], *improvements[4 - MOST_IMPROVEMENTS :]]
    others = [attempt for attempt in found if attempt not in shown]
    if len(improvements) == 1:
        blocks.append(Paragraph(text=f"None of {len(found):,} attempts was better than the first."))
    else:
        times = {2: "once", 3: "twice"}.get(len(improvements), count(len(improvements) - 1, "time"))
        which = "each improvement" if shown is improvements else f"the first 3 and the last {len(shown) - 4} improvements"
        text = f"The best accuracy was improved {times} in {len(found):,} attempts. Here are the first attempt and {which}, in order."
        blocks.append(Paragraph(text=text))
    blocks += [Paragraph(lead=f"Trial {attempt.row.number}.", text=tell(attempt)) for attempt in shown]
    blocks.append(Paragraph(text=_others(others)))
    ranked = sorted(others, key=lambda a: (a.row.state != "COMPLETE", -(a.row.value or 0.0), a.row.number))
    listed = sorted(ranked[:MOST_ROWS], key=lambda a: a.row.number)
    if len(others) > MOST_ROWS:
        text = f"The {MOST_ROWS} most accurate of them, in order; `tuner show` lists all."
        blocks.append(Paragraph(text=text))
    blocks.append(
        Table(
            headings=("Trial", "Accuracy", "What followed", "Changed against the best so far"),
            rows=[
                (
                    str(a.row.number),
                    "-" if a.row.value is None else percent(a.row.value),
                    _outcome(a),
                    ", ".join(few([(change.name, change.short) for change in a.changes])) or "nothing",
                )
                for a in listed
            ],
            right=frozenset({0, 1}),
        )
    )
    return blocks


def tell(attempt: Attempt) -> str:
    """One attempt in two or three sentences."""
    row, before = attempt.row, attempt.before
    assert row.config is not None
    began = _began(attempt)
    if row.state == "FAIL":
        return f"{began} It failed: {_sentence(row.reason)}"
    if row.state == "PRUNED":
        return f"{began} {_pruned(row)}"
    value = percent(row.value)
    if before is None:
        return f"{began} It reached {value}, the figure that all others had to beat."
    gap = points((row.value or 0) - (before.value or 0))
    if row.outcome is Outcome.SAME_AS:
        return f"{began} That is the configuration of trial {row.run['same_as']}, so its {value} was taken over without training again."
    if attempt.improved:
        return f"{began} It reached {value}, {gap} more{attempt.doubt and f', {attempt.doubt}'}: the new best."
    if row.value == before.value:
        return f"{began} It reached {value} as well, so trial {before.number} stayed the best."
    return f"{began} It reached {value}, {gap} less, so trial {before.number} stayed the best."


def _began(attempt: Attempt) -> str:
    config, before = attempt.row.config, attempt.before
    assert config is not None
    if before is None:
        widths = few([(name_width(pattern), f"width {format_value(factor)} of {pattern}") for pattern, factor in config.widths.items()])
        values = [f"learning rate {format_value(config.lr)}", f"batch size {config.batch_size}", count(config.epochs, "epoch"), *widths]
        values += [f"{option} {format_value(value)}" for option, value in config.network.items()]
        return f"{model_name(config.model)} was trained with {joined(values)}."
    if not attempt.changes:
        return f"Nothing was changed against trial {before.number}, the best so far, but the random seed."
    changes = few([(change.name, str(change)) for change in attempt.changes])
    return f"Against the best so far, trial {before.number}, it changed {joined(changes)}."


def _pruned(row: TrialRow) -> str:
    epochs = len(row.epochs)
    if row.outcome in UNSTABLE:
        after = f" after {count(epochs, 'whole epoch')}" if epochs else " in its first epoch"
        return f"It ended{after}: {_sentence(row.reason)}"
    reached = f", at {percent(row.epochs[-1]['val_accuracy'])}" if row.epochs else ""
    if row.reason.startswith("paused at epoch"):
        return f"It was {row.reason.partition(';')[0]}{reached}, and left there:{row.reason.rpartition(':')[2]}."
    standing = row.reason.partition(": ")[2]  # not in trials of version 0.1.0
    return f"It was pruned after epoch {epochs}{reached}, below the others at that epoch{standing and f' ({standing})'}."


def _outcome(attempt: Attempt) -> str:
    row = attempt.row
    if row.state == "FAIL":
        return f"failed: {row.reason}"
    if row.state == "PRUNED":
        ended = row.reason if row.outcome in UNSTABLE else ""
        if row.reason.startswith("paused at epoch"):
            return row.reason.partition(";")[0]
        return ended or f"pruned at epoch {len(row.epochs)}"
    if row.outcome is Outcome.SAME_AS:
        return f"same as trial {row.run['same_as']}"
    assert attempt.before is not None
    gap = (row.value or 0) - (attempt.before.value or 0)
    if attempt.improved:
        return f"new best by {points(gap)}{attempt.doubt and ', which may be chance'}"
    return f"{points(gap)} less" if gap else "as good as the best"


def _others(others: Sequence[Attempt]) -> str:
    states = [attempt.row.state for attempt in others]
    parts = [
        f"{states.count(state):,} {words}"
        for state, words in (("COMPLETE", "were trained to the end"), ("PRUNED", "were pruned"), ("FAIL", "failed"))
        if state in states
    ]
    return f"Of the other {len(others):,} attempts, {joined(parts)}."


def _sentence(reason: str) -> str:
    return f"{reason.rstrip('.')}." if reason else "it left no reason."
