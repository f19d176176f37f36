"""What `tuner show` lists: in what order, in how many columns, and as CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from optuna.trial import TrialState
from rich.console import Console

from tests import fabricated
from tuner.commands import main
from tuner.console import listing
from tuner.console import show as show_file
from tuner.study.storage import Storage
from tuner.study.study import Study
from tuner.study.trials import list_trials

SPACE = {"lr": {"low": 1e-4, "high": 0.1, "log": True}, "batch_size": [8, 16], "widths": {"*.n1x1": [0.5, 1.0]}}
TRIALS = ((0.01, 16, (0.3, 0.5)), (0.002, 8, (0.4, 0.625, 0.75)), (0.05, 8, (0.2,)))
WHERE = ("--storage", "sqlite:///s.db")


@pytest.fixture
def made() -> Iterator[Study]:
    storage = Storage("sqlite:///s.db", make=True)
    study = fabricated.study(storage, {"data": "digits", "width": 0.0625, "space": SPACE})
    states = (TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED)
    reason = "below the others at epoch 1: 0.2000 is below 0.3000"
    for (lr, batch, curve), state in zip(TRIALS, states, strict=True):
        values = {"lr": lr, "batch_size": batch, "widths.*.n1x1": 0.5}
        fabricated.add(study, [fabricated.trial(study, values, curve, state=state, reason=reason if state.name == "PRUNED" else "")])
    failed = fabricated.trial(study, {"lr": 0.1, "batch_size": 8, "widths.*.n1x1": 1.0}, (), state=TrialState.FAIL, reason="=1+1, broke")
    fabricated.add(study, [failed])
    yield study
    storage.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["show", "made", *arguments, *WHERE])


def numbers(*arguments: str) -> list[int]:
    return [trial["number"] for trial in json.loads(run("--json", *arguments).stdout)["trials"]]


def test_trials_are_sorted_by_a_figure_or_a_hyper_parameter(made: Study) -> None:
    assert numbers() == [0, 1, 2, 3]
    assert numbers("--sort", "value") == [1, 0, 2, 3], "best first, without a value last"
    assert numbers("--sort", "value", "--top", "2") == [1, 0]
    assert numbers("--sort", "lr") == [1, 0, 2, 3] and numbers("--sort", "batch_size") == [1, 2, 3, 0]
    assert numbers("--sort", "epochs_trained") == [3, 2, 0, 1] and numbers("--sort", "state") == [0, 1, 3, 2]
    text = run("--sort", "value", "--top", "1").stdout
    assert "0.7500" in text and "0.5000" not in text
    wrong = run("--sort", "valeu")
    assert wrong.exit_code == 2 and "--sort 'valeu' is no figure or hyper-parameter of the study: did you mean 'value'?" in wrong.stderr
    assert "leave --sort and --top out" in run("--trial", "1", "--top", "2").stderr


def test_a_trial_that_may_go_on_shows_what_it_has_reached(made: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = fabricated.trial(made, {"lr": 0.03, "batch_size": 8, "widths.*.n1x1": 1.0}, (0.4375,), state=TrialState.WAITING)
    waits.value = None
    fabricated.add(made, [waits])
    assert next(line.split()[2] for line in show_at(monkeypatch, made, 80) if line.startswith("    4  ")) == "0.4375"
    assert any(re.fullmatch(r"4  .*  0\.4375  1 epoch  .*", line.strip()) for line in show_at(monkeypatch, made, 40))


def test_csv_has_a_line_a_trial_with_every_hyper_parameter(made: Study) -> None:
    rows = list(csv.DictReader(io.StringIO(run("--csv", "--sort", "value").stdout)))
    head = ["number", "state", "value", "epochs_trained", "seconds", "lr", "batch_size", "widths.*.n1x1", "model", "epochs", "momentum"]
    assert list(rows[0])[: len(head)] == head and list(rows[0])[-1] == "reason"
    best = {"number": "1", "state": "COMPLETE", "value": "0.75", "epochs_trained": "3", "seconds": "6.0", "lr": "0.002"}
    assert best.items() <= rows[0].items() and (rows[0]["model"], rows[0]["optimizer"]) == ("mynet", "sgd")
    assert (rows[3]["value"], rows[3]["reason"], rows[3]["lr"]) == ("", "=1+1, broke", "0.1")
    epochs = list(csv.DictReader(io.StringIO(run("--csv", "--trial", "1").stdout)))
    assert [row["val_accuracy"] for row in epochs] == ["0.4", "0.625", "0.75"] and epochs[2]["epoch"] == "3"
    assert "--csv and --json say two things" in run("--csv", "--json").stderr


def show_at(monkeypatch: pytest.MonkeyPatch, study: Study, width: int, trial: int | None = None) -> list[str]:
    """The lines of a terminal of that width."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, markup=False, emoji=False)
    monkeypatch.setattr(show_file, "open_console", lambda: console)
    if trial is None:
        show_file.show_study(study)
    else:
        show_file.show_trial(study, list_trials(study)[trial])
    lines: list[str] = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(len(line.rstrip()) for line in lines) <= width
    return lines


def test_a_wide_terminal_has_a_column_for_each_hyper_parameter(monkeypatch: pytest.MonkeyPatch, made: Study) -> None:
    lines = show_at(monkeypatch, made, 150)
    assert lines[2].split()[-1] == "remark" and {"lr", "batch_size", "x *.n1x1"} <= {word.strip() for word in lines[2].split("  ")}
    assert lines[4].split()[:7] == ["1", "*", "complete", "0.7500", "3", "▁▅█", "0.002"]
    assert any("configuration" in line for line in show_at(monkeypatch, made, 90))
    monkeypatch.setattr(listing, "WIDE", 76)  # which has no room for these: they are not cut, but stand in one column
    assert any("configuration" in line for line in show_at(monkeypatch, made, 76))


def test_at_forty_columns_nothing_is_cut(monkeypatch: pytest.MonkeyPatch, made: Study) -> None:
    lines = show_at(monkeypatch, made, 40)
    at = next(index for index, line in enumerate(lines) if line.startswith("1 *"))
    assert lines[at].split() == ["1", "*", "complete", "0.7500", "3", "epochs", "▁▅█"]
    assert lines[at + 1].strip() == "lr 0.002, batch_size 8, *.n1x1 x0.5"
    one = "\n".join(show_at(monkeypatch, made, 40, trial=1))
    assert "val accuracy" in one and "0.6250" in one and "…" not in one
