"""Which worker holds a lease: a process, named so that another on the same machine can see whether it still lives."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from .processes import HERE, Processes


@dataclass(frozen=True, kw_only=True)
class WorkerId:
    """`machine` is one boot of one machine (or container); `ticks`, from the boot to its start, tell a process from a later one of
    its pid.

    Version 0.1.0 wrote the start as seconds by the wall clock, which moves when the clock is set: it is kept as `started`
    and compared with nothing. Where ticks are not known, both are 0.
    """

    machine: str
    pid: int
    started: float = 0.0
    ticks: int = 0
    host: str

    def __str__(self) -> str:
        start = f"t{self.ticks}" if self.ticks else f"{self.started:.2f}"
        return f"{self.machine}:{self.pid}:{start}:{self.host}"

    @classmethod
    def parse(cls, text: str) -> WorkerId:
        machine, pid, start, host = text.split(":", 3)
        if start.startswith("t"):
            return cls(machine=machine, pid=int(pid), ticks=int(start[1:]), host=host)
        return cls(machine=machine, pid=int(pid), started=float(start), host=host)

    @classmethod
    def of(cls, pid: int, processes: Processes = HERE) -> WorkerId:
        """The id of a process of this machine. Errors: ProcessLookupError where there is none."""
        return cls(machine=processes.machine, pid=pid, ticks=processes.find_start(pid) or 0, host=socket.gethostname())

    @classmethod
    def here(cls) -> WorkerId:
        return cls.of(os.getpid())

    def is_dead(self, processes: Processes = HERE) -> bool:
        """True only where it can be known: on the same machine, when the process is gone."""
        return self.machine == processes.machine and processes.is_gone(self.pid, self.ticks or None)
