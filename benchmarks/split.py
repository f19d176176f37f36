"""Where the wall time of a real search goes: its own workers, with clocks round their functions."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import pty
import select
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from tuner.search.request import Request
from tuner.search.run import run
from tuner.study.leases import Leases
from tuner.training.checkpoint_writer import CheckpointWriter
from tuner.training.run import Run
from tuner.training.score import Score
from tuner.workers.engine import Worker
from tuner.workers.leased_trial import LeasedTrial
from tuner.workers.local import LocalEngine
from tuner.workers.objective import tidy, train_trial
from tuner.workers.worker import Assignment, Signals, work

TIMES = "TUNER_BENCHMARK_TIMES"  # the folder in which each worker leaves its seconds
# What a worker's seconds are called, in the order in which they are shown.
WORK = ("training", "evaluation", "building the network and its optimiser")
AROUND = (
    "claiming",
    "parameters",
    "looking for the same configuration",
    "checkpoints",
    "reports",
    "pruning",
    "ending",
    "tidying",
    "events",
)

STUDY = """
model: mynet
width: {width}
data: digits
train_images: {images}
image_size: {size}
validation: 0.2
sampler: {{name: tpe, n_startup_trials: 1}}
# Asked after every epoch, with all its work, but never cutting a trial short.
pruner: {{name: median, n_startup_trials: 1, n_min_trials: 1000}}
space:
  lr: {{low: 1.0e-4, high: 1.0e-2, log: true}}
  batch_size: [32, 64]
  momentum: {{low: 0.8, high: 0.95}}
  weight_decay: [0.0, 1.0e-4]
  label_smoothing: [0.0, 0.1]
  epochs: {epochs}
  widths: {{stem: [1.0, 1.5]}}
"""


class Clock:
    """Seconds by name, of one worker."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.claimed: float | None = None  # when the first claim began, time.time()
        self._training: int | None = None  # the thread that trains an epoch just now
        self._between = (
            0.0  # seconds of this epoch that went to what is timed by itself: an epoch is reported between two steps of the next
        )

    def timed(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        """The function, with a clock round it."""

        @functools.wraps(call)
        def timed(*args: Any, **options: Any) -> Any:
            between = threading.get_ident() == self._training
            if between:
                self._training = None
            began = time.perf_counter()
            try:
                return call(*args, **options)
            finally:
                spent = time.perf_counter() - began
                self.seconds[name] += spent
                if between:
                    self._training = threading.get_ident()
                    self._between += spent

        return timed

    def next_epoch(self, scores: Iterator[Score]) -> Score:
        """The next of a generator of epochs, timed without its evaluation and what is done between its steps."""
        self._training, self._between = threading.get_ident(), 0.0
        began = time.perf_counter()
        try:
            return next(scores)
        finally:
            self.seconds["training"] += time.perf_counter() - began - self._between
            self._training = None

    def run(self) -> type[Run]:
        """A Run that times its building, its evaluations, and its training, not what is done with each epoch."""
        clock = self

        class TimedRun(Run):
            __init__ = clock.timed(Run.__init__, "building the network and its optimiser")  # type: ignore[assignment]
            evaluate = clock.timed(Run.evaluate, "evaluation")  # type: ignore[assignment]

            def epochs(self) -> Iterator[Score]:
                scores = super().epochs()
                with contextlib.suppress(StopIteration):
                    while True:
                        yield clock.next_epoch(scores)

        return TimedRun


def timed_work(assignment: Assignment, connection: Connection) -> None:
    """A worker as it is, with clocks; its seconds go to a file."""
    clock = Clock()
    began = time.perf_counter()
    # A worker makes these objects itself, so the clocks go round their methods.
    for owner, method, name in (
        (Leases, "claim", "claiming"),
        (Leases, "heartbeat", "beats"),
        (LeasedTrial, "configure", "parameters"),
        (LeasedTrial, "find_duplicate", "looking for the same configuration"),
        (LeasedTrial, "report", "reports"),
        (LeasedTrial, "should_prune", "pruning"),
        (LeasedTrial, "finish", "ending"),
        (CheckpointWriter, "begin", "checkpoints"),
        (CheckpointWriter, "commit", "checkpoints"),
        (Signals, "say", "events"),
    ):
        setattr(owner, method, clock.timed(getattr(owner, method), name))
    claim = Leases.claim

    def first_claim(*args: Any) -> Any:
        clock.claimed = clock.claimed or time.time()
        return claim(*args)

    Leases.claim = first_claim  # type: ignore[method-assign]
    train = functools.partial(train_trial, make_run=clock.run())
    try:
        work(assignment, connection, train=clock.timed(train, "trials"), tidy=clock.timed(tidy, "tidying"))
    finally:
        seconds = dict(clock.seconds) | {"all": time.perf_counter() - began}
        if clock.claimed is not None:
            seconds["start-up"] = clock.claimed - psutil.Process().create_time()
        Path(os.environ[TIMES], f"{os.getpid()}.json").write_text(json.dumps(seconds), encoding="utf-8")


class TimedEngine(LocalEngine):
    """Workers with clocks, and the supervisor's own time: from the first worker's start to the last time it listens."""

    def __init__(self) -> None:
        super().__init__(timed_work)
        self.began: tuple[float, float] | None = None
        self.ended = (0.0, 0.0)

    def start(self, assignment: Assignment) -> Worker:
        self.began = self.began or _now()
        return super().start(assignment)

    def wait(self, workers: Sequence[Worker], seconds: float) -> Sequence[Worker]:
        ready = super().wait(workers, seconds)
        self.ended = _now()
        return ready

    def spent(self) -> dict[str, float]:
        """`view`, the supervisor's CPU with the live view's, and `wall`, in seconds."""
        assert self.began is not None, "no worker was started"
        return {"view": self.ended[0] - self.began[0], "wall": self.ended[1] - self.began[1]}


def _now() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


@contextmanager
def _terminal() -> Iterator[None]:
    """stderr as a terminal of its own, so that the live view is drawn; what is drawn is read and dropped."""
    leader, follower = pty.openpty()
    done = threading.Event()
    reader = threading.Thread(target=_drain, args=(leader, done), daemon=True)
    reader.start()
    kept = sys.stderr
    try:
        with os.fdopen(follower, "w") as sys.stderr:
            yield
    finally:
        sys.stderr = kept
        done.set()
        reader.join()
        os.close(leader)


def _drain(leader: int, done: threading.Event) -> None:
    # Its other end may stay open: multiprocessing hands stderr on to a process of its own.
    with contextlib.suppress(OSError):
        while not done.is_set():
            if select.select([leader], [], [], 0.1)[0]:
                os.read(leader, 1 << 16)


def search(*, trials: int, workers: int, width: float, images: int, size: int, epochs: int) -> dict[str, float]:
    """Run a search and return the seconds of all its workers by name; `view` is the supervisor's CPU, `wall` the search's."""
    engine = TimedEngine()
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        folder = Path(name)
        (folder / "times").mkdir()
        os.environ |= {TIMES: str(folder / "times"), "TUNER_CACHE": str(folder / "cache")}
        study = folder / "measured.yaml"
        study.write_text(STUDY.format(width=width, images=images, size=size, epochs=epochs), encoding="utf-8")
        with _terminal(), contextlib.redirect_stdout(io.StringIO()):
            run(Request(study=str(study), trials=trials, device="cpu", workers=workers), engine=engine)
        total: dict[str, float] = defaultdict(float)
        for path in (folder / "times").glob("*.json"):
            for key, seconds in json.loads(path.read_text(encoding="utf-8")).items():
                total[key] += seconds
    return dict(total) | engine.spent() | {"number": trials}
