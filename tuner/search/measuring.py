"""Real steps of a study's smallest and largest network, small batches first: how fast, and in how much memory.

A GPU says when its memory does not suffice; a machine that runs out of its own kills a process without a word. So there
a batch is tried only where the smaller ones foretell that it fits.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch

from ..config.trial_config import TrialConfig
from ..data.parts import Parts
from ..placement import Placement
from ..training import memory
from ..training.cuda_graph import choose_recorder
from ..training.run import Run, build_network
from ..workers.leased_trial import MOST_MICRO_BATCHES

STEPS = 3  # timed, after one that is not
EVALUATION_SPEEDUP = 3.0  # images a second, evaluated against trained: the backward pass is two thirds of a step
BYTES = 12  # a parameter: itself, its gradient, and the least that an optimiser keeps of it


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One network on one worker: what an epoch of the study's images takes, and the memory it took here; zeros where it does not fit."""

    title: str
    config: TrialConfig
    parameters: int
    images_per_second: float = 0.0
    epoch_seconds: float = 0.0
    memory_mb: float = 0.0

    @property
    def fits(self) -> bool:
        return self.images_per_second > 0


def measure(title: str, config: TrialConfig, parts: Parts, placement: Placement, tell: Callable[[str], None]) -> Estimate:
    """The estimate of whole batches; where memory does not suffice, of as many micro-batches as a trial would be trained in.

    `tell` is told what is tried next.
    """
    config = replace(config, threads=placement.threads, precision=placement.precision)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in build_network(config, parts.classes).parameters())
    peaks: dict[int, float] = {}
    on_cpu = placement.device == "cpu"

    def attempt(size: int, tried: TrialConfig, *, timed: bool = True) -> Estimate | None:
        """With `size` images at a time; None where that does not fit."""
        tell(f"measuring the {title} network, {size} images at a time")
        if on_cpu and max(foretell(peaks, size), parameters * BYTES / 1e6) > memory.read_room():
            return None
        try:
            return take_steps(title, tried, parts, placement, STEPS + 1 if timed else 1)
        except (RuntimeError, MemoryError) as fault:
            if not memory.is_out_of_memory(fault):
                raise
        finally:
            gc.collect()
            memory.give_back(placement.device)
        return None

    for size in list_sizes(config.batch_size, foretold=on_cpu):
        estimate = attempt(size, replace(config, batch_size=size), timed=size == config.batch_size)
        if estimate is None:
            break
        if size == config.batch_size:
            return estimate
        peaks[size] = estimate.memory_mb
    pieces = 1
    while peaks and 2 * pieces <= min(MOST_MICRO_BATCHES, config.batch_size):
        pieces *= 2
        estimate = attempt(-(-config.batch_size // pieces), replace(config, micro_batches=pieces))
        if estimate is not None:
            return estimate
    return Estimate(title=title, config=replace(config, micro_batches=pieces), parameters=parameters)


def list_sizes(batch_size: int, *, foretold: bool) -> list[int]:
    """An eighth of the batch, then all of it; between them a quarter and a half, where they foretell what larger ones take."""
    return sorted({max(1, batch_size // share) for share in ((8, 4, 2, 1) if foretold else (8, 1))})


def foretell(peaks: Mapping[int, float], size: int) -> float:
    """MB at the peak of a step of `size` images, on the line through the two largest that were taken; 0 where less is known."""
    if len(peaks) < 2:
        return 0.0
    (small, low), (large, high) = sorted(peaks.items())[-2:]
    return high + (size - large) * (high - low) / (large - small)


def take_steps(title: str, config: TrialConfig, parts: Parts, placement: Placement, count: int) -> Estimate:
    """The estimate from so many steps, the first of which is slow: with a single one only its memory means something."""
    memory.reset_peak(placement.device)
    run = Run(
        config,
        parts.train(config.augment),
        parts.val(),
        classes=parts.classes,
        device=placement.device,
        recorder=choose_recorder(placement.device, placement.capture) if count > 1 else None,
    )
    generator = torch.Generator().manual_seed(0)
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        run.step(*run.train.batch(torch.arange(config.batch_size, device=placement.device), generator))
        if placement.device.startswith("cuda"):
            torch.cuda.synchronize(placement.device)
        seconds.append(time.perf_counter() - began)
    speed = config.batch_size / min(seconds[1:] or seconds)
    return Estimate(
        title=title,
        config=config,
        parameters=run.parameters,
        images_per_second=speed,
        epoch_seconds=len(run.train) / speed + len(parts.val()) / speed / EVALUATION_SPEEDUP,
        memory_mb=memory.read_peak(placement.device),
    )
