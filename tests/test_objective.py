"""How one claimed trial ends: the reason on it, the files beside it, and what is left to others."""

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.test_capture import Full
from tests.test_leases import claim, elsewhere, silence  # noqa: F401 - a fixture
from tuner.config.study_config import StudyConfig
from tuner.config.trial_config import TrialConfig
from tuner.data import load as load_data
from tuner.data.parts import Parts
from tuner.errors import TunerError
from tuner.placement import Placement
from tuner.study.lease import Lease, LeaseLost
from tuner.study.outcome import Outcome
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load
from tuner.study.study import Study
from tuner.study.trials import TrialRow, list_trials
from tuner.study.worker_id import WorkerId
from tuner.training import checkpoint, provenance
from tuner.training.run import Run
from tuner.training.score import Score
from tuner.workers.events import EpochReported, Event, Message, TrialEnded, TrialStarted
from tuner.workers.leased_trial import LeasedTrial
from tuner.workers.objective import HeapFull, tidy, train_trial

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


def make_study(folder: Path) -> Study:
    folder.mkdir(exist_ok=True)
    storage = Storage(f"sqlite:///{folder}/x.db", make=True)
    return create_or_load(storage, "s", StudyConfig.from_dict(STUDY), "f", trials=4)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_study(tmp_path)


def train(
    study: Study,
    held: Lease,
    parts: Parts,
    say: Callable[[Event], None] = lambda event: None,
    stop: Callable[[], bool] = bool,
    **injected: Any,
) -> TrialRow:
    train_trial(study, held, parts, Placement(), stop=stop, say=say, **injected)
    return list_trials(study)[held.number]


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
    study: Study,
    parts: Parts,
    capfd: pytest.CaptureFixture[str],
    fault: Exception,
    state: str,
    reason: str,
) -> None:
    class Broken(Run):
        def epochs(self) -> Iterator[Score]:
            yield next(super().epochs())
            raise fault

    while (row := list_trials(study)[0] if study.frozen_trials() else None) is None or row.state in ("RUNNING", "WAITING"):
        with contextlib.suppress(HeapFull):  # a new process tries again, in smaller pieces
            train(study, claim(study), parts, make_run=Broken)
    assert (row.state, [e["epoch"] for e in row.epochs]) == (state, [1])
    assert row.reason.startswith(reason) and "\n" not in row.reason
    if state == "PRUNED":
        assert study.frozen_trials()[0].constraints == {"memory": 1.0}, "the sampler is told"
    elif not isinstance(fault, TunerError):
        assert "in epochs" in row.run["traceback"]
    assert capfd.readouterr().err == ""
    assert claim(study).number == 1


@pytest.mark.parametrize(
    "step",
    [
        "tuner.workers.leased_trial.LeasedTrial.find_duplicate",
        "tuner.study.study.Study.checkpoint_path",
        "tuner.workers.objective.look_ahead",
        "tuner.workers.objective.collect_facts",
        "optuna.samplers.TPESampler.after_trial",
    ],
)
def test_a_fault_before_or_after_the_training_ends_the_trial_too(
    study: Study, parts: Parts, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    ended: list[Event] = []
    with monkeypatch.context() as patch:
        patch.setattr(step, fail)
        row = train(study, claim(study), parts, say=ended.append)
    assert (row.state, row.outcome, row.reason) == ("FAIL", "error", "OSError: [Errno 5] Input/output error")
    assert "in fail" in row.run["traceback"]
    assert [event.reason for event in ended if isinstance(event, TrialEnded)] == [row.reason]
    row = train(study, claim(study), parts)
    assert (row.number, row.state) == (1, "COMPLETE"), "the worker goes on"


def test_a_checkout_on_a_machine_without_git_is_searched_from(
    study: Study, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "tuner" / "training" / "provenance.py"))
    monkeypatch.setenv("PATH", str(tmp_path))
    provenance.read_commit.cache_clear()
    row = train(study, claim(study), parts)
    provenance.read_commit.cache_clear()
    assert (row.state, row.run["commit"]) == ("COMPLETE", None)


def test_a_folder_of_checkpoints_that_cannot_be_listed_does_not_end_the_worker(
    study: Study, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(study, claim(study), parts)
    assert study.files.numbers() == {0}

    def fail(*args: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "glob", fail)
        tidy(study, 0)
    assert study.files.numbers() == {0}
    tidy(study, 0)
    assert study.files.numbers() == set()


def test_a_pruned_trial_says_what_it_was_compared_with(tmp_path: Path, parts: Parts) -> None:
    """At exactly the others' median it is not pruned."""
    pruner = {"name": "median", "n_startup_trials": 2, "n_warmup_steps": 0}
    config = StudyConfig.from_dict({**STUDY, "pruner": pruner, "start": [], "space": {**STUDY["space"], "lr": {"low": 0.01, "high": 0.1}}})
    study = create_or_load(Storage(f"sqlite:///{tmp_path}/x.db", make=True), "s", config, "f", trials=5)

    def always(accuracy: float) -> TrialRow:
        class Fixed(Run):
            def epochs(self) -> Iterator[Score]:
                for score in super().epochs():
                    yield replace(score, val_accuracy=accuracy)

        return train(study, claim(study), parts, make_run=Fixed)

    assert [always(accuracy).state for accuracy in (0.5, 0.7, 0.6)] == ["COMPLETE"] * 3
    assert always(0.6).state == "COMPLETE"
    row = always(0.55)
    assert (row.state, row.reason) == ("PRUNED", "below the others at epoch 1: 0.5500, where the median of 4 others was 0.6000")


class Small(Run):
    """A run on a device with memory for 16 images at once, from epoch `first` on."""

    first = 1

    def _step(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        if len(self.curve) + 1 >= self.first and -(-len(labels) // self.config.micro_batches) > 16:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        super()._step(images, labels)


def test_a_batch_that_does_not_fit_is_trained_in_micro_batches(study: Study, parts: Parts) -> None:
    with pytest.raises(HeapFull):  # this process could try in vain: what it freed lies in pieces
        train(study, claim(study), parts, make_run=Small)
    row = train(study, claim(study), parts, make_run=Small)
    assert (row.state, [e["epoch"] for e in row.epochs]) == ("COMPLETE", [1, 2, 3])
    assert row.config is not None and (row.config.batch_size, row.config.micro_batches) == (32, 2)
    said = "too little memory for whole batches: trained in 2 micro-batches of up to 16 images, which BatchNorm sees one at a time"
    assert row.run["notes"] == [said]
    assert study.frozen_trials()[0].constraints == {}, "the sampler may go there again"
    copy = train(study, claim(study), parts)
    assert copy.run["outcome"] == "same_as", "the same configuration, whatever the memory of the device"


def test_where_memory_runs_out_later_the_trial_goes_on_from_its_checkpoint(study: Study, parts: Parts) -> None:
    trained = []

    class Later(Small):
        first = 2

        def _train_epoch(self, epoch: int) -> tuple[float, float]:
            trained.append((epoch, self.config.micro_batches))
            return super()._train_epoch(epoch)

    with pytest.raises(HeapFull):
        train(study, claim(study), parts, make_run=Later)
    row = train(study, claim(study), parts, make_run=Later)
    assert trained == [(1, 1), (2, 1), (2, 2), (3, 2)]
    assert (row.state, [e["epoch"] for e in row.epochs]) == ("COMPLETE", [1, 2, 3])


def test_a_full_disk_leaves_the_checkpoint_before_it_whole(study: Study, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []
    real = checkpoint.write

    def write(path: Path, config: TrialConfig, state: dict[str, Any], *, uid: str) -> checkpoint.Written:
        if len(state["curve"]) < 3:
            return real(path, config, state, uid=uid)
        monkeypatch.setattr(Path, "write_bytes", lambda self, content: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        try:
            return real(path, config, state, uid=uid)
        finally:
            kept.extend(sorted(each.name for each in path.parent.iterdir()))

    monkeypatch.setattr(checkpoint, "write", write)
    row = train(study, claim(study), parts)
    assert (row.state, row.reason, len(row.epochs)) == ("FAIL", "OSError: [Errno 28] No space left on device", 2)
    assert len(kept) == 2 and ".e2." in kept[0] and kept[1] == "trial-00000.json", "that of epoch 2, and nothing half written"


def test_a_worker_woken_late_writes_no_file_and_no_row(
    study: Study,
    parts: Parts,
    elsewhere: WorkerId,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It sleeps within epoch 3, while another takes the trial over; no heartbeat tells it when it wakes."""
    held = claim(study)
    said: list[Event] = []
    taken: list[Lease] = []

    def stop() -> bool:
        if not taken and isinstance(said[-1], EpochReported) and said[-1].score.epoch == 2:
            silence(study, held)
            taken.append(claim(study, elsewhere))
            monkeypatch.setattr("tuner.workers.leased_trial.read_lease_seconds", lambda: -1.0)  # as if more than a lease had passed
        return False

    row = train(study, held, parts, said.append, stop)
    assert taken[0].trial_id == held.trial_id
    assert said[-1] == TrialEnded(number=0, outcome=Outcome.TAKEN_OVER, reason="trial 0 was taken over by another worker")
    assert (row.state, len(row.epochs)) == ("RUNNING", 2)
    files = sorted(study.checkpoint_path(0).parent.iterdir())
    assert json.loads(files[-1].read_text())["epoch"] == 2 and len(files) == 2


def test_a_checkpoint_that_is_not_allowed_any_more_changes_no_file(study: Study, parts: Parts, tmp_path: Path) -> None:
    held = claim(study)
    train(study, held, parts)
    path = study.checkpoint_path(0)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    config = list_trials(study)[0].config
    assert config is not None
    run = Run(config, parts.train("none"), parts.val(), classes=10)
    next(run.epochs())

    def refuse() -> None:
        raise LeaseLost("gone")

    with pytest.raises(LeaseLost):
        checkpoint.save(path, run, uid=study.uid, allowed=refuse)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_a_refused_replay_is_noted_on_the_trial_and_said_once(study: Study, parts: Parts) -> None:
    said: list[Event] = []
    row = train(study, claim(study), parts, said.append, make_run=lambda *args, **options: Run(*args, **{**options, "recorder": Full()}))
    note = "steps are not replayed from a CUDA graph: there is too little memory to record it"
    assert (row.state, row.run["captured"], row.run["notes"]) == ("COMPLETE", False, [note])
    assert [event for event in said if isinstance(event, Message)] == [Message(text=f"trial 0: {note}")]


def test_a_duplicate_interrupted_before_its_first_epoch_still_takes_over_the_figures(study: Study, parts: Parts) -> None:
    first = train(study, claim(study), parts)
    held = claim(study)
    LeasedTrial(study, held).configure(threads=1, precision="fp32")
    study.leases.requeue(held)
    again = train(study, claim(study), parts)
    assert (again.number, again.state, again.run["same_as"]) == (1, "COMPLETE", 0)
    assert again.epochs == first.epochs


def test_a_trial_that_is_stopped_goes_on_from_its_last_epoch_and_counts_no_death(study: Study, parts: Parts, tmp_path: Path) -> None:
    through = train(make_study(tmp_path / "through"), claim(make_study(tmp_path / "through")), parts)
    reported: list[int] = []
    halfway = train(study, claim(study), parts, lambda event: reported.append(isinstance(event, EpochReported)), lambda: sum(reported) == 2)
    assert (halfway.state, len(halfway.epochs)) == ("WAITING", 2)
    begun: list[TrialStarted] = []
    held = claim(study)
    row = train(study, held, parts, lambda event: begun.append(event) if isinstance(event, TrialStarted) else None)
    assert (held.crashes, begun[0].epoch, row.state) == (0, 2, "COMPLETE")
    strip = [[{k: v for k, v in e.items() if k != "seconds"} for e in each.epochs] for each in (row, through)]
    assert strip[0] == strip[1] and row.value == through.value
    assert replace(row, epochs=[], run={}, config=None) == replace(through, epochs=[], run={}, config=None)
