"""What the searched hyper-parameters did: importances, parallel coordinates, slices."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize

from ...config.dimension import Choice, Dimension, place_value
from ...config.hyperparameters import find_option, find_width_pattern
from ...study.study import Study
from ...study.trials import TrialRow
from ..language import Language
from ..languages.en import ENGLISH
from .style import BLUE, MAP, ORANGE, VERMILLION, make_figure, sample, set_log_axis, set_value_axis, styled, to_png

FEWEST_TRIALS = 10  # COMPLETE ones, below which importances are chance
MOST_LINES = 300
MOST_BARS, MOST_AXES, MOST_SLICES = 15, 8, 12


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A dimension as an axis from 0 to 1: where each value lies, and which values are named."""

    dimension: Dimension
    name: str

    def place(self, value: Any) -> float:
        if isinstance(self.dimension, Choice):
            values = list(self.dimension.values)
            return values.index(value) / max(1, len(values) - 1) if len(values) > 1 else 0.5
        return place_value(value, self.dimension)

    def ticks(self) -> list[tuple[float, str]]:
        if isinstance(self.dimension, Choice):
            return [(self.place(value), str(value)) for value in self.dimension.values]
        low, high = self.dimension.low, self.dimension.high
        if self.dimension.log:
            first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
            values = [10.0**power for power in range(first, last + 1)]
        else:
            step = self.dimension.step or (1 if isinstance(low, int) else None)
            parts = round((high - low) / step) if step else 4
            parts = parts if parts <= 6 else next((n for n in (4, 5, 3, 6) if parts % n == 0), 1) if step else 4
            values = [low + (high - low) * part / parts for part in range(parts + 1)]
        return [(self.place(value), f"{value:g}") for value in dict.fromkeys([low, *values, high] if len(values) < 2 else values)]


def name_parameter(name: str, words: Language) -> str:
    """A hyper-parameter's name for people: `batch size`, `width of *.n1x1 (factor)`."""
    pattern = find_width_pattern(name)
    if (option := find_option(name)) is not None:
        return words.say("option_of", option=option)
    return words.term(name) if pattern is None else words.say("p_width", pattern=pattern)


def list_scales(study: Study) -> list[Scale]:
    """The searched dimensions that hold more than one value, in the order of the study file."""
    found = [Scale(name=name, dimension=dimension) for name, dimension in study.config.drawn.items()]
    return [s for s in found if (len(s.dimension.values) > 1 if isinstance(s.dimension, Choice) else s.dimension.low < s.dimension.high)]


def find_importances(study: Study) -> Mapping[str, float]:
    """Shares of the importance by hyper-parameter, greatest first; empty where there is too little to tell.

    PED-ANOVA: how far the best tenth of the COMPLETE trials differs from all of them in each hyper-parameter. What only some
    trials have is left out, because Optuna would leave out the others.
    """
    complete = [trial for trial in study.frozen_trials() if trial.state is optuna.trial.TrialState.COMPLETE]
    names = [s.name for s in list_scales(study) if not s.dimension.when and any(s.name in trial.params for trial in complete)]
    if len(complete) < FEWEST_TRIALS or len(names) < 2:
        return {}
    target = None if study.config.cost is None else lambda trial: -float(trial.values[0])  # for accuracy; lower is better there
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = optuna.importance.get_param_importances(
                study.optuna_study(), evaluator=optuna.importance.PedAnovaImportanceEvaluator(), params=names, target=target
            )
        except (ValueError, RuntimeError):  # all values equal, or each seen once
            return {}
    return found if sum(found.values()) > 0 and all(math.isfinite(v) for v in found.values()) else {}


def choose_foremost(study: Study, shares: Mapping[str, float], count: int) -> list[Scale]:
    """The searched dimensions, in the order of the study file; of more than `count` those of the greatest importance."""
    searched = list_scales(study)
    if len(searched) <= count:
        return searched
    ranked = sorted(searched, key=lambda s: -shares.get(s.name, 0.0))[:count]
    return [s for s in searched if s in ranked]


def draw_importance_bars(shares: Mapping[str, float], words: Language = ENGLISH) -> bytes:
    """A bar a hyper-parameter, the greatest first; of many the last bar is all others together."""
    if len(shares) > MOST_BARS:
        rest = len(shares) - MOST_BARS + 1
        first = dict(list(shares.items())[: MOST_BARS - 1])
        named = {name_parameter(name, words): share for name, share in first.items()}
        return _bars(named | {words.say("p_others", number=rest): 1 - sum(first.values())}, words)
    return _bars({name_parameter(name, words): share for name, share in shares.items()}, words)


def _bars(shares: Mapping[str, float], words: Language) -> bytes:
    names = list(shares)[::-1]
    with styled():
        drawn = make_figure(height=1.2 + 0.38 * len(names))
        axes = drawn.subplots()
        axes.barh(names, [100 * shares[name] for name in names], color=BLUE, height=0.62)
        for place, name in enumerate(names):
            axes.text(100 * shares[name] + 0.8, place, f"{100 * shares[name]:.0f}", va="center")
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0, 100 * max(shares.values()) * 1.12)
        axes.set_xlabel(words.say("p_importance_axis"))
        axes.set_title(words.say("p_importances"))
        return to_png(drawn)


def draw_parallel_coordinates(axes_of: Sequence[Scale], ranked: Sequence[TrialRow], words: Language = ENGLISH) -> bytes | None:
    """A line a COMPLETE trial across its hyper-parameters, coloured by value; None with fewer than two of either.

    What only some trials have is no axis: no line could cross it.
    """
    axes_of = [axis for axis in axes_of if not axis.dimension.when]
    rows = [row for row in ranked if row.state == "COMPLETE" and row.value is not None and _fits(row, axes_of)]
    if len(axes_of) < 2 or len(rows) < 2:
        return None
    shown = sample(rows, MOST_LINES)
    minimized, scale = words.objective.minimized, 100 if words.objective.share else 1
    values = np.array([scale * (row.value or 0) for row in shown])
    # The worst tenth would take most of the colours, while all that matters lies near the best.
    worst, top = float(np.quantile(values, 0.9 if minimized else 0.1)), float(values.min() if minimized else values.max())
    worst = worst if worst != top else worst + (1 if minimized else -1)
    norm, colours = Normalize(min(worst, top), max(worst, top)), f"{MAP}_r" if minimized else MAP
    lines = [[(place, s.place(row.params[s.name])) for place, s in enumerate(axes_of)] for row in shown]
    with styled():
        drawn = make_figure(max(7.0, 1.35 * len(axes_of) + 1.5), 4.4)
        axes = drawn.subplots()
        axes.grid(visible=False)
        worst_first = slice(None, None, -1)
        axes.add_collection(
            LineCollection(lines[worst_first], array=values[worst_first], cmap=colours, norm=norm, linewidths=1.3, alpha=0.75, zorder=1)
        )
        best = words.say("p_best", trial=words.trial(shown[0].number))
        axes.add_collection(LineCollection(lines[:1], colors=VERMILLION, linewidths=3, zorder=3, label=best))
        for place, s in enumerate(axes_of):
            axes.axvline(place, color="black", linewidth=0.9, zorder=2)
            for height, text in s.ticks():
                box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
                axes.text(place + 0.04, height, text, fontsize=8, va="center", zorder=4, bbox=box)
        axes.set_xlim(-0.15, len(axes_of) - 0.55)
        axes.set_ylim(-0.06, 1.06)
        axes.set_xticks(range(len(axes_of)), [name_parameter(s.name, words).replace(" of ", " of\n") for s in axes_of])
        axes.tick_params(length=0)
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        key = "p_parallel_some" if len(shown) < len(rows) else "p_parallel_all"
        axes.set_title(words.say("p_parallel", trials=words.say(key, shown=f"{len(shown):,}", number=f"{len(rows):,}")))
        bar = drawn.colorbar(ScalarMappable(norm, colours), ax=axes, pad=0.02, extend="max" if minimized else "min")
        bar.set_label(words.say("p_val_axis"))
        axes.legend(loc="upper right", bbox_to_anchor=(1.0, -0.12))
        return to_png(drawn)


def draw_slices(searched: Sequence[Scale], rows: Sequence[TrialRow], words: Language = ENGLISH) -> bytes | None:
    """Values against each hyper-parameter on its own; None where nothing is searched."""
    if not searched or not any(row.value is not None for row in rows):
        return None
    columns = min(3, len(searched))
    lines = math.ceil(len(searched) / columns)
    with styled():
        drawn = make_figure(max(4.5, 3.1 * columns), 0.9 + 2.6 * lines)
        grid = drawn.subplots(lines, columns, squeeze=False, sharey=True)
        for place, axes in enumerate(grid.flat):
            if place >= len(searched):
                axes.set_axis_off()
                continue
            _slice(axes, searched[place], rows, words)
            if place % columns == 0:
                set_value_axis(axes, words)
        drawn.suptitle(words.say("p_slices"), fontsize=12, fontweight="bold", x=0.01, ha="left")
        shown = {label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        drawn.legend(shown.values(), shown.keys(), loc="outside lower right", ncols=3)
        return to_png(drawn)


def _slice(axes: Axes, scale: Scale, rows: Sequence[TrialRow], words: Language) -> None:
    size = 26 if len(rows) <= 200 else 8
    for state, mark, colour, name in (("PRUNED", "x", ORANGE, words.say("p_pruned")), ("COMPLETE", "o", BLUE, words.say("p_complete"))):
        points = [
            (row.params[scale.name], row.value) for row in rows if row.state == state and row.value is not None and scale.name in row.params
        ]
        if not points:
            continue
        if isinstance(scale.dimension, Choice):
            # Trials with the same choice lie side by side, always in the same places.
            order = list(scale.dimension.values)
            xs = [order.index(x) + 0.5 * ((k * 0.618) % 1 - 0.5) for k, (x, _) in enumerate(points) if x in order]
        else:
            xs = [x for x, _ in points]
        style: dict[str, Any] = {"linewidths": 1.2} if mark == "x" else {"linewidths": 0, "alpha": 0.7}
        axes.scatter(xs, [y for _, y in points], s=size, marker=mark, color=colour, label=name, **style)
    if isinstance(scale.dimension, Choice):
        axes.set_xticks(range(len(scale.dimension.values)), [str(value) for value in scale.dimension.values])
    elif scale.dimension.log:
        set_log_axis(axes, scale.dimension.low, scale.dimension.high)
    elif scale.dimension.step:
        low, high = scale.dimension.low, scale.dimension.high
        axes.set_xticks([low + place * (high - low) for place, _ in scale.ticks()], [text for _, text in scale.ticks()])
    axes.set_xlabel(name_parameter(scale.name, words))


def _fits(row: TrialRow, searched: Sequence[Scale]) -> bool:
    """Whether the trial has a value in range for each; start rows may set what is fixed, and models leave widths out."""
    for s in searched:
        value = row.params.get(s.name)
        if value is None or (isinstance(s.dimension, Choice) and value not in s.dimension.values):
            return False
    return True
