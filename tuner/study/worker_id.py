"""Which worker holds a lease: a process, named so that another on the same machine can see whether it still lives."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil


@dataclass(frozen=True, kw_only=True)
class WorkerId:
    """`machine` is one boot of one machine (or container); `started` tells a process from a later one of its pid."""

    machine: str
    pid: int
    started: float
    host: str

    def __str__(self) -> str:
        return f"{self.machine}:{self.pid}:{self.started:.2f}:{self.host}"

    @classmethod
    def parse(cls, text: str) -> WorkerId:
        machine, pid, started, host = text.split(":", 3)
        return cls(machine=machine, pid=int(pid), started=float(started), host=host)

    @classmethod
    def of(cls, pid: int) -> WorkerId:
        """The id of a process of this machine."""
        return cls(machine=this_machine(), pid=pid, started=psutil.Process(pid).create_time(), host=socket.gethostname())

    @classmethod
    def here(cls) -> WorkerId:
        return cls.of(os.getpid())

    def is_dead(self) -> bool:
        """True only where it can be known: on the same machine, when the process is gone."""
        if self.machine != this_machine():
            return False
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.started) > 1.0 or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False


@cache
def this_machine() -> str:
    """A short name for one boot of this machine, and within it for one container's processes."""
    parts = [socket.gethostname(), f"{psutil.boot_time():.0f}"]
    namespace = Path("/proc/self/ns/pid")
    if namespace.exists():
        parts.append(str(namespace.readlink()))
    boot = Path("/proc/sys/kernel/random/boot_id")
    if boot.exists():
        parts[1] = boot.read_text().strip()
    return hashlib.blake2b("/".join(parts).encode(), digest_size=6).hexdigest()
