"""What all pictures share: colours that the colour-blind tell apart, sizes that print, and the way to PNG bytes."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ..language import Language
from .names import find_families

T = TypeVar("T")

# Okabe and Ito, "Color Universal Design", 2008. Line styles and markers differ too, for print without colour.
BLUE, VERMILLION, ORANGE, BLACK = "#0072B2", "#D55E00", "#E69F00", "#000000"
MAP = "cividis"  # of continuous values; reads the same with and without colour-blindness
WIDTH, HEIGHT, DPI = 7.0, 4.2, 150  # inches; fits a printed page's width

STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.linewidth": 2.0,
    "lines.markersize": 6,
    "legend.frameon": True,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "#DDDDDD",
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.parse_math": False,  # a class or study may be named with a dollar sign
}


@contextmanager
def styled() -> Iterator[None]:
    """Within it everything is drawn in our style; nothing outside changes.

    matplotlib does not say there which weight it took in place of a bold one: in the middle of a search that is no news.
    """
    fonts = logging.getLogger("matplotlib.font_manager")
    level = fonts.level
    fonts.setLevel(logging.ERROR)
    try:
        with matplotlib.rc_context({**STYLE, "font.family": list(find_families())}):
            yield
    finally:
        fonts.setLevel(level)


def make_figure(width: float = WIDTH, height: float = HEIGHT) -> Figure:
    """An empty figure, in inches. It belongs to no window: no pyplot, so nothing is left in memory."""
    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def to_png(drawn: Figure) -> bytes:
    """The figure as PNG. Names that are not ours go through `names.py` first, so that a font has all letters."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None}, pil_kwargs={"optimize": True})
    return buffer.getvalue()


def set_percent_axis(axes: Axes, label: str) -> None:
    """Accuracies are fractions in the data and percent on the axis, with decimals where the span asks for them."""
    axes.set_ylabel(label)
    axes.yaxis.set_major_locator(MaxNLocator(nbins="auto", steps=[1, 2, 5, 10]))  # no 62.5, which would read as 62
    low, high = axes.get_ylim()
    digits = 0 if high - low > 0.04 else 1 if high - low > 0.004 else 2
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.{digits}f}"))


def set_value_axis(axes: Axes, words: Language) -> None:
    """The y axis of trials' values: shares in percent, losses as they are."""
    if words.objective.share:
        set_percent_axis(axes, words.say("p_val_axis"))
    else:
        axes.set_ylabel(words.say("p_val_axis"))


def set_log_axis(axes: Axes, low: float, high: float) -> None:
    """A logarithmic x axis with plain numbers, about as many as fit."""
    axes.set_xscale("log")
    subs = (1.0,) if high >= 1000 * low else (1.0, 3.0) if high >= 20 * low else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def set_epoch_axis(axes: Axes, label: str) -> None:
    """Whole numbers along the x axis."""
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def sample(ranked: Sequence[T], count: int) -> list[T]:
    """At most `count`: half from the front, where the best are, and the others evenly from the rest."""
    if len(ranked) <= count:
        return list(ranked)
    front = count // 2
    rest, take = ranked[front:], count - front
    return [*ranked[:front], *(rest[i * len(rest) // take] for i in range(take))]
