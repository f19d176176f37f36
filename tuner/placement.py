"""From `--device`, `--gpu` and `--workers` to where each worker trains."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

from .errors import UsageError

MOST_CPU_WORKERS = 8


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a worker trains: a device, its CPU threads, and how."""

    device: str = "cpu"
    threads: int = 1
    precision: str = "fp32"  # or `auto`: the study's
    capture: bool | None = None  # whether steps are replayed from a CUDA graph; None: where a check shows them equal


def count_cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_bf16_units(cpu_facts: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor computes in bf16 itself (AVX512-BF16 or AMX). One that does not is ten times slower in it."""
    try:
        flags = set(cpu_facts.read_text(encoding="utf-8").split())
    except OSError:  # macOS, Windows: it is not known
        return False
    return bool(flags & {"avx512_bf16", "amx_bf16"})


def find_device(device: str) -> str:
    """The device that a name means: `auto` is the first GPU, else the CPU. Errors: UsageError for one that is not there."""
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda:0"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = device.partition(":")
    if kind == "cpu" and not index:
        return "cpu"
    if kind == "mps" and not index:
        if not torch.backends.mps.is_available():
            raise UsageError("device 'mps' is not there: use --device cpu")
        return "mps"
    if kind != "cuda" or not (index or "0").isdigit():
        raise UsageError(f"unknown device {device!r}: give auto, cpu, cuda:0 or mps")
    return f"cuda:{_gpu(int(index or 0), f'device {device!r}')}"


def parse_gpus(text: str) -> list[int]:
    """The GPUs of `--gpu 0,1`. Errors: UsageError for one that is not there."""
    numbers = []
    for part in text.split(","):
        if not part.strip().isdigit():
            raise UsageError(f"--gpu takes GPU numbers such as 0 or 0,1, not {text!r}")
        numbers.append(_gpu(int(part), f"GPU {int(part)}"))
    return list(dict.fromkeys(numbers))


def _gpu(number: int, named: str) -> int:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if number >= count:
        there = f"GPUs here: 0 to {count - 1}" if count else _say_why_none()
        raise UsageError(f"{named} is not there ({there}): use --device cpu")
    return number


def _say_why_none() -> str:
    """Why PyTorch finds no GPU."""
    import torch

    if torch.version.cuda is None and torch.version.hip is None:
        return f"this PyTorch, {torch.__version__}, is a build for CPUs only"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.cuda.init()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        said = " ".join(str(error).split())
        if "too old" in said:
            return f"its driver is too old for CUDA {torch.version.cuda}, which this PyTorch is built for"
        if "no NVIDIA driver" in said or "no CUDA-capable device" in said or "No CUDA GPUs" in said:
            return "no GPU is here"
        return f"no GPU is here that works: {said.split('. ')[0][:200]}"
    return "no GPU is here"


def choose_placements(
    *,
    device: str,
    gpu: str | None,
    workers: int | None,
    at_most: int,
    threads: int = 1,
    precision: str = "fp32",
    capture: bool | None = None,
) -> list[Placement]:
    """One placement for each worker: `workers` in all on the CPU, `workers` a GPU elsewhere.

    On the CPU by default one a core, at most 8 and at most `at_most`, each with one thread: that trains more images
    a second than one process on all cores, and never waits at a barrier for a core that something else uses.
    """
    if gpu is not None:
        if device != "auto":
            raise UsageError(f"--gpu {gpu} and --device {device} say two things: give one of them")
        names = [f"cuda:{number}" for number in parse_gpus(gpu)]
    else:
        names = [find_device(device)]
    on_cpu = names == ["cpu"]
    if on_cpu and precision == "bf16" and not has_bf16_units():
        raise UsageError("--precision bf16: this CPU has no units for it (AVX512-BF16, AMX) and is ten times slower in it: leave it out")
    count = workers or (max(1, min(count_cores(), MOST_CPU_WORKERS, at_most)) if on_cpu else 1)
    return [Placement(device=name, threads=threads, precision=precision, capture=capture) for name in names for _ in range(count)]
