"""A checkpoint is whole or refused, whatever happened to it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.runs import CONFIG, make, same
from tuner.config.trial_config import TrialConfig
from tuner.training import checkpoint
from tuner.training.checkpoint import CheckpointError, load, remove, save
from tuner.training.run import Run
from tuner.training.score import Score


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / "trial-00001"


@pytest.fixture
def run() -> Run:
    return make(CONFIG)


@pytest.fixture
def saved(run: Run, path: Path) -> Iterator[Score]:
    """A run with a checkpoint after its first epoch; each next() trains an epoch more and saves nothing."""
    epochs = run.epochs()
    next(epochs)
    save(path, run, uid="s1")
    return epochs


def names(path: Path) -> list[str]:
    return sorted(file.suffix for file in path.parent.iterdir())


def weights_file(path: Path) -> Path:
    (file,) = path.parent.glob("*.pt")
    return file


def epoch_on_disk(path: Path) -> int:
    run = make(CONFIG)
    assert load(path, run, uid="s1")
    return len(run.curve)


def test_where_there_is_none_load_is_false(path: Path, run: Run) -> None:
    assert load(path, run, uid="s1") is False
    remove(path)


def test_a_run_goes_on_from_its_checkpoint_as_if_nothing_had_been(path: Path, run: Run, saved: Iterator[Score]) -> None:
    other = make(CONFIG)
    assert load(path, other, uid="s1") is True
    assert same(other.weights(), run.weights()) and other.curve == run.curve
    assert list(other.epochs()) == [*run.curve, *saved]
    assert same(other.weights(), run.weights())


def test_there_is_one_pair_of_files_and_the_newest(path: Path, run: Run, saved: Iterator[Score]) -> None:
    for _ in saved:
        save(path, run, uid="s1")
        save(path, run, uid="s1")
        assert names(path) == [".json", ".pt"] and f".e{len(run.curve)}." in weights_file(path).name
    assert epoch_on_disk(path) == 3
    commit = json.loads(path.with_name("trial-00001.json").read_text())
    assert commit["epoch"] == 3 and commit["study"] == "s1" and [row["epoch"] for row in commit["curve"]] == [1, 2, 3]
    assert TrialConfig.from_dict(commit["config"]) == CONFIG
    content = torch.load(weights_file(path), weights_only=True)
    assert list(content["weights"]) == list(run.weights())


def test_names_that_begin_alike_are_kept_apart(path: Path, run: Run, saved: Iterator[Score]) -> None:
    for other in ("trial-0000", "trial-00001.e1", "trial-[0]*"):
        save(path.with_name(other), run, uid="s1")
    next(saved)
    save(path.with_name("trial-[0]*"), run, uid="s1")
    remove(path.with_name("trial-0000"))
    remove(path.with_name("trial-[0]*"))
    assert epoch_on_disk(path) == 1
    remove(path.with_name("trial-00001.e1"))
    assert names(path) == [".json", ".pt"]
    remove(path)
    assert names(path) == []


@pytest.mark.parametrize(
    ("removed", "theirs"),
    [
        ("trial-1.e1", "trial-1.e1.e31bf1cd.pt"),  # of trial-1; every sixteenth checksum begins with an e
        ("trial-1", "trial-1.e1.e2.89abcdef.pt"),
        ("trial-1", "trial-1.e1.pt.7.tmp"),
    ],
)
def test_a_file_of_another_name_is_not_removed(tmp_path: Path, removed: str, theirs: str) -> None:
    (tmp_path / theirs).touch()
    remove(tmp_path / removed)
    assert (tmp_path / theirs).exists()


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGES = {
    "a flipped bit": lambda path: flip(weights_file(path)),
    "a truncated file": lambda path: os.truncate(weights_file(path), 1000),
    "an empty file": lambda path: os.truncate(weights_file(path), 0),
    "no weights": lambda path: weights_file(path).unlink(),
    "a truncated JSON": lambda path: os.truncate(path.with_name("trial-00001.json"), 100),
    "an empty JSON": lambda path: os.truncate(path.with_name("trial-00001.json"), 0),
    "another JSON": lambda path: path.with_name("trial-00001.json").write_text("[1, 2]"),
    "binary": lambda path: path.with_name("trial-00001.json").write_bytes(b"\xff\x00\xfe"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_found_and_nothing_is_loaded(damage, path: Path, saved: Iterator[Score]) -> None:  # type: ignore[no-untyped-def]
    damage(path)
    fresh = make(CONFIG)
    before = fresh.weights()
    with pytest.raises(CheckpointError, match=r"damaged|cannot be read"):
        load(path, fresh, uid="s1")
    assert same(fresh.weights(), before) and fresh.curve == []
    remove(path)
    assert names(path) == [] and load(path, fresh, uid="s1") is False


def test_another_study_s_and_another_configuration_s_are_refused(path: Path, run: Run, saved: Iterator[Score]) -> None:
    with pytest.raises(CheckpointError, match="another study"):
        load(path, make(CONFIG), uid="s2")
    for other in (replace(CONFIG, lr=0.04), replace(CONFIG, threads=2), replace(CONFIG, width=0.2)):
        with pytest.raises(CheckpointError, match="another configuration"):
            load(path, make(other), uid="s1")


class Killed(BaseException):
    pass


def kill_at(monkeypatch: pytest.MonkeyPatch, method: str, call: int, fault: BaseException | None = None, half: bool = False) -> None:
    """Let the n-th call of a Path method be the last thing that this process does, before it or in the middle of it."""
    calls, true = [], getattr(Path, method)

    def wrapped(self: Path, *args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) != call:
            return true(self, *args, **options)
        if half:
            true(self, args[0][: len(args[0]) // 2])  # type: ignore[index]
        raise fault or Killed

    monkeypatch.setattr(Path, method, wrapped)


@pytest.mark.parametrize(
    ("method", "call", "half", "epoch"),
    [
        ("write_bytes", 1, False, 1),
        ("write_bytes", 1, True, 1),
        ("write_bytes", 2, False, 1),
        ("write_bytes", 2, True, 1),
        ("replace", 1, False, 1),
        ("replace", 2, False, 1),  # the new weights are there, and nothing names them
        ("unlink", 1, False, 2),  # the old weights are still there
    ],
)
def test_killed_at_any_point_the_older_or_the_newer_is_whole(
    method: str, call: int, half: bool, epoch: int, path: Path, run: Run, saved: Iterator[Score], monkeypatch: pytest.MonkeyPatch
) -> None:
    next(saved)
    with monkeypatch.context() as patch:
        kill_at(patch, method, call, half=half)
        with pytest.raises(Killed):
            save(path, run, uid="s1")
    assert epoch_on_disk(path) == epoch
    save(path, run, uid="s1")
    assert epoch_on_disk(path) == 2
    remove(path)
    assert names(path) == [], "what the killed process left goes too"


def test_saving_the_same_epoch_again_and_being_killed_harms_nothing(
    path: Path, run: Run, saved: Iterator[Score], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run taken up again saves its epoch anew; should the bytes differ, they lie under another name."""
    run.curve[0] = replace(run.curve[0], seconds=1e6)
    with monkeypatch.context() as patch:
        kill_at(patch, "replace", 2)
        with pytest.raises(Killed):
            save(path, run, uid="s1")
    assert epoch_on_disk(path) == 1


@pytest.mark.parametrize("call", [1, 2])
def test_a_full_disk_leaves_the_old_one_and_no_litter(
    call: int, path: Path, run: Run, saved: Iterator[Score], monkeypatch: pytest.MonkeyPatch
) -> None:
    next(saved)
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    with monkeypatch.context() as patch:
        kill_at(patch, "write_bytes", call, OSError(errno.ENOSPC, "No space left on device"), half=True)
        with pytest.raises(OSError, match="No space left"):
            save(path, run, uid="s1")
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before
    assert epoch_on_disk(path) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_the_kernel_s_own_full_disk(path: Path, run: Run, saved: Iterator[Score], monkeypatch: pytest.MonkeyPatch) -> None:
    next(saved)
    true = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda self, content: true(Path("/dev/full"), content))
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(path, run, uid="s1")
    assert epoch_on_disk(path) == 1
