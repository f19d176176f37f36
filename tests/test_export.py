"""A study for other tools: every figure under its name, nothing overwritten unasked, a copy that Optuna goes on with."""

from __future__ import annotations

import csv
import json
import sys
import types
from pathlib import Path
from shlex import quote
from typing import Any

import optuna
import pytest
from click.testing import CliRunner, Result
from optuna.trial import TrialState

from tests.fabricated import add, study, trial
from tuner.commands import main
from tuner.export.copy import copy_study
from tuner.study import studies
from tuner.study.storage import Storage
from tuner.study.study import Study

SPACE = {
    "data": "digits",
    "space": {"weight_decay": 0.5, "lr": {"low": 0.001, "high": 1.0, "log": True}, "widths": {"*.pool": [1.0, 2.0]}},
}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    url = f"sqlite:///{tmp_path}/study.db"
    monkeypatch.setenv("TUNER_STORAGE", url)
    made = study(Storage(url, make=True), SPACE)
    rows = [
        trial(made, {"lr": 0.1, "widths.*.pool": 2.0}, [0.5, 0.75], parameters=1234, number=0),
        trial(made, {"lr": 0.2, "widths.*.pool": 1.0}, [0.25], state=TrialState.PRUNED, reason='below the others, "far"', number=1),
        trial(made, {"lr": 0.3, "widths.*.pool": 1.0}, [], state=TrialState.FAIL, reason="a fault", number=2),
        trial(made, {"lr": 0.4, "widths.*.pool": 1.0}, [0.5, 0.625], number=3),
        trial(made, {"lr": 0.5, "widths.*.pool": 1.0}, [], number=4),
    ]
    for row in rows[3:]:  # one that trains or waits at a rung, and one that is only queued
        row.state, row.value, row.datetime_complete = TrialState.WAITING, None, None
    add(made, rows)
    return made


def invoke(*args: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["export", *args])
    assert done.exit_code == code, done.output
    return done


def test_csv_has_every_trial_and_every_epoch_under_the_fields_names(made: Study) -> None:
    said = invoke("made", "--to", "csv")
    assert said.stderr == "wrote made.csv and made-epochs.csv\n"
    rows = list(csv.DictReader(Path("made.csv").read_text(encoding="utf-8").splitlines()))
    assert [(r["number"], r["state"], r["value"], r["params_lr"], r["params_widths.*.pool"], r["epochs"]) for r in rows] == [
        ("0", "COMPLETE", "0.75", "0.1", "2.0", "2"),
        ("1", "PRUNED", "0.25", "0.2", "1.0", "1"),
        ("2", "FAIL", "", "0.3", "1.0", "0"),
        ("3", "WAITING", "", "0.4", "1.0", "2"),
        ("4", "WAITING", "", "0.5", "1.0", "0"),
    ]
    first = rows[0]
    assert (first["parameters"], first["seconds"], first["config_weight_decay"], first["config_data.source"]) == (
        "1234",
        "4.0",
        "0.5",
        "digits",
    )
    assert (first["datetime_start"], first["datetime_complete"]) == ("2026-11-20T12:00:00", "2026-11-20T12:00:30")
    assert rows[1]["reason"] == 'below the others, "far"' and "config_lr" not in first
    epochs = list(csv.DictReader(Path("made-epochs.csv").read_text(encoding="utf-8").splitlines()))
    assert list(epochs[0]) == ["number", "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds"]
    assert [(e["number"], e["epoch"], e["val_accuracy"]) for e in epochs] == [
        ("0", "1", "0.5"),
        ("0", "2", "0.75"),
        ("1", "1", "0.25"),
        ("3", "1", "0.5"),
        ("3", "2", "0.625"),
    ]
    assert epochs[1]["train_loss"] == "0.5"


def test_a_json_line_holds_all_of_a_trial(made: Study) -> None:
    invoke("--to", "jsonl", "--out", "all.jsonl")  # of the study searched last
    records = [json.loads(line) for line in Path("all.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["number"] for record in records] == [0, 1, 2, 3, 4]
    first = records[0]
    assert first["value"] == 0.75 and first["params"] == {"lr": 0.1, "widths.*.pool": 2.0}
    assert [epoch["val_accuracy"] for epoch in first["epochs"]] == [0.5, 0.75]
    assert first["config"]["widths"] == {"*.pool": 2.0} and first["config"]["data"]["source"] == "digits"
    assert first["run"]["parameters"] == 1234 and first["datetime_complete"] == "2026-11-20T12:00:30"


@pytest.mark.parametrize("to,there", [("csv", "made-epochs.csv"), ("jsonl", "made.jsonl")])
def test_a_file_that_is_there_is_overwritten_only_by_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, there: str) -> None:
    monkeypatch.setenv("TUNER_STORAGE", f"sqlite:///{tmp_path}/s.db")
    made = study(Storage(f"sqlite:///{tmp_path}/s.db", make=True), SPACE)
    Path(there).write_text("mine")
    assert f"Error: '{there}' is there already: give another --out, or --force" in invoke("made", "--to", to, code=2).stderr
    assert Path(there).read_text() == "mine" and sorted(tmp_path.glob("made*")) == [tmp_path / there], "half of it was written"
    add(made, [trial(made, {"lr": 0.1, "widths.*.pool": 2.0}, [0.5])])
    invoke("made", "--to", to, "--force")
    assert "0.5" in Path(there).read_text()
    assert "cannot write 'none/x.csv': No such file or directory" in invoke("made", "--to", "csv", "--out", "none/x.csv", code=1).stderr


class Writer:
    """What torch's SummaryWriter is told, by run; a file a run, as it makes one."""

    told: dict[str, list[tuple[Any, ...]]] = {}  # noqa: RUF012

    def __init__(self, log_dir: str) -> None:
        self._run = Path(log_dir).name
        Path(log_dir).mkdir(parents=True, exist_ok=True)
        Path(log_dir, f"events.out.tfevents.{len(self.told)}").write_text("")
        self.told[self._run] = []

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.told[self._run].append((name, step, value))

    def add_hparams(self, params: dict[str, Any], metrics: dict[str, float], run_name: str) -> None:
        self.told[self._run].append((params["lr"], params["widths.*.pool"], params["weight_decay"], metrics, run_name))


def test_tensorboard_gets_a_run_a_trial(made: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a stand-in of the writer; with TensorBoard itself the next test reads what was written."""
    monkeypatch.setattr(Writer, "told", {})
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    assert invoke("made", "--to", "tensorboard").stderr.startswith("wrote 3 runs to made-tensorboard")
    assert list(Writer.told) == ["trial-0000", "trial-0001", "trial-0003"]
    told = Writer.told["trial-0000"]
    assert ("val_accuracy", 2, 0.75) in told and ("train_loss", 1, 1.0) in told and len(told) == 2 * 4 + 1
    assert told[-1] == (0.1, 2.0, 0.5, {"value": 0.75}, ".")
    assert Writer.told["trial-0003"][-1][3] == {}
    Path("made-tensorboard/mine").write_text("mine")
    assert "'made-tensorboard' is there already" in invoke("made", "--to", "tensorboard", code=2).stderr
    invoke("made", "--to", "tensorboard", "--force")
    assert len(list(Path("made-tensorboard").rglob("events*"))) == 3, "old and new points of one run are drawn together"
    assert Path("made-tensorboard/mine").read_text() == "mine"


def test_tensorboard_reads_what_was_written(made: Study) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="no TensorBoard: an extra")
    invoke("made", "--to", "tensorboard", "--out", "runs")
    read = accumulator.EventAccumulator("runs/trial-0000")
    read.Reload()
    assert [(event.step, event.value) for event in read.Scalars("val_accuracy")] == [(1, 0.5), (2, 0.75)]


def test_without_tensorboard_its_extra_is_named(made: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    said = invoke("made", "--to", "tensorboard", code=2).stderr
    assert said == "Error: --to tensorboard needs TensorBoard: pip install 'optuna-tuner[tensorboard]'\n"
    assert not Path("made-tensorboard").exists()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_copy_is_optunas_and_goes_on(made: Study, kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    other = f"sqlite:///{tmp_path}/other.db" if kind == "sqlite" else str(request.getfixturevalue("postgres"))
    said = invoke("made", other, "--to", "optuna").stderr
    assert said == f"copied study 'made' with 5 trials to '{Storage(other)}'; next: optuna-dashboard {quote(str(Storage(other)))}\n"
    copied = optuna.load_study(study_name="made", storage=Storage(other).optuna)
    assert copied.direction.name == "MAXIMIZE" and copied.metric_names == ["validation accuracy"]
    assert copied.best_trial.number == 0 and copied.best_value == 0.75 and copied.best_params == {"lr": 0.1, "widths.*.pool": 2.0}
    assert [(t.state.name, t.value) for t in copied.trials] == [
        ("COMPLETE", 0.75),
        ("PRUNED", 0.25),
        ("FAIL", None),
        ("PRUNED", 0.625),  # it cannot go on there: its checkpoint is here
        ("FAIL", None),
    ]
    assert copied.trials[3].intermediate_values == {1: 0.5, 2: 0.625}
    assert [e["val_accuracy"] for e in copied.trials[0].user_attrs["curve"]] == [0.5, 0.75]
    assert copied.trials[0].user_attrs["config"]["lr"] == 0.1
    assert copied.ask(made.optuna_study().trials[0].distributions).number == 5, "no row waits to be tried again"
    assert studies.list_studies(Storage(other)) == [] and not {"uid", "checkpoints"} & copied.user_attrs.keys(), "tuner would go on with it"
    assert [t.state.name for t in made.frozen_trials()].count("WAITING") == 2


def test_a_study_that_is_there_is_left_and_another_name_is_taken(made: Study) -> None:
    url = str(made.storage)
    said = invoke("made", url, "--to", "optuna", code=2).stderr
    assert said.startswith("Error: study 'made' is in '") and said.endswith("already: give another --name\n")
    assert len(made.storage.optuna.get_all_studies()) == 1
    invoke(url, "--to", "optuna", "--name", "again")  # the study searched last, within one storage
    assert len(optuna.load_study(study_name="again", storage=made.storage.optuna).trials) == 5


def test_a_copy_is_whole_or_not_there(made: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    create = type(made.storage.optuna).create_new_trial

    def fail_at_the_third(self: Any, study_id: int, template_trial: Any = None) -> int:
        if template_trial.params["lr"] == 0.3:
            raise KeyboardInterrupt
        return create(self, study_id, template_trial)

    monkeypatch.setattr(type(made.storage.optuna), "create_new_trial", fail_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        copy_study(made, other)
    assert optuna.get_all_study_names(other) == []


BAD = {
    "a secret": (("postgresql://me:hunter2@127.0.0.1:1/d", "--to", "optuna"), 1, "postgresql://me:***@127.0.0.1:1/d"),
    "no URL": (("--to", "optuna"), 2, "--to optuna needs the URL of another storage"),
    "a URL for a file": (("made", "sqlite:///x.db", "--to", "csv"), 2, "--to csv writes a file and no storage"),
    "out for a storage": (("sqlite:///x.db", "--to", "optuna", "--out", "x"), 2, "--out 'x' is for files"),
    "force for a storage": (("sqlite:///x.db", "--to", "optuna", "--force"), 2, "--force is for files"),
    "a name for a file": (("--to", "jsonl", "--name", "x"), 2, "--name x is for --to optuna"),
    "another format": (("--to", "parquet"), 2, "'parquet' is not one of 'csv', 'jsonl', 'tensorboard', 'optuna'"),
    "no study": (("mode", "--to", "csv"), 2, "no study 'mode' in"),
}


@pytest.mark.parametrize("args,code,message", BAD.values(), ids=BAD.keys())
def test_bad_input_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], code: int, message: str) -> None:
    monkeypatch.setenv("TUNER_STORAGE", f"sqlite:///{tmp_path}/s.db")
    study(Storage(f"sqlite:///{tmp_path}/s.db", make=True), SPACE)
    said = invoke(*args, code=code).stderr
    assert message in said and "hunter2" not in said
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix in (".csv", ".jsonl") or path.name == "x.db") == []
