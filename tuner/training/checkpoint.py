"""A training run on disk, whole at any moment.

    NAME.json                 which weights count, their checksum, whose they are, and the curve for people to read
    NAME.e3.89abcdef.pt       the run's state after epoch 3, with its checksum in the name

The JSON is the commit point: weights lie under a name of their own before it names them, and older ones go after.
So a process that is killed at any point leaves the older or the newer checkpoint, whole. Nothing is forced to the
disk: what a killed process wrote is safe in the kernel, and after a power cut the checksum finds what was lost.
"""

from __future__ import annotations

import io
import json
import os
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..config.trial_config import TrialConfig
from ..errors import UsageError
from .run import Run

_WEIGHTS = r"{}\.e\d+\.[0-9a-f]{{8}}\.pt"  # of the checkpoint of that name


class CheckpointError(Exception):
    """There is a checkpoint, but no run can resume from it; the text is the reason."""


@dataclass(frozen=True)
class Written:
    """A checkpoint whose files are written under temporary names: it counts from `commit` on."""

    path: Path
    files: dict[Path, Path]  # by the name that each will have, the name it has now; the weights come first

    def commit(self, allowed: Callable[[], None] = lambda: None) -> None:
        """Let it count. `allowed` is asked right before, and raises where it must not. After any error the one before counts."""
        try:
            allowed()
            for target, written in self.files.items():
                written.replace(target)
        except BaseException:
            self.discard()
            raise
        for old in _weights(self.path):
            if old not in self.files:
                old.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove what was written."""
        for written in self.files.values():
            written.unlink(missing_ok=True)


def write(path: Path, config: TrialConfig, state: dict[str, Any], *, uid: str) -> Written:
    """Write a run's `state` to the disk; nothing counts yet. `path` is the checkpoint's name without suffix; `uid` the id, of a
    study or of a folder, that `load` asks for.

    Uses nothing of the run, so it may be called in a thread beside its training. OSError when it cannot be written: then nothing
    is left of it.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getbuffer()
    epoch, crc32 = len(state["curve"]), zlib.crc32(content)
    weights = path.with_name(f"{path.name}.e{epoch}.{crc32:08x}.pt")
    commit = {
        "study": uid,
        "epoch": epoch,
        "weights": weights.name,
        "size": len(content),
        "crc32": crc32,
        "config": config.to_dict(),
        "curve": state["curve"],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # Both are written before either counts, so that a full disk is met while the old checkpoint stands.
    new: dict[Path, bytes | memoryview] = {weights: content, _json(path): json.dumps(commit, indent=1).encode()}
    written = Written(path, {target: path.with_name(f"{path.name}{target.suffix}.{os.getpid()}.tmp") for target in new})
    try:
        for target, temporary in written.files.items():
            temporary.write_bytes(new[target])
    except BaseException:
        written.discard()
        raise
    return written


def save(path: Path, run: Run, *, uid: str, allowed: Callable[[], None] = lambda: None) -> None:
    """Save a run between two epochs: `write` and `commit` at once."""
    write(path, run.config, run.state(), uid=uid).commit(allowed)


def load(path: Path, run: Run, *, uid: str) -> bool:
    """Bring a new run to where the checkpoint is; False when there is none.

    CheckpointError, with the run as it was, when it is damaged or belongs to another study or configuration.
    """
    state = read(path, run.config, uid=uid)
    if state is None:
        return False
    try:
        run.load_state(state)
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(f"{_json(path).name} does not fit: {error}") from None
    return True


def read(path: Path, config: TrialConfig, *, uid: str) -> dict[str, Any] | None:
    """The state of a run, as it was saved; None when there is none. CheckpointError as for `load`."""
    named = _json(path)
    if not named.exists():
        return None
    try:
        commit = json.loads(_read(named))
        whose, size, crc32 = (commit[key] for key in ("study", "size", "crc32"))
        if not re.fullmatch(_WEIGHTS.format(re.escape(path.name)), str(commit["weights"])):
            raise ValueError("the weights of something else")
        weights = path.with_name(commit["weights"])
        theirs = _read_config(commit["config"])
        # These may change: where memory runs out, and where the user accepts that his network's file was changed.
        same = theirs is not None and theirs.same_but_for(config, "micro_batches", "code")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise CheckpointError(f"{named.name} is damaged") from None
    if whose != uid:
        raise CheckpointError(f"{named.name} belongs to another study")
    if not same:
        raise CheckpointError(f"{named.name} belongs to another configuration")
    content = _read(weights)
    if len(content) != size or zlib.crc32(content) != crc32:
        raise CheckpointError(f"{weights.name} is damaged: its size or its checksum differs")
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever reading bytes of others meets
        said = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{weights.name} does not fit: {type(error).__name__}: {said}") from None
    return state


def read_uid(path: Path) -> str | None:
    """The id, of a study or of a folder, that a checkpoint belongs to; None where there is none, and empty where it is not said."""
    try:
        commit = json.loads(_json(path).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return ""
    return str(commit.get("study", "")) if isinstance(commit, dict) else ""


def remove(path: Path) -> None:
    """Remove the checkpoint, and what a killed process left of others."""
    _json(path).unlink(missing_ok=True)  # first: weights that no JSON names are no checkpoint
    for left in [*_weights(path), *_files(path, r"(json|pt)\.\d+\.tmp")]:
        left.unlink(missing_ok=True)


def _read_config(plain: dict[str, Any]) -> TrialConfig | None:
    """None for one that this version cannot read, and so has not written for this trial."""
    try:
        return TrialConfig.from_dict(plain)
    except UsageError:
        return None


def _json(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _weights(path: Path) -> list[Path]:
    return _files(path, r"e\d+\.[0-9a-f]{8}\.pt")


def _files(path: Path, suffix: str) -> list[Path]:
    # Exactly, because a glob takes trial-1's `trial-1.e1.e31bf1cd.pt` for one of a run that is called `trial-1.e1`.
    name = re.compile(rf"{re.escape(path.name)}\.{suffix}")
    return [file for file in path.parent.glob("*") if name.fullmatch(file.name)]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{file.name} cannot be read: {error.strerror}") from None
