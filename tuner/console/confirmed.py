"""A study's confirmation as tables, as a verdict in a sentence, and as plain facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from ..study.confirmation import Confirmed, Result, find_confirmation, read_result
from ..study.contestants import Plan
from ..study.paired import Difference
from ..study.study import Study
from .narrow import print_table
from .text import open_console

SMALLER = 0.9  # of the winner's parameters: from there on a network is worth naming for its size

# The sentences of a verdict. A report in another language has the same ones (`report/languages/confirmation.py`).
TEXTS = {
    "trial": "trial {number}",
    "trials": "trials {numbers}",
    "start_row": "the start row (trial {number})",
    "and": "{first} and {last}",
    "points": "{gap} ± {half} points",
    "better": "{better} is better than {worse} by {points}",
    "tied": "{all} cannot be told apart",
    "tied_by": "{all} cannot be told apart ({points})",
    "tied_with": "{others} cannot be told apart from {best}",
    "smaller": "{trial} has {share} % of the parameters of {best}",
    "alone": "there is nothing to compare {best} with",
    "left_out": "{trial} is left out: {times} of its {seeds} trainings {outcome}",
    "diverged": "diverged",
    "out_of_memory": "ran out of memory",
    "other": "did not end",
    "nobody": "no configuration was trained to its end on every seed",
    "between": "; ",
    "sentence": "{text}.",
    "method": "Means over {seeds} further seeds, each with a validation part of its own ({share} of the images) that all share. Intervals "
    "of 95 % by the corrected resampled t (Nadeau and Bengio). Differences are paired by seed; their intervals hold all at once "
    "(Tukey's range test, {pairs} pairs).",
    "method_pair": "Means over {seeds} further seeds, each with a validation part of its own ({share} of the images) that both share. "
    "Intervals of 95 % by the corrected resampled t (Nadeau and Bengio), of the difference paired by seed.",
    "method_alone": "The mean over {seeds} further seeds, each with a validation part of its own ({share} of the images). "
    "Interval of 95 % by the corrected resampled t (Nadeau and Bengio).",
}


def name_contestants(plan: Plan) -> str:
    """`trials 9 and 14 and the start row (trial 0)`."""
    trials = [str(each.trial) for each in plan.contestants if not each.start]
    names = [TEXTS["trial" if len(trials) == 1 else "trials"].format(number=trials[0], numbers=_join(trials, TEXTS))] if trials else []
    names += [TEXTS["start_row"].format(number=each.trial) for each in plan.contestants if each.start]
    return " and ".join(names)


def tell_verdict(found: Result, texts: Mapping[str, str] = TEXTS) -> str:
    """Who is better than whom by how much, and who cannot be told apart, in one sentence."""
    best = found.winner
    left_out = [_tell_left_out(each, found, texts) for each in found.contestants if each.mean is None]
    if best is None:
        parts = [texts["nobody"]]
    else:
        parts = [*_compare_with_start(found, best, texts), *_compare_others(found, best, texts), *_name_smaller(found, best, texts)]
        parts = parts or [texts["alone"].format(best=_name(best, found, texts))]
    text = texts["sentence"].format(text=texts["between"].join([*parts, *left_out]))
    return text[:1].upper() + text[1:]


def list_tied(found: Result) -> list[int]:
    """The trials that cannot be told apart from the one of the highest mean, the start row among them, the higher mean first."""
    best = found.winner
    if best is None:
        return []
    others = [each.number for each in found.contestants if each.mean is not None and each.number != best]
    return [number for number in others if not found.compare(best, number).is_real]


def _compare_with_start(found: Result, best: int, texts: Mapping[str, str]) -> list[str]:
    start = found.start
    if start is None or start == best or found.find(start).mean is None:
        return []
    difference = found.compare(best, start)
    names = [_name(best, found, texts), _name(start, found, texts)]
    if difference.is_real:
        return [texts["better"].format(better=names[0], worse=names[1], points=tell_points(difference, texts))]
    return [texts["tied_by"].format(all=_join(names, texts), points=tell_points(difference, texts))]


def _compare_others(found: Result, best: int, texts: Mapping[str, str]) -> list[str]:
    """The contestants but the start row, beside the best."""
    others = [each.number for each in found.contestants if each.mean is not None and each.number not in (best, found.start)]
    tied = [number for number in others if not found.compare(best, number).is_real]
    parts = []
    if tied:
        alike = all(not found.compare(first, second).is_real for first in tied for second in tied if first != second)
        if alike:
            parts.append(texts["tied"].format(all=_name_all([best, *tied], found, texts)))
        else:
            parts.append(texts["tied_with"].format(others=_name_all(tied, found, texts), best=_name(best, found, texts)))
    for number in others:
        if number not in tied:
            points = tell_points(found.compare(best, number), texts)
            parts.append(texts["better"].format(better=_name(best, found, texts), worse=_name(number, found, texts), points=points))
    return parts


def _name_smaller(found: Result, best: int, texts: Mapping[str, str]) -> list[str]:
    """Of those that cannot be told apart from the best the one with the fewest parameters, where these are clearly fewer."""
    sizes = {number: found.find(number).parameters for number in [best, *list_tied(found)]}
    whole = sizes[best]
    known = {number: size for number, size in sizes.items() if size is not None}
    if not whole or not known:
        return []
    least = min(known, key=lambda number: known[number])
    if known[least] > SMALLER * whole:
        return []
    share = f"{100 * known[least] / whole:.0f}"
    return [texts["smaller"].format(trial=_name(least, found, texts), share=share, best=_name(best, found, texts))]


def _tell_left_out(each: Confirmed, found: Result, texts: Mapping[str, str]) -> str:
    outcome = texts.get(each.left_out[0], texts["other"])
    return texts["left_out"].format(trial=_name(each.number, found, texts), times=len(each.left_out), seeds=found.seeds, outcome=outcome)


def tell_points(difference: Difference, texts: Mapping[str, str] = TEXTS) -> str:
    """`2.10 ± 0.60 points`."""
    return texts["points"].format(gap=f"{100 * difference.gap:.2f}", half=f"{100 * difference.half:.2f}")


def tell_method(found: Result, texts: Mapping[str, str] = TEXTS) -> str:
    """How the intervals were made."""
    share = f"{100 * found.validation / (found.train + found.validation):.0f} %"
    key = "method" if len(found.differences) > 1 else "method_pair" if found.differences else "method_alone"
    return texts[key].format(seeds=found.seeds, share=share, pairs=len(found.differences))


def _name(number: int, found: Result, texts: Mapping[str, str]) -> str:
    return texts["start_row" if number == found.start else "trial"].format(number=number)


def _name_all(numbers: Sequence[int], found: Result, texts: Mapping[str, str]) -> str:
    """`trial 9`, `trials 9, 14 and 17`, `the start row (trial 0) and trial 9`."""
    if len(numbers) == 1 or found.start in numbers:
        return _join([_name(number, found, texts) for number in numbers], texts)
    return texts["trials"].format(numbers=_join([str(number) for number in numbers], texts))


def _join(parts: Sequence[str], texts: Mapping[str, str]) -> str:
    return parts[0] if len(parts) == 1 else texts["and"].format(first=", ".join(parts[:-1]), last=parts[-1])


def describe_confirmation(study: Study) -> list[str]:
    """The verdict of the study's confirmation, or how far it has come; nothing where it has none."""
    confirmation = find_confirmation(study)
    if confirmation is None:
        return []
    found = read_result(confirmation)
    if found is None:
        return [_describe_standing(confirmation)]
    return [f"Confirmed on {found.seeds} further seeds: {tell_verdict(found)}"]


def _describe_standing(confirmation: Study) -> str:
    counts = confirmation.leases.counts()
    return f"Its confirmation is not finished: {counts.finished} of {counts.n_trials} trainings."


def print_confirmation(study: Study) -> None:
    """The means, the differences, how they were found, and the verdict."""
    confirmation = find_confirmation(study)
    found = None if confirmation is None else read_result(confirmation)
    console = open_console()
    if found is None:
        for line in describe_confirmation(study):
            console.print(line, highlight=False)
        return
    print_table(console, _make_means(study, found))
    if found.differences:
        print_table(console, _make_differences(found))
    console.print(tell_method(found), highlight=False)
    console.print(tell_verdict(found), highlight=False)


def _make_means(study: Study, found: Result) -> Table:
    title = f"Confirmation of study {study.name}, {found.seeds} further seeds"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for heading in ("trial", "", f"mean {study.objective.title}", "95 % interval", "parameters"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    table.add_column("at each seed", overflow="fold")
    for each in found.contestants:
        mean = ("-", "-") if each.mean is None else (f"{each.mean.value:.4f}", f"{each.mean.low:.4f}-{each.mean.high:.4f}")
        size = "-" if each.parameters is None else f"{each.parameters:,}"
        values = " ".join([*(f"{value:.4f}" for value in each.values), *each.left_out])
        table.add_row(str(each.number), "start row" if each.start else "", *mean, size, values)
    return table


def _make_differences(found: Result) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("difference", "points", "95 % interval", "p"):
        table.add_column(heading, justify="left" if heading == "difference" else "right", no_wrap=True)
    for each in rank_differences(found):
        gap, low, high, p = list_figures(each)
        table.add_row(f"trial {each.first} - trial {each.second}", gap, f"{low} to {high}", p)
    return table


def rank_differences(found: Result) -> list[Difference]:
    """Those with the trial of the highest mean first, then those with the next one, and so on."""
    place = {each.number: index for index, each in enumerate(found.contestants)}
    return sorted(found.differences, key=lambda each: (place[each.first], place[each.second]))


def list_figures(each: Difference) -> tuple[str, str, str, str]:
    """The difference, the ends of its interval, all in points, and p, as tables have them."""
    low, high = 100 * (each.gap - each.half), 100 * (each.gap + each.half)
    return f"{100 * each.gap:+.2f}", f"{low:+.2f}", f"{high:+.2f}", f"{each.p:.3f}" if each.p >= 0.001 else "< 0.001"


def collect_confirmation(study: Study) -> dict[str, Any] | None:
    """The confirmation for machines: accuracies and their differences are fractions. None where the study has none."""
    confirmation = find_confirmation(study)
    if confirmation is None:
        return None
    assert confirmation.plan is not None
    counts, found = confirmation.leases.counts(), read_result(confirmation)
    facts: dict[str, Any] = {
        "study": confirmation.name,
        "seeds": confirmation.plan.seeds,
        "n_trials": counts.n_trials,
        "finished": counts.finished,
        "winner": None,
        "verdict": None,
        "method": None,
        "trials": [],
        "differences": [],
    }
    if found is None:
        return facts
    return facts | {
        "winner": found.winner,
        "verdict": tell_verdict(found),
        "method": tell_method(found),
        "trials": [
            {
                "number": each.number,
                "start": each.start,
                "values": list(each.values),
                "mean": None if each.mean is None else each.mean.value,
                "interval": None if each.mean is None else [each.mean.low, each.mean.high],
                "parameters": each.parameters,
                "left_out": list(each.left_out),
            }
            for each in found.contestants
        ],
        "differences": [
            {
                "first": each.first,
                "second": each.second,
                "difference": each.gap,
                "interval": [each.gap - each.half, each.gap + each.half],
                "p": each.p,
                "told_apart": each.is_real,
            }
            for each in rank_differences(found)
        ],
    }
