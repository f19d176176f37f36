"""How many workers one GPU is given: tried by training on it side by side."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from ..config.study_config import StudyConfig
from ..data import load, split
from ..data.parts import Parts
from ..models.own_code import Code, list_permitted, permit
from ..placement import Placement
from ..signals import STOP_SIGNALS
from ..study.examples import find_extreme, find_middle
from ..study.study import Study
from .precision import PRECISION
from .spawn import start

MOST = 8
GAIN = 1.1  # what twice as many workers must train more, all together
SECONDS = 2.0  # of training a measurement
STEPS = 20  # until the device is waited for
STARTED_SECONDS = 120.0
LEAST_IMAGES = 5_000_000  # what a search must train for trying to pay: it takes about half a minute


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a process trains to try how it goes beside others."""

    config: dict[str, Any]
    source: str | None
    placement: Placement
    code: tuple[Code, ...] = field(default_factory=list_permitted)


def choose_workers(study: Study, placement: Placement, source: str | None, n_trials: int, say: Callable[[str], None]) -> int:
    """The number of workers for a GPU: what was found for the study on this kind of GPU, else tried now where the search is long.

    What is found stands with the study, with the images a second of all together.
    """
    from ..training.provenance import name_device

    name = f"workers on {name_device(placement.device)}"
    found = study.find_decision(name)
    if found is None:
        config = study.config.override(source=source)
        train, _ = split(load(config.data), config.data)
        if n_trials * min(config.possible("epochs")) * len(train) < LEAST_IMAGES:
            return 1
        say(f"trying how many workers {placement.device} is best given")
        decided = study.find_decision(PRECISION) or {"precision": "fp32"}
        trial = Trial(config=study.config.to_dict(), source=source, placement=replace(placement, precision=decided["precision"]))
        with Crew(trial) as crew:
            count, speeds = double_while_it_pays(crew.measure, min(MOST, n_trials))
        found = study.decide(name, {"workers": count, "images_per_second": {str(n): round(speed, 1) for n, speed in speeds.items()}})
        told = ", ".join(f"{n}: {float(speed):,.0f}" for n, speed in found["images_per_second"].items())
        say(f"{found['workers']} worker(s) for each GPU; images a second of all together: {told}")
    return int(found["workers"])


def double_while_it_pays(measure: Callable[[int], float | None], at_most: int) -> tuple[int, dict[int, float]]:
    """The largest of 1, 2, 4, … workers that train at least `GAIN` times as much as half of them, and the speeds measured.

    `measure` gives the images a second of so many workers together; None where memory does not hold them.
    """
    speeds: dict[int, float] = {}
    count = 1
    while count <= at_most and (speed := measure(count)) is not None:
        speeds[count] = speed
        if count > 1 and speed < GAIN * speeds[count // 2]:
            break
        count *= 2
    return max(count // 2, 1), speeds


class Crew:
    """Processes that train the middle of a space on one GPU, all at once, when told to. They end with the `with`."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._members: list[tuple[multiprocessing.process.BaseProcess, Connection]] = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process, connection in self._members:
            process.kill()
            process.join()
            connection.close()

    def measure(self, count: int) -> float | None:
        """Images a second of `count` processes together; None where one of them has too little memory, or dies."""
        context = multiprocessing.get_context("spawn")
        while len(self._members) < count:
            ours, theirs = context.Pipe()
            process = context.Process(target=train_when_told, args=(self._trial, theirs), daemon=True)
            start(process)
            theirs.close()
            self._members.append((process, ours))
            if self._hear(ours, STARTED_SECONDS) != "ready":
                return None
        for _, connection in self._members:
            connection.send(SECONDS)
        speeds = [self._hear(connection, 10 * SECONDS) for _, connection in self._members]
        return sum(speeds) if all(isinstance(speed, float) for speed in speeds) else None

    def _hear(self, connection: Connection, seconds: float) -> Any:
        try:
            return connection.recv() if connection.poll(seconds) else None
        except (EOFError, OSError):
            return None


def train_when_told(trial: Trial, connection: Connection) -> None:
    """A process's main function: a step of the largest network, to see that it fits, then steps of the middle one, as often as told."""
    import torch

    from ..training.cuda_graph import choose_recorder
    from ..training.memory import is_out_of_memory
    from ..training.run import Run

    for number in STOP_SIGNALS:  # they reach the whole group; whoever started this process ends it
        signal.signal(number, signal.SIG_IGN)
    permit(trial.code)
    config, placement = StudyConfig.from_dict(trial.config).override(source=trial.source), trial.placement
    parts = Parts(load(config.data), config.data, placement.device)

    def make(example: Any) -> Run:
        example = replace(example, precision=placement.precision, threads=placement.threads)
        recorder = choose_recorder(placement.device, placement.capture)
        run = Run(example, parts.train(example.augment), None, classes=parts.classes, device=placement.device, recorder=recorder)
        run.network.train()
        return run

    def train(run: Run, seconds: float) -> float:
        rows = torch.arange(run.config.batch_size, device=placement.device)
        began, steps = time.perf_counter(), 0
        while steps == 0 or time.perf_counter() - began < seconds:
            for _ in range(STEPS):
                run.step(*run.train.batch(rows, torch.Generator().manual_seed(steps)))
                steps += 1
            run.sums.means(1)  # waits for the device, so that the time is its own
        return steps * run.config.batch_size / (time.perf_counter() - began)

    try:
        train(make(find_extreme(config, max)), 0)
        run = make(find_middle(config))
        train(run, 0)
        connection.send("ready")
        while True:
            connection.send(train(run, connection.recv()))
    except (EOFError, OSError):
        return
    except RuntimeError as fault:
        if not is_out_of_memory(fault):
            raise
        connection.send("out of memory")
