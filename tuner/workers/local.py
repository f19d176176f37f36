"""Workers as processes of this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import Any, cast

from ..study.worker_id import WorkerId
from .engine import Worker
from .events import Command, Event
from .spawn import start
from .watch import Watcher, share
from .worker import EXIT_DEVICE_LOST, EXIT_STALLED, Assignment, work

Work = Callable[[Assignment, Connection], None]


class LocalWorker:
    """A spawned process and the pipe to it."""

    def __init__(self, assignment: Assignment, work: Work = work) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        shared = share()
        self._watcher = Watcher(shared)
        self._stalled: str | None = None
        self.process = context.Process(target=work, args=(replace(assignment, watched=shared), theirs), daemon=True)
        start(self.process)
        theirs.close()
        assert self.process.pid is not None
        self.worker_id: WorkerId | None = WorkerId.of(self.process.pid)

    @property
    def ended(self) -> bool:
        # One that is stuck in the kernel outlives even its kill for a while. It runs none of our code any more.
        return self._stalled is not None or self.process.exitcode is not None

    @property
    def code(self) -> int:
        return EXIT_STALLED if self._stalled is not None else self.process.exitcode or 0

    @property
    def cause(self) -> str:
        return self._stalled or describe_exit(self.code)

    def end_if_stalled(self) -> bool:
        """Kill it where a step takes too long. Whether that was so."""
        if not self.ended:
            self._stalled = self._watcher.look()
            if self._stalled is not None:
                self.process.kill()
        return self._stalled is not None

    def hear(self) -> list[Event]:
        heard: list[Event] = []
        try:
            while not self.connection.closed and self.connection.poll():
                heard.append(self.connection.recv())
        except (EOFError, OSError):
            self.connection.close()
        return heard

    def tell(self, command: Command) -> None:
        with contextlib.suppress(OSError):
            self.connection.send(command)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


class LocalEngine:
    """One process a worker, each a child of this one, whose main function is `work`."""

    def __init__(self, work: Work = work) -> None:
        self._work = work

    def start(self, assignment: Assignment) -> Worker:
        return LocalWorker(assignment, self._work)

    def wait(self, workers: Sequence[Worker], seconds: float) -> Sequence[Worker]:
        waited: dict[Any, LocalWorker] = {}
        for worker in cast(Sequence[LocalWorker], workers):
            waited[worker.process.sentinel] = worker
            if not worker.connection.closed:
                waited[worker.connection] = worker
        ready = [waited[each] for each in wait(list(waited), timeout=seconds)]
        ready += [worker for worker in cast(Sequence[LocalWorker], workers) if worker.end_if_stalled()]
        return list({id(worker): worker for worker in ready}.values())


def describe_exit(code: int) -> str:
    """Why a process ended, in words."""
    if code < 0:
        name = signal.Signals(-code).name
        return f"{name}: out of memory?" if name == "SIGKILL" else name
    return "its GPU failed" if code == EXIT_DEVICE_LOST else f"exit code {code}"
