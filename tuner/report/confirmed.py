"""What was confirmed on further seeds: the verdict, the means, the differences, and how they were found."""

from __future__ import annotations

from collections.abc import Mapping

from ..console.confirmed import list_figures, rank_differences, tell_method, tell_verdict
from ..study.confirmation import Confirmed, Result, find_confirmation, read_result
from ..study.paired import Difference
from ..study.study import Study
from .blocks import Block, Heading, Paragraph, Table
from .language import Language
from .languages.confirmation import CONFIRMATION


def write_confirmation(study: Study, words: Language) -> list[Block]:
    """The whole section; empty for a study that has no confirmation."""
    confirmation = find_confirmation(study)
    if confirmation is None:
        return []
    texts, found = CONFIRMATION[words.code], read_result(confirmation)
    if found is None:
        counts = confirmation.leases.counts()
        told = texts["unfinished"].format(finished=counts.finished, total=counts.n_trials)
        return [Heading(text=texts["heading"]), Paragraph(text=told)]
    return [
        Heading(text=texts["heading"]),
        Paragraph(text=tell_verdict(found, texts)),
        _list_means(found, texts, words),
        *([_list_differences(found, texts)] if found.differences else []),
        Paragraph(text=tell_method(found, texts)),
    ]


def _list_means(found: Result, texts: Mapping[str, str], words: Language) -> Table:
    names = ("trial", "mean", "interval", "parameters", "seeds")
    rows = [_list_cells(each, texts, words) for each in found.contestants]
    return Table(headings=tuple(texts[f"column_{name}"] for name in names), rows=rows, right=frozenset({1, 2, 3}))


def _list_cells(each: Confirmed, texts: Mapping[str, str], words: Language) -> tuple[str, ...]:
    mean, interval = "-", "-"
    if each.mean is not None:
        mean = words.percent(each.mean.value)
        interval = texts["interval"].format(low=words.percent(each.mean.low), high=words.percent(each.mean.high))
    left_out = [texts.get(outcome, texts["other"]) for outcome in each.left_out]
    seeds = ", ".join([*(f"{100 * value:.2f}" for value in each.values), *left_out])
    number = texts["row_start" if each.start else "row"].format(number=each.number)
    return number, mean, interval, "-" if each.parameters is None else f"{each.parameters:,}", seeds


def _list_differences(found: Result, texts: Mapping[str, str]) -> Table:
    def cells(each: Difference) -> tuple[str, ...]:
        gap, low, high, p = list_figures(each)
        names = [texts["trial"].format(number=number) for number in (each.first, each.second)]
        return " - ".join(names), gap, texts["interval"].format(low=low, high=high), p

    names = ("difference", "points", "interval", "p")
    rows = [cells(each) for each in rank_differences(found)]
    return Table(headings=tuple(texts[f"column_{name}"] for name in names), rows=rows, right=frozenset({1, 2, 3}))
