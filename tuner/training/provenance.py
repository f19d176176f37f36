"""With what, and on what, a run was made, and the memory that it took."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

from .. import __version__


@cache
def read_versions() -> dict[str, str]:
    return {"tuner": __version__, "torch": torch.__version__, "optuna": version("optuna"), "python": platform.python_version()}


@cache
def read_commit() -> str | None:
    """The commit of our own source, where it runs from a checkout."""
    root = Path(__file__).parent.parent.parent
    if not (root / ".git").exists():
        return None
    done = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


@cache
def name_device(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{device} ({platform.machine()})"


def reset_peak_memory(device: str) -> None:
    """Begin to measure a trial's memory on a GPU."""
    if device.startswith("cuda"):
        torch.cuda.init()  # type: ignore[no-untyped-call]  # statistics exist only once CUDA does
        torch.cuda.reset_peak_memory_stats(device)


def read_peak_memory(device: str) -> float:
    """MB: since the reset on a GPU, of the process's whole life on a CPU."""
    if device.startswith("cuda"):
        return round(torch.cuda.max_memory_allocated(device) / 1e6, 1)
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)
