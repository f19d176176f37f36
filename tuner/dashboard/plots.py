"""The plots of a study that optuna-dashboard does not have of its own, as Plotly figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from ..report.language import Language
from ..report.languages.en import ENGLISH
from ..report.pictures.cost import count_parameters, count_seconds
from ..report.pictures.curves import choose_curves
from ..report.pictures.style import BLACK, BLUE, ORANGE, VERMILLION, sample
from ..study.front import find_front
from ..study.trials import TrialRow

# The dashboard keeps a plot in its database and sends it at every refresh: so not all of 3,000 trials.
MOST_CURVES = 150
MOST_POINTS = 500


def make_plots(ranked: Sequence[TrialRow], words: Language = ENGLISH) -> dict[str, go.Figure]:
    """The figures by id. `ranked` holds COMPLETE trials first, the best of them first of all."""
    return {
        "learning-curves": _curves(ranked, words),
        "accuracy-against-parameters": _cost(ranked, count_parameters, words, "p_size", "Parameters of the network"),
        "accuracy-against-seconds": _cost(ranked, count_seconds, words, "p_time", "Training time with validation (seconds)"),
    }


def _curves(ranked: Sequence[TrialRow], words: Language) -> go.Figure:
    having = [row for row in ranked if row.epochs]
    complete_ones, others = choose_curves(having, MOST_CURVES)
    shown = [*complete_ones, *others]
    traces = []
    for name, colour, dash, mark, complete in (
        ("trained to the end", BLUE, "solid", "circle", True),
        ("not trained to the end", ORANGE, "dot", "x", False),
    ):
        group = [row for row in shown if (row.state == "COMPLETE") == complete]
        if not group:
            continue
        xs: list[int | None] = []
        ys: list[float | None] = []
        texts: list[str | None] = []
        for row in group:  # one trace for all: None lifts the pen
            xs += [*(epoch["epoch"] for epoch in row.epochs), None]
            ys += [*(_scale(value, words) for value in row.curve), None]
            texts += [*([f"trial {row.number}"] * len(row.epochs)), None]
        total = sum((row.state == "COMPLETE") == complete for row in having)
        style = {"line": {"color": colour, "dash": dash, "width": 1.2}, "marker": {"symbol": mark, "size": 5}}
        traces.append(go.Scatter(x=xs, y=ys, text=texts, name=f"{name} ({total:,})", mode="lines+markers", opacity=0.6, **style))
    if shown and shown[0].state == "COMPLETE":
        top = shown[0]
        xs, ys = [e["epoch"] for e in top.epochs], [_scale(value, words) for value in top.curve]
        line, marker = {"color": VERMILLION, "width": 3}, {"symbol": "diamond", "size": 8}
        traces.append(go.Scatter(x=xs, y=ys, name=f"best: trial {top.number}", mode="lines+markers", line=line, marker=marker))
    key = "p_curves_some" if len(shown) < len(having) else "p_curves"
    title = words.say(key, shown=f"{len(shown):,}", number=f"{len(having):,}")
    longest = max((len(row.epochs) for row in shown), default=1)
    return _figure(traces, title, words, {"title": {"text": "Epoch"}, "dtick": 1 if longest <= 12 else None})


def _cost(ranked: Sequence[TrialRow], cost: Callable[[TrialRow], float | None], words: Language, title: str, label: str) -> go.Figure:
    having = [row for row in ranked if row.value is not None and cost(row)]
    shown = sample(having, MOST_POINTS)
    traces = []
    for state, name, colour, mark in (("PRUNED", "pruned", ORANGE, "x"), ("COMPLETE", "trained to the end", BLUE, "circle")):
        group = [row for row in shown if row.state == state]
        traces.append(
            go.Scatter(
                x=[cost(row) for row in group],
                y=[_scale(row.value, words) for row in group],
                text=[f"trial {row.number}" for row in group],
                name=f"{name} ({sum(row.state == state for row in having):,})",
                mode="markers",
                marker={"symbol": mark, "color": colour, "size": 8, "opacity": 0.75},
            )
        )
    border = find_front([(cost(row) or 0.0, row.value or 0.0) for row in having if row.state == "COMPLETE"], words.objective)
    line = {"color": BLACK, "dash": "dot", "width": 1.5}
    traces.append(
        go.Scatter(
            x=[x for x, _ in border],
            y=[_scale(y, words) for _, y in border],
            name="no cheaper trial is better",
            mode="lines",
            line=line,
        )
    )
    costs = [cost(row) or 1.0 for row in having] or [1.0]
    return _figure(traces, words.say(title), words, {"title": {"text": label}, "type": "log" if max(costs) >= 3 * min(costs) else "linear"})


def _figure(traces: list[Any], title: str, words: Language, x: dict[str, Any]) -> go.Figure:
    grid = {"gridcolor": "#DDDDDD", "zeroline": False, "linecolor": "#444444", "ticks": "outside"}
    layout = {
        "template": "none",
        "title": {"text": title},
        "xaxis": grid | x,
        "yaxis": grid | {"title": {"text": words.say("p_val_axis")}},
        "legend": {"orientation": "h", "y": -0.25},
        "margin": {"t": 60, "r": 30},
    }
    return go.Figure(data=traces, layout=layout)


def _scale(value: float | None, words: Language) -> float | None:
    """A share in percent, a loss as it is."""
    return None if value is None else round(100 * value, 3) if words.objective.share else round(value, 5)
