"""Where the wall time of a real search goes: its own workers, with clocks round their public functions."""

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

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
        self.trials = 0
        self.claimed: float | None = None  # when the first claim began, time.time()

    def around(self, owner: Any, method: str, name: str) -> None:
        """Time every call of a function in place."""
        original = getattr(owner, method)

        @functools.wraps(original)
        def timed(*args: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return original(*args, **options)
            finally:
                self.seconds[name] += time.perf_counter() - began

        setattr(owner, method, timed)

    def around_epochs(self, owner: Any) -> None:
        """Time what the generator of epochs does, not what is done with each of them."""
        original = owner.epochs

        def epochs(run: Any) -> Iterator[Any]:
            scores = original(run)
            while True:
                began = time.perf_counter()
                try:
                    score = next(scores)
                except StopIteration:
                    return
                finally:
                    self.seconds["epochs"] += time.perf_counter() - began
                yield score

        owner.epochs = epochs


def timed_work(assignment: Assignment, connection: Connection) -> None:
    """A worker as it is, with clocks; its seconds go to a file."""
    from tuner import checkpoint, objective
    from tuner.claimed import ClaimedTrial
    from tuner.study.ledger import Ledger
    from tuner.train import Run

    clock = Clock()
    began = time.perf_counter()
    claim = Ledger.claim

    def first_claim(*args: Any, **options: Any) -> Any:
        clock.claimed = clock.claimed or time.time()
        return claim(*args, **options)

    Ledger.claim = first_claim  # type: ignore[method-assign]
    for owner, method, name in (
        (Run, "__init__", "building the network and its optimiser"),
        (Run, "evaluate", "evaluation"),
        (Ledger, "claim", "claiming"),
        (Ledger, "beat", "beats"),
        (ClaimedTrial, "configure", "parameters"),
        (ClaimedTrial, "duplicate", "looking for the same configuration"),
        (checkpoint, "save", "checkpoints"),
        (ClaimedTrial, "report", "reports"),
        (ClaimedTrial, "should_prune", "pruning"),
        (ClaimedTrial, "finish", "ending"),
        (objective, "tidy", "tidying"),
        (Signals, "say", "events"),
        (objective, "train_trial", "trials"),
    ):
        clock.around(owner, method, name)
    clock.around_epochs(Run)
    try:
        work(assignment, connection)
    finally:
        seconds = dict(clock.seconds) | {"all": time.perf_counter() - began}
        if clock.claimed is not None:
            seconds["start-up"] = clock.claimed - psutil.Process().create_time()
        Path(os.environ[TIMES], f"{os.getpid()}.json").write_text(json.dumps(seconds), encoding="utf-8")


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
    from tuner import search as searching
    from tuner.workers import local, supervisor

    spent: dict[str, float] = {}
    run: Callable[[Any], Any] = supervisor.Supervisor.run

    def timed(self: Any) -> Any:
        cpu, began = time.process_time(), time.perf_counter()
        try:
            return run(self)
        finally:
            spent["view"], spent["wall"] = time.process_time() - cpu, time.perf_counter() - began

    local.work = timed_work  # type: ignore[attr-defined]
    supervisor.Supervisor.run = timed  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        folder = Path(name)
        (folder / "times").mkdir()
        os.environ |= {TIMES: str(folder / "times"), "TUNER_CACHE": str(folder / "cache")}
        study = folder / "measured.yaml"
        study.write_text(STUDY.format(width=width, images=images, size=size, epochs=epochs), encoding="utf-8")
        with _terminal(), contextlib.redirect_stdout(io.StringIO()):
            searching.run(searching.Request(study=str(study), trials=trials, device="cpu", workers=workers))
        total: dict[str, float] = defaultdict(float)
        for path in (folder / "times").glob("*.json"):
            for key, seconds in json.loads(path.read_text(encoding="utf-8")).items():
                total[key] += seconds
    total["training"] = total.pop("epochs") - total["evaluation"]
    return dict(total) | spent | {"number": trials}
