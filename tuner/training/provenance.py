"""With what, and on what, a run was made."""

from __future__ import annotations

import contextlib
import platform
import subprocess
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
    """The commit of our own source, where it runs from a checkout and git can tell."""
    root = Path(__file__).parent.parent.parent
    with contextlib.suppress(OSError):
        if (root / ".git").exists():
            done = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
            return done.stdout.strip() or None
    return None


@cache
def name_device(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{device} ({platform.machine()})"


def name_fp32_convolutions(device: str) -> str:
    """How a device computes convolutions in single precision: `tf32` rounds their inputs to 10 bits, `ieee` does not."""
    if not device.startswith("cuda"):
        return "ieee"
    return "tf32" if torch.backends.cudnn.conv.fp32_precision == "tf32" else "ieee"  # type: ignore[attr-defined]


@cache
def read_device_versions(device: str) -> dict[str, str]:
    """CUDA, cuDNN and driver of a GPU; nothing for other devices."""
    if not device.startswith("cuda"):
        return {}
    found = {"cuda": str(torch.version.cuda), "cudnn": str(torch.backends.cudnn.version())}  # type: ignore[no-untyped-call]
    with contextlib.suppress(OSError):
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip().split("\n")[0]
        found |= {"driver": driver} if driver else {}
    return found
