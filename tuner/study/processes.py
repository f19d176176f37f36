"""What this machine says of its processes: the one place that tells a process from a later one of its pid.

On Linux a process's start is read in clock ticks since the machine booted, and the boot by its random id: neither moves when
the clock is set, or when a laptop or a virtual machine wakes. Elsewhere there are only times by the wall clock, which
may move. They are not compared: there a process counts as dead when its pid is gone. If another process has the pid, the
lease runs out all the same.
"""

from __future__ import annotations

import hashlib
import socket
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Processes:
    """The processes of this machine, as the folder `proc` shows them where there is one."""

    proc: Path = Path("/proc")

    @cached_property
    def machine(self) -> str:
        """A short name for one boot of this machine, and within it for one container's processes.

        Without a boot id it is the host's name: the time of the boot moves with the clock.
        """
        parts = [socket.gethostname()]
        boot = self.proc / "sys/kernel/random/boot_id"
        if boot.exists():
            parts.append(boot.read_text().strip())
        namespace = self.proc / "self/ns/pid"
        if namespace.exists():
            parts.append(str(namespace.readlink()))
        return hashlib.blake2b("/".join(parts).encode(), digest_size=6).hexdigest()

    def find_start(self, pid: int) -> int | None:
        """Clock ticks from the boot to the process's start; None where they are not known. Errors: ProcessLookupError."""
        stat = self._read(pid)
        return None if stat is None else int(stat[19])

    def is_gone(self, pid: int, start: int | None) -> bool:
        """Whether a process has ended: no process has its pid, or one with another start, or it only waits to be reaped."""
        try:
            stat = self._read(pid)
            if stat is None:
                return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except (ProcessLookupError, psutil.NoSuchProcess):
            return True
        except (OSError, psutil.AccessDenied):
            return False
        return stat[0] in "ZX" or (start is not None and int(stat[19]) != start)

    def _read(self, pid: int) -> list[str] | None:
        """The fields of /proc/PID/stat from the third on, after the name in parentheses; None on a system without them."""
        if not (self.proc / "self/stat").exists():
            return None
        try:
            return (self.proc / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except FileNotFoundError:
            raise ProcessLookupError(pid) from None


HERE = Processes()
