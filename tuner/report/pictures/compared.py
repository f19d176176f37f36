"""Networks that were compared: accuracy against what a prediction costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import EngFormatter, MaxNLocator

from ...study.front import find_front
from .names import name_models
from .style import BLACK, BLUE, VERMILLION, make_figure, set_log_axis, set_percent_axis, styled, to_png


def draw_accuracy_against_cost(rows: Sequence[dict[str, Any]]) -> bytes:
    """Top-1 accuracy with its 95 % interval against multiply-accumulates; the ring's area goes with the parameters.

    `rows` are those of `compare.figures.list_results`; one whose name no font here can draw is named by its place among them.
    """
    macs, top1 = [row["macs"] for row in rows], [row["top1"] for row in rows]
    most = max(row["parameters"] for row in rows)
    areas = [60 + 1400 * row["parameters"] / most for row in rows]
    with styled():
        drawn = make_figure()
        axes = drawn.subplots()
        spans = [
            [max(0.0, row["top1"] - row["top1_interval"][0]) for row in rows],
            [max(0.0, row["top1_interval"][1] - row["top1"]) for row in rows],
        ]
        axes.errorbar(macs, top1, yerr=spans, fmt="o", color=BLUE, capsize=3, linewidth=1.4, label="top-1, 95 % interval", zorder=3)
        axes.scatter(
            macs,
            top1,
            s=areas,
            facecolors="none",
            edgecolors=VERMILLION,
            linewidths=1.0,
            label="area: parameters",
            zorder=2,
        )
        border = find_front(list(zip(macs, top1, strict=True)))
        if len(border) > 1:
            xs, ys = zip(*border, strict=True)
            axes.plot(xs, ys, color=BLACK, linestyle=":", linewidth=1.5, label="none cheaper is better", zorder=1)
        # Above and below in turn: networks that cost about the same would write over each other.
        named = zip(rows, areas, name_models([row["model"] for row in rows]), strict=True)
        for place, (row, area, name) in enumerate(sorted(named, key=lambda each: each[0]["macs"])):
            radius = math.sqrt(area / math.pi) + 4
            above = place % 2 == 1
            axes.annotate(
                name,
                (row["macs"], row["top1"]),
                xytext=(0, radius if above else -radius),
                textcoords="offset points",
                ha="center",
                va="bottom" if above else "top",
                fontsize=9,
                zorder=5,
            )
        axes.set_title("Accuracy against cost")
        axes.set_xlabel("Multiply-accumulates an image")
        axes.margins(0.18)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
        if max(macs) >= 3 * min(macs):
            set_log_axis(axes, min(macs), max(macs))
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        set_percent_axis(axes, "Top-1 accuracy (%)")
        axes.legend(loc="best", markerscale=0.4)
        return to_png(drawn)
