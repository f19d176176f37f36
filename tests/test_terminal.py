"""The terminal: the live view on a real one, and curves with axes that people can read, in eighty columns."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from tuner.console.curves import Curve, draw
from tuner.console.narrow import print_table
from tuner.console.text import draw_sparkline


def test_the_live_view_keeps_to_the_terminal_s_width_when_that_changes(small_study: Path) -> None:
    screen, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (30, 80))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")} | {"TERM": "xterm-256color"}
    command = [sys.executable, "-m", "tuner", "search", "small.yaml", "--trials", "6", "--workers", "1", "--device", "cpu", "--no-publish"]
    search = subprocess.Popen(command, cwd=small_study.parent, stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    shown = b""

    def seen(text: bytes, after: int = 0) -> int:
        """Where a text is on the screen's tape, once it is there."""
        nonlocal shown
        while (place := shown.find(text, after)) < 0:
            shown += os.read(screen, 65536)
        return place

    try:
        wide = seen(b"worker"), seen(b"trial 0 complete")
        termios.tcsetwinsize(screen, (30, 60))
        stale = seen(b"worker", len(shown))  # this view may have been begun before
        narrow = seen(b"worker", stale + 1), seen(b"Study 'small' is finished")
        with contextlib.suppress(OSError):  # so Linux says that nobody holds the other end any more
            while rest := os.read(screen, 65536):
                shown += rest
    except BaseException:
        search.kill()
        raise
    finally:
        os.close(screen)
        search.wait()

    def width(part: bytes) -> int:
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", part.decode(errors="replace"))
        return max(len(line) for line in re.split(r"[\r\n]+", plain))

    assert 60 < width(shown[slice(*wide)]) <= 80
    view = shown[slice(*narrow)]
    assert b"accuracy" in view and b"best 0." in view and 50 < width(view) <= 60
    assert search.returncode == 0


def print_at(width: int, table: Table) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    print_table(console, table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_a_table_that_has_no_room_has_its_rows_one_below_the_other_and_nothing_is_cut() -> None:
    table = Table(title="Best of study s", title_justify="left", box=None, pad_edge=False)
    for heading in ("trial", "state", "", "accuracy"):
        table.add_column(heading, no_wrap=True)
    table.add_column("configuration", overflow="fold")
    table.add_row("7", "complete", "start row", "0.9652", "lr 0.00239, batch_size 16, epochs 4, augment flip")
    table.add_row("12", "pruned", "", "-", "lr 0.1")
    wide = print_at(100, table)
    assert len(wide) == 4 and wide[1].split() == ["trial", "state", "accuracy", "configuration"]
    assert len(print_at(76, table)) == 5, "a cell is folded where there is room for that"
    assert print_at(40, table) == [
        "Best of study s",
        "trial 7",
        "  state complete, start row, accuracy",
        "  0.9652, configuration lr 0.00239,",
        "  batch_size 16, epochs 4, augment flip",
        "trial 12",
        "  state pruned, accuracy -,",
        "  configuration lr 0.1",
    ]
    many = Table(*(f"figure {number}" for number in range(12)), box=None)
    for column in many.columns:
        column.no_wrap = True
    many.add_row(*("0.9652" for _ in many.columns))
    assert len(print_at(130, many)) == 2
    assert print_at(90, many)[0] == "figure 0 0.9652" and "…" not in "".join(print_at(90, many)), "a cut figure is none"


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
    assert draw_sparkline([0.91, 0.95, 0.98]) == "▁▅█"
    assert draw_sparkline([0.981, 0.982]) == "▅▅" and draw_sparkline([]) == ""
    assert len(draw_sparkline([n / 100 for n in range(50)])) == 12
