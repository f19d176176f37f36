"""A real `tuner` process whose log is read and whose workers can be found, and killed."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil


class Search:
    """One `tuner` command, started again with the same words when it was killed. Its lines go to `lines`."""

    def __init__(self, args: list[str], folder: Path, env: dict[str, str], lines: queue.Queue[tuple[Search, str]]) -> None:
        self.args = args
        self.exit_code: int | None = None
        self._folder = folder
        self._env = os.environ | env
        self._lines = lines
        self.start()

    def start(self) -> None:
        self.exit_code = None
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "tuner", *self.args],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=self._env,
        )
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self._lines.put((self, line.rstrip()))

    def workers(self) -> list[psutil.Process]:
        """Its living worker processes, by pid."""
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        found = []
        for child in children:
            try:
                if "spawn_main" in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE:
                    found.append(child)
            except psutil.NoSuchProcess:
                continue
        return sorted(found, key=lambda process: process.pid)

    def ended(self) -> bool:
        """Whether it has ended by itself, all its lines read."""
        if self.process.poll() is None or self._reader.is_alive():
            return False
        self.exit_code = self.process.returncode
        return True

    def kill(self) -> None:
        """SIGKILL of the supervisor, whose workers then have to end by themselves."""
        workers = self.workers()
        self.process.kill()
        self.process.wait()
        psutil.wait_procs(workers, timeout=60)

    def end(self) -> None:
        """Leave nothing behind, whatever happened."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
