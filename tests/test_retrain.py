"""`tuner train` on a machine that refuses: a line before anything is lost, and the folder says only what is true."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.test_failures import small_disk  # noqa: F401 - a fixture
from tuner.config.data_config import DataConfig
from tuner.config.trial_config import TrialConfig, write_config
from tuner.console.training import View
from tuner.errors import TunerError, UsageError
from tuner.retrain import retrain
from tuner.training import checkpoint
from tuner.training.checkpoint_writer import CheckpointWriter
from tuner.training.run import Run
from tuner.training.score import Score

DIGITS = DataConfig(source="digits", train_images=200, image_size=8, validation=0.2)
CONFIG = TrialConfig(width=0.0625, lr=0.02, batch_size=32, epochs=2, data=DIGITS)


def write(path: Path, config: TrialConfig = CONFIG) -> Path:
    path.write_text(write_config(config, fingerprint=None, origin={}))
    return path


def say_full(*args: Any, **options: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_a_line_and_the_same_command_works_once_there_is_room(
    tmp_path: Path,
    small_disk: Path,  # noqa: F811
) -> None:
    path, folder = write(tmp_path / "c.yaml"), small_disk / "out"
    folder.mkdir()
    free = os.statvfs(small_disk)
    (small_disk / "other").write_bytes(bytes((free.f_bavail - 1) * free.f_bsize))
    with pytest.raises(TunerError) as told:
        retrain(path, folder, progress=False)
    assert told.value.message.startswith(f"--out '{folder}' cannot be written to: No space left on device: make room there")
    assert not list(folder.iterdir())
    (small_disk / "other").unlink()
    assert len(retrain(path, folder, progress=False)["epochs"]) == 2


def test_an_epoch_is_told_of_as_soon_as_its_checkpoint_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not when the next epoch ends, which takes minutes on many images."""
    told: list[tuple[int, int] | str] = []
    begin = CheckpointWriter.begin

    def begin_and_wait(writer: CheckpointWriter, run: Run, score: Score) -> None:
        begin(writer, run, score)
        assert writer._writing is not None
        wait([writer._writing[1]])

    @contextmanager
    def record(*_: Any, **__: Any) -> Iterator[View]:
        yield View(step=lambda epoch, step, steps: told.append((epoch, step)), say=told.append)

    monkeypatch.setattr(CheckpointWriter, "begin", begin_and_wait)
    monkeypatch.setattr("tuner.retrain.show_steps", record)
    retrain(write(tmp_path / "c.yaml"), tmp_path / "out", progress=False)
    places = [index for index, each in enumerate(told) if isinstance(each, str)]
    assert [str(told[place])[:9] for place in places] == ["epoch 1/2", "epoch 2/2"]
    assert told[places[0] - 1] == (2, 0) and places[1] == len(told) - 1


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "__init__", lambda *args, **options: pytest.fail("it trains"))
    with pytest.raises(UsageError, match=r"--out '/proc/self' cannot be written to: .*: give another --out"):
        retrain(write(tmp_path / "c.yaml"), Path("/proc/self"), progress=False)


def test_files_of_two_trainings_are_never_taken_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, folder = write(tmp_path / "a.yaml"), write(tmp_path / "b.yaml", replace(CONFIG, lr=0.05)), tmp_path / "out"
    figures = retrain(first, folder, progress=False)
    kept = (folder / "weights.pt").read_bytes()
    for lacking in ("weights.pt", "config.yaml", "result.json"):

        def move(self: Path, target: Path, lacking: str = lacking) -> Path:
            if target.name == lacking:
                say_full()
            return self.rename(target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", move)
            with pytest.raises(TunerError, match="cannot be written to: No space left on device"):
                retrain(second, folder, progress=False, force=True)
        assert not (folder / "result.json").exists() and not list(folder.glob("*.tmp"))
        if lacking == "weights.pt":
            assert (folder / "weights.pt").read_bytes() == kept
    assert retrain(second, folder, progress=False)["stamp"] != figures["stamp"]
    with pytest.raises(UsageError, match=r"holds another training \(result.json, weights.pt\): give another --out, or --force"):
        retrain(first, folder, progress=False)
    again = retrain(first, folder, progress=False, force=True)
    assert {**again, "seconds": 0, "epochs": 0} == {**figures, "seconds": 0, "epochs": 0}
    assert [{**e, "seconds": 0} for e in again["epochs"]] == [{**e, "seconds": 0} for e in figures["epochs"]]
    assert sorted(file.name for file in folder.iterdir()) == ["config.yaml", "result.json", "weights.pt"]


@pytest.mark.parametrize("step", ["__init__", "epochs", "evaluate"])
def test_memory_that_runs_out_anywhere_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def run_out(*args: Any, **options: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(Run, step, run_out)
    with pytest.raises(TunerError, match="out of memory on cpu: micro_batches: 2 in the file may fit"):
        retrain(write(tmp_path / "c.yaml"), tmp_path / "out", progress=False)
    assert checkpoint.read(tmp_path / "out" / "checkpoint", CONFIG, uid="") is None
