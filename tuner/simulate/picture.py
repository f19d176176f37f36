"""A simulation as a picture: what each pruner costs, and what it loses."""

from __future__ import annotations

from collections.abc import Sequence

from ..report.pictures.style import BLACK, BLUE, ORANGE, VERMILLION, make_figure, styled, to_png
from .costs import Estimate
from .run import Row

MARKS = ((BLUE, "o"), (VERMILLION, "s"), (ORANGE, "^"), (BLACK, "D"), (BLUE, "v"), (VERMILLION, "P"))


def draw_costs(rows: Sequence[Row]) -> bytes:
    """Points lost against the share of epochs, a mark a pruner and set of curves, with 95 % intervals. PNG.

    With several numbers of workers the first one is drawn.
    """
    shown = [row for row in rows if row.workers == rows[0].workers]
    pruners = list(dict.fromkeys(row.pruner for row in shown))
    with styled():
        drawn = make_figure()
        axes = drawn.subplots()
        for pruner, (colour, mark) in zip(pruners, [MARKS[i % len(MARKS)] for i in range(len(pruners))], strict=True):
            own = [row for row in shown if row.pruner == pruner]
            axes.errorbar(
                [row.share.mean for row in own],
                [row.points.mean for row in own],
                xerr=_reach([row.share for row in own]),
                yerr=_reach([row.points for row in own]),
                fmt=mark,
                color=colour,
                linewidth=1.0,
                capsize=2,
                label=pruner,
            )
        axes.set_xlim(0, 1.05)
        axes.set_ylim(bottom=-0.02 * axes.get_ylim()[1])
        axes.set_xlabel("Share of the epochs of training all to their end")
        axes.set_ylabel("Points lost (hundredths of a trial's value)")
        axes.set_title("What pruning costs, and what it loses")
        axes.legend()
        return to_png(drawn)


def _reach(estimates: Sequence[Estimate]) -> list[list[float]]:
    """How far each interval reaches below and above its mean."""
    spans = [(max(0.0, each.mean - each.low), max(0.0, each.high - each.mean)) for each in estimates]
    return [[low for low, _ in spans], [high for _, high in spans]]
