"""What a value costs: against the network's parameters, and against the seconds of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter

from ...study.front import find_front
from ...study.trials import TrialRow
from ..language import Language
from ..languages.en import ENGLISH
from .style import BLACK, BLUE, ORANGE, VERMILLION, make_figure, set_log_axis, set_value_axis, styled, to_png


def count_parameters(row: TrialRow) -> float | None:
    """How many parameters the trial's network has."""
    count = row.run.get("parameters")
    return float(count) if count else None


def count_seconds(row: TrialRow) -> float | None:
    """Training and validation time of the trial."""
    return row.seconds or None


def draw_against_parameters(rows: Sequence[TrialRow], words: Language = ENGLISH) -> bytes | None:
    """Values against parameters; None where no trial has both."""
    return _scatter(rows, count_parameters, "size", words)


def draw_against_seconds(rows: Sequence[TrialRow], words: Language = ENGLISH) -> bytes | None:
    """Values against training time; None where no trial has both."""
    return _scatter(rows, count_seconds, "time", words)


def draw_front(rows: Sequence[TrialRow], cost: str, words: Language = ENGLISH) -> bytes | None:
    """Accuracy against a cost of `config/limits.py`, with the front as a line; None where no trial has both."""
    return _scatter(rows, lambda row: row.run.get(cost), cost, words)


def _scatter(rows: Sequence[TrialRow], cost: Callable[[TrialRow], float | None], kind: str, words: Language) -> bytes | None:
    points = {
        state: [(c, r.value) for r in rows if r.state == state and r.value is not None and (c := cost(r))]
        for state in ("COMPLETE", "PRUNED")
    }
    complete = points["COMPLETE"]
    if not complete:
        return None
    size = 40 if len(rows) <= 200 else 12
    with styled():
        drawn = make_figure()
        axes = drawn.subplots()
        if points["PRUNED"]:
            xs, ys = zip(*points["PRUNED"], strict=True)
            axes.scatter(xs, ys, s=size, marker="x", color=ORANGE, linewidths=1.4, label=_count(len(xs), "p_pruned", words), zorder=2)
        xs, ys = zip(*complete, strict=True)
        axes.scatter(xs, ys, s=size, marker="o", color=BLUE, alpha=0.7, linewidths=0, label=_count(len(xs), "p_complete", words), zorder=3)
        border = find_front(complete, words.objective)
        if len(border) > 1:
            xs, ys = zip(*border, strict=True)
            axes.plot(xs, ys, color=BLACK, linestyle=":", linewidth=1.5, label=words.say("p_front"), zorder=4)
        top = min(complete, key=lambda point: words.objective.place(point[1]))
        axes.scatter(*top, s=170, marker="*", color=VERMILLION, edgecolors="white", linewidths=0.8, label=words.say("p_the_best"), zorder=5)
        axes.set_title(words.say(f"p_{kind}"))
        _cost_axis(axes, [x for group in points.values() for x, _ in group], words.say(f"p_{kind}_axis"))
        set_value_axis(axes, words)
        axes.legend(loc="best")
        return to_png(drawn)


def _count(number: int, key: str, words: Language) -> str:
    return words.say("p_number", name=words.say(key), number=f"{number:,}")


def _cost_axis(axes: Axes, values: Sequence[float], label: str) -> None:
    """Logarithmic where the costs span a factor of three or more."""
    axes.set_xlabel(label)
    if max(values) >= 3 * min(values):
        set_log_axis(axes, min(values), max(values))
    if min(values) >= 1000:
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
