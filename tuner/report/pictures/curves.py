"""Loss and accuracy per epoch."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from ...study.trials import TrialRow
from ..language import Language
from ..languages.en import ENGLISH
from .style import BLUE, ORANGE, VERMILLION, make_figure, sample, set_epoch_axis, set_percent_axis, set_value_axis, styled, to_png

MOST_CURVES = 200


def draw_loss_curve(row: TrialRow, words: Language = ENGLISH) -> bytes:
    """Loss per epoch of one trial, training and validation part together."""
    return _one(row, "loss", words)


def draw_accuracy_curve(row: TrialRow, words: Language = ENGLISH) -> bytes:
    """Accuracy per epoch of one trial, training and validation part together."""
    return _one(row, "accuracy", words)


def draw_learning_curve(row: TrialRow, words: Language = ENGLISH) -> bytes:
    """Both, side by side: one picture to keep with the trial."""
    with styled():
        drawn = make_figure(10.0, 4.2)
        for axes, kind in zip(drawn.subplots(1, 2), ("loss", "accuracy"), strict=True):
            _draw(axes, row, kind, words)
        return to_png(drawn)


def _one(row: TrialRow, kind: str, words: Language) -> bytes:
    with styled():
        drawn = make_figure()
        _draw(drawn.subplots(), row, kind, words)
        return to_png(drawn)


def _draw(axes: Axes, row: TrialRow, kind: str, words: Language) -> None:
    epochs = [epoch["epoch"] for epoch in row.epochs]
    training, validation = words.say("p_training"), words.say("p_validation")
    axes.plot(epochs, [epoch[f"train_{kind}"] for epoch in row.epochs], color=BLUE, marker="o", label=training)
    axes.plot(epochs, [epoch[f"val_{kind}"] for epoch in row.epochs], color=VERMILLION, marker="s", linestyle="--", label=validation)
    axes.set_title(words.say(f"p_{kind}", trial=words.trial(row.number)))
    set_epoch_axis(axes, words.say("p_epoch"))
    if kind == "accuracy":
        set_percent_axis(axes, words.say("p_accuracy_axis"))
    else:
        axes.set_ylabel(words.say("p_loss_axis"))
    axes.legend()


def choose_curves(having: Sequence[TrialRow], count: int) -> tuple[list[TrialRow], list[TrialRow]]:
    """At most `count` trials, COMPLETE ones and others apart, so that there are some of each."""
    complete = [row for row in having if row.state == "COMPLETE"]
    other = [row for row in having if row.state != "COMPLETE"]
    room = max(count // 2, count - len(other))
    return sample(complete, room), sample(other, count - min(room, len(complete)))


def draw_all_curves(ranked: Sequence[TrialRow], words: Language = ENGLISH) -> bytes:
    """The objective per epoch of all trials, best first in `ranked`; pruned ones set apart, the first one on top."""
    having = [row for row in ranked if row.epochs]
    complete, other = choose_curves(having, MOST_CURVES)
    shown = [*complete, *other]
    with styled():
        drawn = make_figure()
        axes = drawn.subplots()
        strength = 0.75 if len(shown) <= 30 else 0.4
        handles = []
        for group, name, colour, style, mark in (
            (complete, words.say("p_complete"), BLUE, "-", "o"),
            (other, words.say("p_unfinished"), ORANGE, "--", "x"),
        ):
            if not group:
                continue
            lines = [list(enumerate(row.curve, start=1)) for row in group]
            axes.add_collection(LineCollection(lines, colors=colour, linewidths=1.1, linestyles=style, alpha=strength))
            ends = [line[-1] for line in lines]
            axes.plot([x for x, _ in ends], [y for _, y in ends], mark, color=colour, markersize=4, alpha=min(1.0, strength + 0.2))
            total = sum((row.state == "COMPLETE") == (group is complete) for row in having)
            handles.append(
                Line2D(
                    [],
                    [],
                    color=colour,
                    linestyle=style,  # type: ignore[arg-type]
                    marker=mark,
                    markersize=4,
                    label=words.say("p_number", name=name, number=f"{total:,}"),
                )
            )
        if complete:
            top = complete[0]
            axes.plot([e["epoch"] for e in top.epochs], top.curve, color=VERMILLION, linewidth=2.6, marker="D")
            handles.append(
                Line2D([], [], color=VERMILLION, linewidth=2.6, marker="D", label=words.say("p_best", trial=words.trial(top.number)))
            )
        axes.autoscale_view()
        axes.margins(x=0.03)
        key = "p_curves_some" if len(shown) < len(having) else "p_curves"
        axes.set_title(words.say(key, shown=f"{len(shown):,}", number=f"{len(having):,}"))
        set_epoch_axis(axes, words.say("p_epoch"))
        set_value_axis(axes, words)
        axes.legend(handles=handles, loc="upper right" if words.objective.minimized else "lower right")
        return to_png(drawn)
