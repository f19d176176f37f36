"""What a supervisor needs of whatever places its workers: this machine's processes, or a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..study.worker_id import WorkerId
from .events import Command, Event
from .worker import Assignment


class Worker(Protocol):
    """One worker process, somewhere."""

    @property
    def worker_id(self) -> WorkerId | None:
        """Who it is, once it lives; None for one that still waits for a place."""

    @property
    def ended(self) -> bool:
        """Whether its process is gone. What it said before can still be heard."""

    @property
    def cause(self) -> str:
        """How it ended, in words."""

    @property
    def code(self) -> int:
        """Its exit code; below 0 where a signal ended it, or its machine."""

    def hear(self) -> list[Event]:
        """What it said since it was last heard, oldest first. Never waits."""

    def tell(self, command: Command) -> None:
        """One that is gone does not mind."""

    def kill(self) -> None:
        """End it at once, and wait until it is gone."""


class Engine(Protocol):
    """Starts workers, and waits until one of them says something or ends."""

    def start(self, assignment: Assignment) -> Worker: ...

    def wait(self, workers: Sequence[Worker], seconds: float) -> Sequence[Worker]:
        """Those of `workers` that have spoken or ended, after at most so many seconds."""
