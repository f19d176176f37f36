"""Workers placed by Ray: the same processes, on whatever machine of a cluster has room for them."""

from __future__ import annotations

import importlib
import logging
import math
import os
import socket
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, cast

from .. import __version__
from ..config.data_sources import make_absolute
from ..config.environment import SECONDS
from ..errors import TunerError, UsageError
from ..placement import Placement, count_cores
from ..study.retry import read_outage_seconds
from ..study.storage import read_first_line
from ..study.study import Study
from ..study.worker_id import WorkerId
from .engine import Worker
from .events import Command, Event, WorkerFailed
from .local import LocalEngine, LocalWorker
from .worker import Assignment

HEAR_SECONDS = 5.0  # how long a question to a worker's host stays open
KILL_SECONDS = 5.0
WATCH_SECONDS = 0.5
REACH_SECONDS = 5.0
UNHEARD_SECONDS = 60.0  # a host that nobody asks for so long, and an outage's time besides, has lost its supervisor
AGAIN_SECONDS = 0.2
OBJECTS = 100_000_000  # bytes of Ray's shared memory: nothing of ours travels through it
LOST = -1  # the exit code of a worker whose machine, or process there, is gone
SHARED = tuple(SECONDS)  # settings that all workers of a study must agree on


class Host:
    """Lives in a process of Ray's, where Ray has found room, and keeps one worker there. The worker ends with that process."""

    def __init__(self) -> None:
        self._asked = time.monotonic()
        threading.Thread(target=self._watch, args=(os.getppid(),), daemon=True).start()
        self._said: list[Event] = []  # from number `_first` on, until the supervisor has them
        self._first = 0

    def begin(self, assignment: Assignment, version: str, settings: dict[str, str]) -> str:
        """Start the worker. Its id. Errors: TunerError where another version of tuner is installed here."""
        if version != __version__:
            raise TunerError(
                f"tuner {__version__} is installed on {socket.gethostname()}, {version} where the search runs: install the same"
            )
        os.environ.update(settings)
        self._worker = LocalWorker(assignment)
        return str(self._worker.worker_id)

    def hear(self, seen: int, seconds: float) -> tuple[int, list[Event], tuple[int, str] | None]:
        """What was said from number `seen` on, after at most so many seconds, and the exit code with its cause at the end."""
        self._asked = time.monotonic()
        del self._said[: seen - self._first]
        self._first = seen
        if not self._said:
            until = time.monotonic() + seconds
            while not LocalEngine().wait([self._worker], min(seconds, WATCH_SECONDS)) and time.monotonic() < until:
                pass
        gone = self._worker.ended
        self._said += self._worker.hear()
        return self._first, list(self._said), (self._worker.code, self._worker.cause) if gone else None

    def tell(self, command: Command) -> None:
        self._worker.tell(command)

    def kill(self) -> None:
        self._worker.kill()

    def _watch(self, raylet: int) -> None:
        """End where the node is lost: Ray itself looks every ten seconds only, and until then the worker would train for nobody."""
        unheard = read_outage_seconds() + UNHEARD_SECONDS  # a supervisor that waits for its database asks nobody
        while os.getppid() == raylet and time.monotonic() - self._asked < unheard:
            time.sleep(WATCH_SECONDS)
        os._exit(1)


class RayWorker:
    """A worker somewhere in the cluster, or one that waits for a place there."""

    def __init__(self, engine: RayEngine, assignment: Assignment) -> None:
        self._ray = engine.ray
        options = {"num_cpus": assignment.placement.threads, "num_gpus": engine.gpus, "max_concurrency": 4}
        self._host = self._ray.remote(Host).options(**options).remote()
        settings = {name: os.environ[name] for name in SHARED if name in os.environ}
        self.asked = self._host.begin.remote(assignment, __version__, settings)
        self.worker_id: WorkerId | None = None
        self._seen = 0
        self._heard: list[Event] = []
        self._end: tuple[int, str] | None = None

    @property
    def ended(self) -> bool:
        return self._end is not None

    @property
    def code(self) -> int:
        return self._end[0] if self._end else 0

    @property
    def cause(self) -> str:
        return self._end[1] if self._end else ""

    def hear(self) -> list[Event]:
        heard, self._heard = self._heard, []
        return heard

    def tell(self, command: Command) -> None:
        if self.worker_id is not None:
            self._host.tell.remote(command)
        elif command is not Command.GO_ON:
            self.kill()  # it never began

    def kill(self) -> None:
        if self.worker_id is not None and not self.ended:
            # Killed with its host only, the worker would first put its trial back in the queue.
            with suppress(self._ray.exceptions.RayError):
                self._ray.get(self._host.kill.remote(), timeout=KILL_SECONDS)
        self._over(LOST, "killed")

    def take_answer(self) -> None:
        """Take in the answer to what was asked, and ask again."""
        errors = self._ray.exceptions
        try:
            answer = self._ray.get(self.asked)
        except errors.RayTaskError as error:
            self._heard.append(WorkerFailed(text=read_first_line(error.cause or error)))
            self._over(1, "it could not begin")
            return
        except errors.ActorUnavailableError:  # a network's trouble: what was said is still there
            answer = None
            time.sleep(AGAIN_SECONDS)
        except errors.RayActorError:
            self._over(LOST, "its machine, or its process there, is gone")
            return
        except errors.RayError as error:
            self._over(LOST, read_first_line(error))
            return
        if isinstance(answer, str):
            self.worker_id = WorkerId.parse(answer)
        elif answer is not None:
            first, said, end = answer
            new = said[self._seen - first :]
            self._heard += new
            self._seen += len(new)
            if end is not None:
                self._over(*end)
                return
        self.asked = self._host.hear.remote(self._seen, HEAR_SECONDS)

    def _over(self, code: int, cause: str) -> None:
        if self._end is None:
            self._end = (code, cause)
            with suppress(self._ray.exceptions.RayError):
                self._ray.kill(self._host)  # its place is free again


class RayEngine:
    """A Ray cluster, connected. `gpus` is each worker's share of one.

    Errors: UsageError where the study's SQLite file cannot be seen by all machines.
    """

    def __init__(self, ray: Any, study: Study, gpus: float) -> None:
        self.ray = ray
        self.gpus = gpus
        self._study = study
        others = {node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]} - {socket.gethostname()}
        if study.storage.path is not None and others:
            raise UsageError(
                f"storage {str(study.storage)!r} is a file of this machine, and the cluster has others ({', '.join(sorted(others))}): "
                "use --storage postgresql://..."
            )

    def start(self, assignment: Assignment) -> Worker:
        # A worker on Ray runs in another folder, so relative paths are made absolute.
        path, named = self._study.storage.path, assignment.source or self._study.config.data.source
        url = assignment.url if path is None else f"sqlite:///{path}"
        source = make_absolute(named)
        return RayWorker(self, replace(assignment, url=url, source=source))

    def wait(self, workers: Sequence[Worker], seconds: float) -> Sequence[Worker]:
        ours = cast(Sequence[RayWorker], workers)
        if ended := [worker for worker in ours if worker.ended]:
            return ended
        asked = {worker.asked: worker for worker in ours}
        ready, _ = self.ray.wait(list(asked), num_returns=1, timeout=seconds)
        if ready:
            ready, _ = self.ray.wait(list(asked), num_returns=len(asked), timeout=0)
        for each in ready:
            asked[each].take_answer()
        return [asked[each] for each in ready]

    def placements(self, workers: int | None, *, at_most: int, threads: int, precision: str, capture: bool | None) -> list[Placement]:
        """One a worker: as many as asked for, or as the cluster has room for.

        Errors: UsageError where no machine of the cluster has room for one.
        """
        room = sum(_room(node["Resources"], threads, self.gpus) for node in self.ray.nodes() if node["Alive"])
        if room == 0:
            share = f" and {self.gpus:g} of a GPU (--gpus-per-worker)" if self.gpus else ""
            raise UsageError(f"no machine of the Ray cluster has {threads} CPU cores (--threads){share} for a worker: ask for less")
        # Ray shows a worker its own GPU only, as the first.
        placement = Placement(device="cuda:0" if self.gpus else "cpu", threads=threads, precision=precision, capture=capture)
        return [placement] * (workers or min(room, at_most))


def _room(resources: dict[str, float], threads: int, gpus: float) -> int:
    """The workers that fit one machine. A share of a GPU is of one GPU, and shares of two make none."""
    room = int(resources.get("CPU", 0) // threads)
    if gpus:
        whole = int(resources.get("GPU", 0))
        room = min(room, math.floor(whole / gpus) if gpus >= 1 else whole * math.floor(1 / gpus))
    return room


@contextmanager
def connect_ray(study: Study, address: str | None, *, gpus: float | None, device: str, local_cpus: int) -> Iterator[RayEngine]:
    """A cluster that is there, or one of this machine's own, which ends with the search.

    `gpus` None takes a GPU a worker where the cluster has any, unless the device is the CPU.
    Errors: UsageError without Ray, TunerError where the cluster does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError:
        raise UsageError("--engine ray needs Ray: pip install 'optuna-tuner[ray]'") from None
    if address is not None:
        _check_reach(address)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
        try:
            if address is None:
                own = {"num_cpus": max(count_cores(), local_cpus), "object_store_memory": OBJECTS, "include_dashboard": False}
                ray.init(address="local", **own, **quiet)
            else:
                ray.init(address=address, **quiet)
        except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
            raise TunerError(f"Ray at {address or 'this machine'!r} does not answer: {read_first_line(error)}") from None
    try:
        if gpus is None:
            gpus = 1.0 if device != "cpu" and ray.cluster_resources().get("GPU") else 0.0
        yield RayEngine(ray, study, gpus)
    finally:
        ray.shutdown()


def _check_reach(address: str) -> None:
    """Fail soon, where Ray itself tries for minutes. Errors: TunerError where nothing listens at HOST:PORT."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        return  # `auto`, or a name that Ray knows
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_SECONDS).close()
    except OSError as error:
        raise TunerError(f"Ray at {address!r} does not answer ({read_first_line(error)}): start it there, or leave --address out") from None
