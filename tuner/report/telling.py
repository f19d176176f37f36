"""One attempt in two or three sentences, and as a cell of a table."""

from __future__ import annotations

import re

from ..config.hyperparameters import name_option, name_width
from ..console.text import format_value
from ..study.outcome import Outcome
from ..study.trials import TrialRow
from .attempts import Attempt, Change
from .language import Language
from .words import model_name

UNSTABLE = (Outcome.DIVERGED, Outcome.OUT_OF_MEMORY, Outcome.TOO_SLOW)  # of PRUNED trials, those that no pruner ended
# What `study/standing.py` and `workers/leased_trial.py` write into a reason. Other languages say the same figures anew.
PAUSED = re.compile(r"paused at epoch (?P<epoch>\d+): (?P<rank>\d+)\w\w of (?P<of>\d+)")
MEDIAN = re.compile(r"(?P<mine>[\d.]+)(?:, where the median of (?P<number>\d+) others was (?P<median>[\d.]+))?")


def tell(attempt: Attempt, words: Language) -> str:
    """One attempt in two or three sentences."""
    row, before = attempt.row, attempt.before
    began = _tell_beginning(attempt, words)
    if row.state == "FAIL":
        return f"{began} {words.say('failed', reason=tell_reason(row, words))}"
    if row.state == "PRUNED":
        return f"{began} {_tell_pruned(row, words)}"
    value = words.figure(row.value)
    if before is None:
        return f"{began} {words.say('first_reached', value=value)}"
    gap = words.difference((row.value or 0) - (before.value or 0))
    if row.outcome is Outcome.SAME_AS:
        return f"{began} {words.say('same_as', trial=words.trial(row.run['same_as']), value=value)}"
    key = "new_best" if attempt.improved else "as_good" if row.value == before.value else "worse"
    if attempt.improved and attempt.doubtful and row.start is None:  # of a step by hand it is said among its mistakes
        return f"{began} {words.say('new_best_doubtful', value=value, gap=gap, images=f'{attempt.images:,}')}"
    return f"{began} {words.say(key, value=value, gap=gap, before=words.trial(before.number))}"


def tell_reason(row: TrialRow, words: Language) -> str:
    """Why a trial ended that was not trained to its end, as a sentence. English has the one that is stored."""
    stored = f"{row.reason.rstrip('.')}." if row.reason else words.say("reason_ended_by_other_tool")
    key = f"reason_{row.outcome}"
    return words.say(key, reason=stored) if key in words.texts and row.reason else stored


def tell_changes(attempt: Attempt, words: Language) -> list[str]:
    """What was changed, a text each; of many widths only how many."""
    return words.few([(change.name, _tell_change(change, words)) for change in attempt.changes])


def list_short_changes(attempt: Attempt, words: Language) -> str:
    """As a cell of a table has it: each new value, and the old one."""
    return ", ".join(words.few([(change.name, _shorten(change, words)) for change in attempt.changes])) or words.say("nothing")


def tell_outcome(attempt: Attempt, words: Language) -> str:
    """What followed, as a cell of a table has it."""
    row = attempt.row
    if row.state == "FAIL":
        return words.say("outcome_failed", reason=tell_reason(row, words).rstrip("."))
    if row.state == "PRUNED":
        if row.outcome in UNSTABLE:
            return words.say("outcome_unstable", reason=tell_reason(row, words).rstrip("."))
        if row.reason.startswith("paused at epoch"):
            return tell_place(row.reason, words)
        return words.say("outcome_pruned", epoch=len(row.epochs))
    if row.outcome is Outcome.SAME_AS:
        return words.say("outcome_same", trial=words.trial(row.run["same_as"]))
    assert attempt.before is not None
    gap = (row.value or 0) - (attempt.before.value or 0)
    if attempt.improved and attempt.doubtful:
        return words.say("outcome_doubtful", gap=words.difference(gap))
    key = "outcome_best" if attempt.improved else "outcome_worse" if gap else "outcome_as_good"
    return words.say(key, gap=words.difference(gap))


def tell_place(reason: str, words: Language) -> str:
    """Where a trial paused, from its reason: `paused at epoch 2: 3rd of 9`."""
    found = PAUSED.match(reason)
    return reason if found is None else words.say("left_place", place=found.group(), **found.groupdict())


def _tell_beginning(attempt: Attempt, words: Language) -> str:
    config, before = attempt.row.config, attempt.before
    assert config is not None
    if before is None:
        widths = words.few(
            [
                (name_width(pattern), words.say("width_value", value=format_value(factor), pattern=pattern))
                for pattern, factor in config.widths.items()
            ]
        )
        values = [
            words.say("value", name=words.term("lr"), value=format_value(config.lr)),
            words.say("value", name=words.term("batch_size"), value=config.batch_size),
            words.count(config.epochs, "epoch"),
            *widths,
            *(
                words.say("value", name=words.term(name_option(option)), value=format_value(value))
                for option, value in config.network.items()
            ),
        ]
        return words.say("began_first", network=model_name(config.model), values=words.joined(values))
    if not attempt.changes:
        return words.say("began_same", before=words.trial(before.number))
    return words.say("began", before=words.trial(before.number), changes=words.joined(tell_changes(attempt, words)))


def _tell_change(change: Change, words: Language) -> str:
    if change.name == "model":
        return words.say("change_network", old=model_name(change.old), new=model_name(change.new))
    if change.name == "code":
        return words.say("change_code", old=str(change.old)[:12], new=str(change.new)[:12])
    return words.say("change", name=words.term(change.name), old=format_value(change.old), new=format_value(change.new))


def _shorten(change: Change, words: Language) -> str:
    if change.name == "model":
        return words.say("change_network_short", old=model_name(change.old), new=model_name(change.new))
    if change.name == "code":
        return words.say("change_code_short", old=str(change.old)[:12], new=str(change.new)[:12])
    return words.say("change_short", name=words.term(change.name), old=format_value(change.old), new=format_value(change.new))


def _tell_pruned(row: TrialRow, words: Language) -> str:
    epochs = len(row.epochs)
    if row.outcome in UNSTABLE:
        key = "ended_early" if epochs else "ended_at_once"
        return words.say(key, epochs=words.count(epochs, "whole epoch"), reason=tell_reason(row, words))
    reached = words.say("reached", accuracy=words.figure(row.curve[-1])) if row.epochs else ""
    if row.reason.startswith("paused at epoch"):
        stored = row.reason.rpartition(": ")[2]
        chance = words.say("left_chance", sentence=stored, chance=f"{100 * row.run.get('chance', 0):.2g}")
        return words.say("left", place=tell_place(row.reason, words), reached=reached, chance=chance)
    stored = row.reason.partition(": ")[2]  # not in trials of version 0.1.0
    found = MEDIAN.fullmatch(stored)
    standing = words.say("standing", standing=_tell_standing(stored, found, words)) if stored else ""
    return words.say("pruned", epoch=epochs, reached=reached, standing=standing)


def _tell_standing(stored: str, found: re.Match[str] | None, words: Language) -> str:
    if found is None:
        return stored
    key = "standing_alone" if found["number"] is None else "standing_median"
    return words.say(key, stored=stored, **found.groupdict())
