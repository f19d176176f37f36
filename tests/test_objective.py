"""How one claimed trial ends: the reason on it, the files beside it, and what is left to others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.test_ledger import claim, elsewhere, silence  # noqa: F401 - a fixture
from tuner import checkpoint, objective
from tuner.config import StudyConfig
from tuner.data import load as load_data
from tuner.data.parts import Parts
from tuner.errors import TunerError
from tuner.objective import checkpoint_path, train_trial
from tuner.places import Place
from tuner.study.claim import Claim, LeaseLost
from tuner.study.owner import Owner
from tuner.study.record import Record, make_or_go_on
from tuner.study.storage import Storage
from tuner.study.trials import TrialRow, rows
from tuner.train import Run

STUDY = {
    "width": 0.01,
    "data": "digits",
    "train_images": 100,
    "image_size": 8,
    "validation": 0.2,
    "pruner": "none",
    "space": {"lr": [0.01, 0.02], "batch_size": 32, "epochs": 3},
    "start": [{"lr": 0.01}, {"lr": 0.01}],
}


@pytest.fixture(scope="module")
def parts() -> Parts:
    config = StudyConfig.from_dict(STUDY)
    return Parts(load_data(config.data), config.data, "cpu")


def study(folder: Path) -> Record:
    folder.mkdir(exist_ok=True)
    storage = Storage(f"sqlite:///{folder}/x.db", make=True)
    return make_or_go_on(storage, "s", StudyConfig.from_dict(STUDY), "f", trials=4)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return study(tmp_path)


def train(
    record: Record, held: Claim, parts: Parts, say: Callable[..., None] = lambda kind, **facts: None, stop: Callable[[], bool] = bool
) -> TrialRow:
    train_trial(record, held, parts, Place(), stop=stop, say=say)
    return rows(record)[held.number]


@pytest.mark.parametrize(
    "fault,state,reason",
    [
        (ValueError("bad shape\nand more"), "FAIL", "ValueError: bad shape"),
        (TunerError("no such image"), "FAIL", "no such image"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "PRUNED", "out of memory: "),
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "PRUNED", "out of memory: CUDA"),
        (MemoryError(), "PRUNED", "out of memory: MemoryError"),
    ],
)
def test_a_fault_ends_the_trial_with_its_reason_and_nothing_else(
    record: Record,
    parts: Parts,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    fault: Exception,
    state: str,
    reason: str,
) -> None:
    def broken(self: Run, epoch: int) -> tuple[float, float]:
        if epoch == 2:
            raise fault
        return 0.5, 0.5

    monkeypatch.setattr(Run, "_train_epoch", broken)
    row = train(record, claim(record), parts)
    assert (row.state, [e["epoch"] for e in row.epochs]) == (state, [1])
    assert row.reason.startswith(reason) and "\n" not in row.reason
    if state == "PRUNED":
        assert record.frozen_trials()[0].constraints == {"memory": 1.0}, "the sampler is told"
    elif not isinstance(fault, TunerError):
        assert "in broken" in row.run["traceback"]
    assert capfd.readouterr().err == ""
    assert claim(record).number == 1


def test_a_full_disk_leaves_the_checkpoint_before_it_whole(record: Record, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    real = checkpoint.save
    kept: list[str] = []

    def save(path: Path, run: Run, **options: Any) -> None:
        if len(run.curve) == 3:
            monkeypatch.setattr(Path, "write_bytes", lambda self, content: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            try:
                real(path, run, **options)
            finally:
                kept.extend(sorted(each.name for each in path.parent.iterdir()))
        real(path, run, **options)

    monkeypatch.setattr(objective.checkpoint, "save", save)
    row = train(record, claim(record), parts)
    assert (row.state, row.reason, len(row.epochs)) == ("FAIL", "OSError: [Errno 28] No space left on device", 2)
    assert len(kept) == 2 and ".e2." in kept[0] and kept[1] == "trial-00000.json", "that of epoch 2, and nothing half written"


def test_a_worker_woken_late_writes_no_file_and_no_row(
    record: Record,
    parts: Parts,
    elsewhere: Owner,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It sleeps within epoch 3, while another takes the trial over; no heartbeat tells it when it wakes."""
    held = claim(record)
    said: list[tuple[str, dict[str, Any]]] = []
    taken: list[Claim] = []

    def stop() -> bool:
        if not taken and said[-1][1].get("epoch") == 2:
            silence(record, held)
            taken.append(claim(record, elsewhere))
            monkeypatch.setattr("tuner.claimed.lease_seconds", lambda: -1.0)  # as if more than a lease had passed
        return False

    row = train(record, held, parts, lambda kind, **facts: said.append((kind, facts)), stop)
    assert taken[0].trial_id == held.trial_id
    assert said[-1] == ("end", {"number": 0, "state": "LOST", "value": None, "reason": "trial 0 is in other hands"})
    assert (row.state, len(row.epochs)) == ("RUNNING", 2)
    files = sorted(checkpoint_path(record, 0).parent.iterdir())
    assert json.loads(files[-1].read_text())["epoch"] == 2 and len(files) == 2


def test_a_checkpoint_that_is_not_allowed_any_more_changes_no_file(record: Record, parts: Parts, tmp_path: Path) -> None:
    held = claim(record)
    train(record, held, parts)
    path = checkpoint_path(record, 0)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    config = rows(record)[0].config
    assert config is not None
    run = Run(config, parts.train("none"), parts.val(), classes=10)
    next(run.epochs())

    def refuse() -> None:
        raise LeaseLost("gone")

    with pytest.raises(LeaseLost):
        checkpoint.save(path, run, study=record.uid, allowed=refuse)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_a_duplicate_interrupted_before_its_first_epoch_still_takes_over_the_figures(record: Record, parts: Parts) -> None:
    first = train(record, claim(record), parts)
    held = claim(record)
    objective.ClaimedTrial(record, held).configure(threads=1, precision="fp32")
    record.ledger.requeue(held)
    again = train(record, claim(record), parts)
    assert (again.number, again.state, again.run["same_as"]) == (1, "COMPLETE", 0)
    assert again.epochs == first.epochs


def test_a_trial_that_is_stopped_goes_on_from_its_last_epoch_and_counts_no_death(record: Record, parts: Parts, tmp_path: Path) -> None:
    through = train(study(tmp_path / "through"), claim(study(tmp_path / "through")), parts)
    reported: list[int] = []
    halfway = train(record, claim(record), parts, lambda kind, **f: reported.append(kind == "epoch"), lambda: sum(reported) == 2)
    assert (halfway.state, len(halfway.epochs)) == ("WAITING", 2)
    begun: list[dict[str, Any]] = []
    held = claim(record)
    row = train(record, held, parts, lambda kind, **facts: begun.append(facts) if kind == "begin" else None)
    assert (held.deaths, begun[0]["epoch"], row.state) == (0, 2, "COMPLETE")
    strip = [[{k: v for k, v in e.items() if k != "seconds"} for e in each.epochs] for each in (row, through)]
    assert strip[0] == strip[1] and row.value == through.value
    assert replace(row, epochs=[], run={}, config=None) == replace(through, epochs=[], run={}, config=None)
