"""Curves in the terminal: axes that people can read, in eighty columns."""

from __future__ import annotations

import io
import itertools
import re

import pytest
from rich.console import Console

from tuner.output import sparkline
from tuner.terminal import Curve, draw


def drawn(*curves: Curve) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    draw(console, "Accuracy", curves)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("values", "lowest", "highest", "last_epoch"),
    [
        ([0.12, 0.5, 0.97], 10, 95, 3),  # a line's label is its lower edge
        ([0.951, 0.958, 0.962], 95, 96, 3),
        ([0.5] * 5, 50, 50.5, 5),
        ([0.1 + 0.008 * n for n in range(100)], 10, 85, 91),
        ([0.25], 25, 25.5, 2),
    ],
)
def test_axes_count_in_round_figures_and_whole_epochs(values: list[float], lowest: float, highest: float, last_epoch: int) -> None:
    lines = drawn(Curve(values=values, colour="blue", name="trial 3"))
    assert "Accuracy" in lines[0] and "trial 3" in lines[0]
    assert all(len(line.rstrip()) <= 80 for line in lines)
    labels = [float(found[1]) for line in lines if (found := re.match(r" +([\d.]+) \| .*[\u2800-\u28ff]", line))]
    assert labels == sorted(labels, reverse=True) and (labels[-1], labels[0]) == (lowest, highest)
    steps = {round(a - b, 3) for a, b in itertools.pairwise(labels)}
    assert len(steps) <= 1 and steps <= {0.5, 1.0, 2.0, 5.0, 10.0, 20.0}
    ticks = [int(word) for word in lines[-1].replace("|", "").split()]
    assert ticks[0] == 1 and ticks[-1] == last_epoch and len({b - a for a, b in itertools.pairwise(ticks)}) == 1


def test_nothing_is_drawn_where_no_trial_has_an_epoch() -> None:
    assert drawn(Curve(values=[], colour="blue", name="trial 0")) == []


def test_a_small_curve_shows_the_shape_of_high_accuracies_too() -> None:
    assert sparkline([0.91, 0.95, 0.98]) == "▁▅█"
    assert sparkline([0.981, 0.982]) == "▅▅" and sparkline([]) == ""
    assert len(sparkline([n / 100 for n in range(50)])) == 12
