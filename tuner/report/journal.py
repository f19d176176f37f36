"""The improvement journal: each attempt beside the best before it, and what followed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from .attempts import Attempt, list_attempts
from .blocks import Block, Fold, Paragraph, Table
from .language import Language
from .languages.en import ENGLISH
from .mistakes import tell_mistakes
from .telling import list_short_changes, tell, tell_outcome

__all__ = ["list_attempts", "write_journal"]
MOST_PROSE = 20  # attempts told one by one; of a longer search only the improvements are
MOST_IMPROVEMENTS = 16
MOST_ROWS = 60
FEWEST_FOLDED = 3  # attempts in a row that improved nothing


def write_journal(found: Sequence[Attempt], words: Language = ENGLISH, images: int | None = None) -> list[Block]:
    """The whole journal: every attempt of a short search; of a long one the improvements, and the others in a table.

    Attempts in a row that improved nothing are folded, but for those given by hand, each of which was a step. `images` are those
    of the validation part, None where that is not known.
    """
    if len(found) <= MOST_PROSE:
        blocks: list[Block] = []
        for (given, improved), group in groupby(found, key=lambda attempt: (attempt.row.start is not None, attempt.improved)):
            alike = list(group)
            told = [_tell_one(attempt, words, images) for attempt in alike]
            foldable = len(alike) >= FEWEST_FOLDED and not given and not improved
            blocks += [Fold(summary=_sum_up(alike, words), blocks=told)] if foldable else told
        return blocks
    improvements = [attempt for attempt in found if attempt.improved]
    shown = improvements
    if len(improvements) > MOST_IMPROVEMENTS:
        shown = [*improvements[:4], *improvements[4 - MOST_IMPROVEMENTS :]]
    others = [attempt for attempt in found if attempt not in shown]
    if len(improvements) == 1:
        first = words.say("none_better", number=f"{len(found):,}")
    else:
        number = len(improvements) - 1
        times = words.say({1: "once", 2: "twice"}.get(number, "times"), number=words.number(number))
        which = words.say("each_improvement" if shown is improvements else "some_improvements", number=len(shown) - 4)
        first = words.say("improved_times", times=times, number=f"{len(found):,}", which=which)
    return [
        Paragraph(text=first),
        *(_tell_one(attempt, words, images) for attempt in shown),
        Paragraph(text=_count_others(others, words)),
        Fold(summary=words.say("fold_table"), blocks=_list_others(others, words)),
    ]


def _tell_one(attempt: Attempt, words: Language, images: int | None) -> Paragraph:
    text = " ".join(filter(None, (tell(attempt, words), tell_mistakes(attempt, words, images))))
    return Paragraph(lead=words.lead(attempt.row.number), text=text)


def _sum_up(alike: Sequence[Attempt], words: Language) -> str:
    """What a row of attempts that improved nothing has to say: how they ended, and how near they came."""
    best = alike[0].before
    states = _count_states(alike, "spent_part", words)
    text = words.say(
        "folded",
        first=words.lead(alike[0].row.number).rstrip("."),
        last=words.trial(alike[-1].row.number),
        attempts=f"{words.count(len(alike), 'attempt')} ({words.joined(states)})",
        best="-" if best is None else words.trial(best.number),
    )
    ended = [attempt.row for attempt in alike if attempt.row.state == "COMPLETE"]
    if not ended:
        return text
    nearest = min(ended, key=lambda row: (row.objective.place(row.value), row.number))
    return f"{text} {words.say('folded_best', trial=words.trial(nearest.number), accuracy=words.figure(nearest.value))}"


def _list_others(others: Sequence[Attempt], words: Language) -> list[Block]:
    ranked = sorted(others, key=lambda a: (a.row.state != "COMPLETE", a.row.objective.place(a.row.value), a.row.number))
    listed = sorted(ranked[:MOST_ROWS], key=lambda a: a.row.number)
    blocks: list[Block] = []
    if len(others) > MOST_ROWS:
        blocks.append(Paragraph(text=words.say("most_accurate", number=MOST_ROWS)))
    rows = [
        (
            str(a.row.number),
            "-" if a.row.value is None else words.figure(a.row.value),
            tell_outcome(a, words),
            list_short_changes(a, words),
        )
        for a in listed
    ]
    headings = tuple(words.say(f"column_{name}") for name in ("trial", "accuracy", "outcome", "changes"))
    return [*blocks, Table(headings=headings, rows=rows, right=frozenset({0, 1}))]


def _count_others(others: Sequence[Attempt], words: Language) -> str:
    states = [attempt.row.state for attempt in others]
    parts = [words.say(f"others_{state}", number=f"{states.count(state):,}") for state in ("COMPLETE", "PRUNED", "FAIL") if state in states]
    return words.say("others", number=f"{len(others):,}", parts=words.joined(parts))


def _count_states(attempts: Sequence[Attempt], key: str, words: Language) -> list[str]:
    states = [attempt.row.state for attempt in attempts]
    return [
        words.say(key, number=f"{states.count(state):,}", ended=words.say(f"ended_{state}"))
        for state in ("COMPLETE", "PRUNED", "FAIL")
        if state in states
    ]
