"""The front of a study of two objectives: where accuracy is had for no less."""

from __future__ import annotations

from collections.abc import Sequence

from ..study.front import find_front_rows
from ..study.study import Study
from ..study.trials import TrialRow
from .blocks import Block, Heading, Paragraph, Picture, Table
from .language import Language
from .pictures.cost import draw_front

MOST_ROWS = 40


def write_front(study: Study, everything: Sequence[TrialRow], words: Language, drawn: Language) -> list[Block]:
    """In words, as a picture and as a table; nothing for a study of accuracy alone."""
    cost = study.config.cost
    if cost is None or not (front := find_front_rows(everything, cost)):
        return []
    name = words.say(f"cost_{cost}")
    png = draw_front(everything, cost, drawn)
    first, last = front[0], front[-1]
    told = words.say(
        "front_text" if len(front) > 1 else "front_one",
        number=len(front),
        cost=name,
        first=words.trial(first.number),
        first_accuracy=words.percent(first.value),
        first_cost=_format(first, cost),
        last=words.trial(last.number),
        last_accuracy=words.percent(last.value),
        last_cost=_format(last, cost),
    )
    rows = [(str(row.number), words.percent(row.value), _format(row, cost)) for row in front[-MOST_ROWS:]]
    headings = (words.say("column_trial"), words.say("column_accuracy"), words.say(f"column_{cost}"))
    return [
        Heading(text=words.say("front")),
        Paragraph(text=f"{told} {words.say('front_rule', cost=name)}"),
        *([] if png is None else [Picture(name="front", png=png, caption=words.say("front_caption", cost=name))]),
        Table(headings=headings, rows=rows, right=frozenset({0, 1, 2})),
    ]


def _format(row: TrialRow, cost: str) -> str:
    found = row.run[cost]
    return f"{found:.3g}" if cost == "milliseconds" else f"{found:,}"
