"""Memory of a device: when there is too little of it, how much was used, and giving it back."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

import psutil
import torch

CGROUP = Path("/sys/fs/cgroup")  # a container's own
# What PyTorch's libraries say when an allocation of theirs failed. The first is cuDNN's, where no algorithm's workspace fits; the
# last but one is oneDNN's.
_SAID = (
    "unable to find an engine to execute this computation",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "can't allocate memory",
    "could not create a primitive",
    "out of memory",
)


def is_out_of_memory(fault: BaseException) -> bool:
    """Whether an error says that memory did not suffice."""
    if isinstance(fault, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(fault, RuntimeError) and any(said in str(fault) for said in _SAID)


def is_lost(device: str) -> bool:
    """Whether an error has broken the process's context on a GPU: then every further call fails, in this process only."""
    if not device.startswith("cuda") or not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return False
    try:
        torch.cuda.synchronize(device)
    except RuntimeError as fault:
        return not is_out_of_memory(fault)
    return False


def reset_peak(device: str) -> None:
    """Begin to measure a trial's memory on a GPU."""
    if device.startswith("cuda"):
        torch.cuda.init()  # type: ignore[no-untyped-call]  # statistics exist only once CUDA does
        torch.cuda.reset_peak_memory_stats(device)


def read_peak(device: str) -> float:
    """MB: since the reset on a GPU, of the process's whole life on a CPU."""
    if device.startswith("cuda"):
        return round(torch.cuda.max_memory_allocated(device) / 1e6, 1)
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def read_total(device: str) -> float:
    """MB that a GPU has in all."""
    return round(torch.cuda.mem_get_info(device)[1] / 1e6, 1)


def read_room() -> float:
    """MB that this process may have in all, what it has included: of the machine, or of the container that it is in."""
    left = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):  # none of them where there is no limit
        limit, used = (int((CGROUP / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current"))
        facts = dict(line.split() for line in (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines())
        left = min(left, limit - used + int(facts["inactive_file"]))
    return float(psutil.Process().memory_info().rss + left) / 1e6


def give_back(device: str) -> None:
    """Give a GPU's memory that nothing uses any more to other processes on it."""
    if device.startswith("cuda") and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        with contextlib.suppress(torch.AcceleratorError):  # a broken context has nothing to give
            torch.cuda.empty_cache()
