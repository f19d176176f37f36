"""Checkpoints written beside the next epoch, so that a device does not wait for a disk."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from . import checkpoint
from .run import Run
from .score import Score


class CheckpointWriter:
    """Writes one checkpoint at a time in a thread. None counts before `commit`, which the caller's own thread calls.

    So an epoch may be told of when `commit` has returned it, and not before. To be used in a `with`: at its end what was not
    committed is removed.
    """

    def __init__(self, path: Path, *, uid: str) -> None:
        self._path = path
        self._uid = uid
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._writing: tuple[Score, Future[checkpoint.Written]] | None = None

    def begin(self, run: Run, score: Score) -> None:
        """Copy the state of a run that has just trained the epoch of `score`, and begin to write it. The one before has to be committed."""
        assert self._writing is None, "the checkpoint before is not committed"
        written = self._thread.submit(checkpoint.write, self._path, run.config, run.state(), uid=self._uid)
        self._writing = score, written

    @property
    def written(self) -> bool:
        """Whether one was begun that can be committed without waiting for the disk."""
        return self._writing is not None and self._writing[1].done()

    def commit(self, allowed: Callable[[], None] = lambda: None) -> Score | None:
        """Wait until it is written, and let it count. Returns its epoch's score; None where nothing was begun.

        `allowed` raises where it must not count. Errors: those of `checkpoint.write` and of `allowed`.
        """
        if self._writing is None:
            return None
        (score, writing), self._writing = self._writing, None
        writing.result().commit(allowed)
        return score

    def __enter__(self) -> CheckpointWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._thread.shutdown()
        if self._writing is not None and self._writing[1].exception() is None:
            self._writing[1].result().discard()
