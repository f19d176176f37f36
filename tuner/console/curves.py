"""Accuracy curves drawn in the terminal, in dots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count

import plotille
from rich.console import Console
from rich.text import Text

STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)  # of the value from line to line; above the last each is twice the one before
LINES = 20  # at most
TICKS = 7  # of the epochs, at most, and fewer where the terminal is narrow; ten columns each
COLUMNS = 10
MARGIN = 10  # columns beside the curves: labels, axes, and the last tick's digits


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Values of epochs from 1 on, shares as fractions. Without a name it is not in the legend."""

    values: Sequence[float]
    colour: str
    name: str = ""


def draw(console: Console, title: str, curves: Sequence[Curve], *, share: bool = True) -> None:
    """The curves, the last one on top, with axes that count in whole epochs and round percents, or round losses where they are no
    shares. Nothing where none has a point."""
    curves = [curve for curve in curves if curve.values and all(map(math.isfinite, curve.values))]
    if not curves:
        return
    every = [value for curve in curves for value in curve.values]
    epochs = max(len(curve.values) for curve in curves)
    low, high, step = _round_range(min(every), max(every))
    most = max(1, min(TICKS, (console.width - MARGIN) // COLUMNS))
    stride = math.ceil(max(epochs - 1, 1) / most)
    ticks = math.ceil(max(epochs - 1, 1) / stride)
    figure = plotille.Figure()
    figure.width, figure.height = COLUMNS * ticks, round((high - low) / step)
    figure.set_x_limits(1, 1 + stride * ticks)
    figure.set_y_limits(low, high)
    figure.x_label, figure.y_label = "epoch", "%" if share else "loss"
    figure.color_mode = "names"
    figure.with_colors = console.color_system is not None
    figure.x_ticks_fkt = lambda value, _: f"{value:.0f}"
    scale = 100 if share else 1
    digits = max(0, -math.floor(math.log10(scale * step)))
    figure.y_ticks_fkt = lambda value, _: f"{scale * value:5.{digits}f}"
    for curve in curves:
        (figure.plot if len(curve.values) > 1 else figure.scatter)(
            list(range(1, len(curve.values) + 1)), list(curve.values), lc=curve.colour
        )
    legend = Text("  ").join(Text(f"⠤⠤ {curve.name}", style=curve.colour) for curve in curves if curve.name)
    console.print(Text(title, style="bold"), legend, sep="  ")
    console.print(Text.from_ansi(figure.show()), highlight=False, no_wrap=True, crop=True)


def _round_range(low: float, high: float) -> tuple[float, float, float]:
    """The range on round figures, and the step of a line."""
    for step in chain(STEPS, (STEPS[-1] * 2**doublings for doublings in count(1))):
        first, last = math.floor(low / step), math.ceil(high / step)
        last = max(last, first + 2)
        if last - first <= LINES:
            break
    return first * step, last * step, step
