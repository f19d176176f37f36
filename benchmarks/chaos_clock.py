"""A wall clock that can be set while a search runs: that of its processes, and of the database's server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STEPS = (2, -2, 45, -45, 600, -600, 7200, -7200, 86400, -86400)  # seconds


class Clock:
    """The wall clock of every process that is begun inside `preloaded`."""

    def __init__(self, folder: Path) -> None:
        """Errors: subprocess.CalledProcessError or FileNotFoundError without a C compiler."""
        self._ahead = 0
        self._file = folder / "clock"
        self._set()
        library = folder / "set_clock.so"
        source = Path(__file__).with_name("set_clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"], check=True)
        self._variables = {"LD_PRELOAD": str(library), "TUNER_CHAOS_CLOCK": str(self._file)}

    @contextmanager
    def preloaded(self) -> Iterator[None]:
        """Processes that are begun now have this clock. This process keeps its own."""
        os.environ.update(self._variables)
        try:
            yield
        finally:
            for name in self._variables:
                del os.environ[name]

    def step(self, target: float) -> int:
        """Set it by one of the steps, picked by a number from 0 to 1. By how many seconds."""
        seconds = STEPS[min(len(STEPS) - 1, int(target * len(STEPS)))]
        self._ahead += seconds
        self._set()
        return seconds

    def _set(self) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(str(self._ahead))
        new.chmod(0o644)  # the server may be another user's
        new.replace(self._file)
