"""Starting a process that does not run the caller's script again."""

from __future__ import annotations

import sys
from multiprocessing.process import BaseProcess
from types import ModuleType


def start(process: BaseProcess) -> None:
    """Start a spawned process.

    It would import the caller's main module first, and a script that searches without asking for
    `__name__ == "__main__"` would search again in each of its workers. What our processes run is in modules of ours.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        process.start()
    finally:
        sys.modules["__main__"] = main
