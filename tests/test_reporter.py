"""An epoch's checkpoint is written while the next epoch trains, and the epoch is reported when the checkpoint counts."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.test_leases import claim, elsewhere, silence  # noqa: F401 - a fixture
from tests.test_objective import make_study, parts, train  # noqa: F401 - a fixture
from tuner.data.parts import Parts
from tuner.study.study import Study
from tuner.study.worker_id import WorkerId
from tuner.training import checkpoint
from tuner.training.checkpoint_writer import CheckpointWriter
from tuner.training.run import Diverged, Run
from tuner.workers.events import EpochReported, Event, TrialEnded
from tuner.workers.leased_trial import LeasedTrial


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_study(tmp_path)


class Disk:
    """A disk that writes the checkpoint of one epoch only when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, slow: int) -> None:
        self.writing, self.free = threading.Event(), threading.Event()
        real = checkpoint.write

        def write(path: Path, config: Any, state: dict[str, Any], *, uid: str) -> checkpoint.Written:
            if len(state["curve"]) == slow:
                self.writing.set()
                assert self.free.wait(60)
            return real(path, config, state, uid=uid)

        monkeypatch.setattr(checkpoint, "write", write)


def list_epochs(said: list[Event]) -> list[int]:
    return [event.score.epoch for event in said if isinstance(event, EpochReported)]


def read_epoch(study: Study) -> int:
    """The epoch of the checkpoint that counts."""
    epoch: int = json.loads(study.checkpoint_path(0).with_name("trial-00000.json").read_text())["epoch"]
    return epoch


def test_training_goes_on_while_a_checkpoint_is_written_and_the_epoch_is_reported_after_it(
    study: Study,
    parts: Parts,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Disk(monkeypatch, slow=2)
    said: list[Event] = []
    steps: list[tuple[list[int], int]] = []

    def stop() -> bool:
        if disk.writing.is_set() and not disk.free.is_set():
            steps.append((list_epochs(said), read_epoch(study)))
            if len(steps) == 2:
                disk.free.set()
        return False

    def say(event: Event) -> None:
        said.append(event)
        if isinstance(event, EpochReported):
            assert read_epoch(study) >= event.score.epoch, "no epoch is reported that a resumed trial would not have"

    row = train(study, claim(study), parts, say, stop)
    assert steps == [([1], 1)] * 2, "two steps of epoch 3, before epoch 2 is reported"
    assert list_epochs(said) == [epoch["epoch"] for epoch in row.epochs] == [1, 2, 3]


@pytest.mark.parametrize("ends", ["stopped", "diverged"])
def test_what_ends_a_trial_while_a_checkpoint_is_written_waits_for_it(
    ends: str,
    study: Study,
    parts: Parts,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Disk(monkeypatch, slow=2)

    def stop() -> bool:
        if not disk.writing.is_set():
            return False
        threading.Timer(0.2, disk.free.set).start()  # the disk answers while the trial is ending
        if ends == "diverged":
            raise Diverged("training loss is nan in epoch 3")
        return True

    row = train(study, claim(study), parts, stop=stop)
    assert row.state == {"stopped": "WAITING", "diverged": "PRUNED"}[ends]
    assert [epoch["epoch"] for epoch in row.epochs] == [1, 2] and read_epoch(study) == 2


def test_a_trial_that_is_pruned_at_an_epoch_does_not_finish_the_next(
    study: Study,
    parts: Parts,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained: list[int] = []

    class Counted(Run):
        def _train_epoch(self, epoch: int) -> tuple[float, float]:
            figures = super()._train_epoch(epoch)
            trained.append(epoch)
            return figures

    monkeypatch.setattr("tuner.workers.leased_trial.LeasedTrial.should_prune", lambda self: True)
    written = threading.Event()
    real: Callable[..., checkpoint.Written] = checkpoint.write

    def write(*args: Any, **options: Any) -> checkpoint.Written:
        try:
            return real(*args, **options)
        finally:
            written.set()

    monkeypatch.setattr(checkpoint, "write", write)
    # Steps wait for the disk here, so that the epoch is reported in the next one's first steps.
    row = train(study, claim(study), parts, stop=lambda: bool(trained) and not written.wait(60), make_run=Counted)
    assert (row.state, trained, [epoch["epoch"] for epoch in row.epochs]) == ("PRUNED", [1], [1])


def test_a_trial_that_is_lost_while_its_checkpoint_is_written_leaves_no_file(
    study: Study,
    parts: Parts,  # noqa: F811
    elsewhere: WorkerId,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Disk(monkeypatch, slow=2)
    held = claim(study)

    def stop() -> bool:
        if disk.writing.is_set() and not disk.free.is_set():
            silence(study, held)
            claim(study, elsewhere)
            monkeypatch.setattr("tuner.workers.leased_trial.read_lease_seconds", lambda: -1.0)  # as if more than a lease had passed
            disk.free.set()
        return False

    train(study, held, parts, stop=stop)
    assert read_epoch(study) == 1
    assert len(list(study.checkpoint_path(0).parent.iterdir())) == 2, "the checkpoint of epoch 1, and nothing half written"


def test_the_time_to_report_an_epoch_is_not_the_next_one_s(
    study: Study,
    parts: Parts,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`stop` is where an epoch is reported, which may wait for a database. Here only the evaluation takes time beside it."""
    now = [0.0]

    class Evaluated(Run):
        def evaluate(self, part: Any) -> Any:
            now[0] += 1.0
            return super().evaluate(part)

    def stop() -> bool:
        now[0] += 100.0
        return False

    monkeypatch.setattr("tuner.training.run.time", SimpleNamespace(perf_counter=lambda: now[0]))
    row = train(study, claim(study), parts, stop=stop, make_run=Evaluated)
    assert [epoch["seconds"] for epoch in row.epochs] == [1.0] * 3


def test_a_checkpoint_that_nobody_commits_leaves_no_file(study: Study, parts: Parts, tmp_path: Path) -> None:  # noqa: F811
    config = LeasedTrial(study, claim(study)).configure(threads=1, precision="fp32")
    run = Run(config, parts.train("none"), parts.val(), classes=parts.classes)
    score = next(run.epochs())
    with pytest.raises(KeyboardInterrupt), CheckpointWriter(tmp_path / "run" / "trial", uid="s") as writer:
        writer.begin(run, score)
        raise KeyboardInterrupt
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("ends", ["trained", "stopped", "pruned", "paused"])
def test_no_run_outlives_its_trial(
    ends: str,
    study: Study,
    parts: Parts,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a reference cycle it would hold the device's memory until Python's collector comes."""
    made: list[weakref.ref[Run]] = []

    def make_run(*args: Any, **options: Any) -> Run:
        run = Run(*args, **options)
        made.append(weakref.ref(run))
        return run

    if ends == "pruned":
        monkeypatch.setattr("tuner.workers.leased_trial.LeasedTrial.should_prune", lambda self: True)
    if ends == "paused":
        monkeypatch.setattr("tuner.workers.leased_trial.LeasedTrial.pause", lambda self, epoch, collect: str(collect("paused")["reason"]))
    said: list[Event] = []
    gc.disable()
    try:
        train(study, claim(study), parts, said.append, lambda: ends == "stopped" and len(list_epochs(said)) == 1, make_run=make_run)
        outlived = [run() for run in made]
    finally:
        gc.enable()
    assert made and outlived == [None]
    assert isinstance(said[-1], TrialEnded) and said[-1].outcome.name == ends.upper().replace("PRUNED", "BELOW_OTHERS")
