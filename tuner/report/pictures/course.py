"""The course of the best value over a search."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from matplotlib.ticker import MaxNLocator

from ...study.trials import TrialRow
from ..language import Language
from ..languages.en import ENGLISH
from .style import BLUE, ORANGE, VERMILLION, make_figure, set_value_axis, styled, to_png


def draw_course(rows: Sequence[TrialRow], words: Language = ENGLISH) -> bytes | None:
    """Each trial's value by number, and the best of the COMPLETE ones up to there; None with fewer than two of them."""
    complete = [(row.number, row.value) for row in rows if row.state == "COMPLETE" and row.value is not None]
    pruned = [(row.number, row.value) for row in rows if row.state == "PRUNED" and row.value is not None]
    if len(complete) < 2:
        return None
    size = 30 if len(rows) <= 200 else 8
    with styled():
        drawn = make_figure(height=3.4)
        axes = drawn.subplots()
        for points, mark, colour, key in ((pruned, "x", ORANGE, "p_pruned"), (complete, "o", BLUE, "p_complete")):
            if points:
                xs, ys = zip(*points, strict=True)
                label = words.say("p_number", name=words.say(key), number=f"{len(points):,}")
                axes.scatter(xs, ys, s=size, marker=mark, color=colour, alpha=0.7, linewidths=1.2 if mark == "x" else 0, label=label)
        numbers = [number for number, _ in complete]
        best = list(accumulate((value for _, value in complete), lambda *two: words.objective.find_best(two)))
        axes.step([*numbers, rows[-1].number], [*best, best[-1]], where="post", color=VERMILLION, label=words.say("p_best_so_far"))
        axes.set_title(words.say("p_course"))
        axes.set_xlabel(words.say("p_trial"))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        set_value_axis(axes, words)
        drawn.legend(loc="outside lower right", ncols=3)
        return to_png(drawn)
