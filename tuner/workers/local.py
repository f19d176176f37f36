"""Workers as processes of this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, cast

from ..study.worker_id import WorkerId
from .engine import Worker
from .events import Command, Event
from .worker import EXIT_DEVICE_LOST, Assignment, work

Work = Callable[[Assignment, Connection], None]


class LocalWorker:
    """A spawned process and the pipe to it."""

    def __init__(self, assignment: Assignment, work: Work = work) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(assignment, theirs), daemon=True)
        self.process.start()
        theirs.close()
        assert self.process.pid is not None
        self.worker_id: WorkerId | None = WorkerId.of(self.process.pid)

    @property
    def ended(self) -> bool:
        return self.process.exitcode is not None

    @property
    def code(self) -> int:
        return self.process.exitcode or 0

    @property
    def cause(self) -> str:
        return describe_exit(self.code)

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
        ready = wait(list(waited), timeout=seconds)
        return list({id(waited[each]): waited[each] for each in ready}.values())


def describe_exit(code: int) -> str:
    """Why a process ended, in words."""
    if code < 0:
        name = signal.Signals(-code).name
        return f"{name}: out of memory?" if name == "SIGKILL" else name
    return "its GPU failed" if code == EXIT_DEVICE_LOST else f"exit code {code}"
