"""Texts of other people on our terminal: nothing in them is markup, and no encoding ends a command."""

from __future__ import annotations

import io
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from rich.table import Table

from tests.conftest import Tuner
from tuner.console import text
from tuner.console.text import draw_sparkline, open_console, print_json
from tuner.study.storage import Storage

MARKUP = ("[ab]3.n1x1", "no [/foo] here", "[red]x[/red]", ":smile:", "a\\[b]", "[link=x]y")


@pytest.mark.parametrize("stderr", [False, True])
@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_of_ours_is_taken_for_markup(monkeypatch: pytest.MonkeyPatch, stderr: bool, terminal: bool) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    stream = Stream()
    monkeypatch.setattr(text.sys, "stderr" if stderr else "stdout", stream)
    console = open_console(stderr=stderr)
    for line in MARKUP:
        table = Table(title=line, title_justify="left", box=None)
        table.add_column(line, no_wrap=True)
        table.add_row(line)
        console.print(line, highlight=False)
        console.print(table)
    for line in MARKUP:
        assert stream.getvalue().count(line) >= 4, line


def test_show_prints_names_and_reasons_as_they_are(tuner: Tuner, small_study: Path) -> None:
    tuner("search", "small.yaml", "--trials", "1", "--workers", "1", "--no-publish")
    storage = Storage(None)
    study = optuna.load_study(study_name="small", storage=storage.optuna)
    trial = study.ask()
    trial.set_user_attr("run", {"reason": "failed at [/foo] of [ab]3.n1x1", "outcome": "error"})
    study.tell(trial, state=optuna.trial.TrialState.FAIL)
    shown = tuner("show", "small").stdout + tuner("show", "small", "--trial", str(trial.number)).stdout
    assert shown.count("[/foo]") == 2 and shown.count("[ab]3.n1x1") == 2


def test_numbers_that_json_lacks_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [math.inf, -math.inf, math.nan, 1.5], "b": {"c": (math.inf,)}})
    assert json.loads(capsys.readouterr().out) == {"a": [None, None, None, 1.5], "b": {"c": [None]}}
    assert draw_sparkline([0.1, math.inf, 0.9, math.nan]) == "▁█"


@pytest.mark.parametrize("encoding", ["euc-kr", "ascii", "cp1252", "utf-8"])
def test_no_encoding_ends_a_command(tuner: Tuner, small_study: Path, encoding: str) -> None:
    tuner("search", "small.yaml", "--trials", "1", "--workers", "1", "--no-publish")
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    for arguments in (("show",), ("best",), ("show", "고양이"), ("evaluate", b"\xff.pt")):
        done = subprocess.run([sys.executable, "-m", "tuner", *arguments], env=environment, capture_output=True, check=False)
        assert b"Traceback" not in done.stderr and done.returncode == (0 if len(arguments) == 1 else 2), done.stderr


def test_every_command_that_is_shown_can_be_pasted(tuner: Tuner, small_study: Path) -> None:
    name = "my study; rm x"
    small_study.rename(small_study.with_name(f"{name}.yaml"))
    lines = tuner("search", f"{name}.yaml", "--trials", "1", "--workers", "1", "--no-publish").stderr
    lines += tuner("search", f"{name}.yaml", "--trials", "1", "--workers", "1", "--no-publish").stderr
    lines += tuner("best", name, "--export", "my config.yaml").stderr
    lines += tuner("train", "my config.yaml", "--out", "my folder").stderr + tuner("stop", name).stderr
    tuner("report", name, "--out", "r.md")
    lines += Path("r.md").read_text(encoding="utf-8")
    for command in (f"best '{name}'", f"search '{name}'", "train 'my config.yaml'", "evaluate 'my folder/weights.pt'", f"report '{name}'"):
        assert f"tuner {command}" in lines, command
    assert re.findall(rf"tuner \w+ {name}", lines) == []
