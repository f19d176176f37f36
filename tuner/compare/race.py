"""One pass over the images for all networks that see them alike: decoded once, counted for each network alone.

On a CPU each thread decodes a batch and takes it through every network, with no other thread's help: two threads
that work on one convolution wait for each other, and for whatever else has the core. On a GPU threads decode into
pinned memory while it computes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ..placement import count_cores
from ..training.metrics import Sums
from .batches import Batch, Images
from .contestants import Ready

TOPK = (1, 5)
MOST_THREADS = 8  # each holds a batch and its activations

T = TypeVar("T")


@dataclass(kw_only=True)
class Runner:
    """A network on its way over N images, with counters that no other network ever sees.

    The first `done` images are counted. `hits` (2, N) says which are right at top-1 and at top-5; `seconds` is the time
    that the arithmetic took.
    """

    ready: Ready
    sums: Sums
    hits: npt.NDArray[np.bool_]
    done: int = 0
    broken: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    peak_bytes: int = 0  # on a GPU

    @classmethod
    def start(cls, ready: Ready, images: int, device: torch.device) -> Runner:
        return cls(ready=ready, sums=Sums(device, TOPK), hits=np.zeros((len(TOPK), images), dtype=np.bool_))

    def count(self, batch: Batch, logits: Tensor, labels: Tensor) -> None:
        """Take in the logits (B, classes) of a batch with its labels (B,)."""
        self.sums.add(F.cross_entropy(logits, labels), logits, labels)
        best = (logits.topk(min(max(TOPK), logits.shape[1])).indices == labels[:, None]).cpu().numpy()
        for place, k in enumerate(TOPK):
            self.hits[place, batch.rows] = best[:, :k].any(1)


@dataclass(frozen=True, kw_only=True)
class _Output:
    logits: Tensor
    seconds: float
    peak_bytes: int = 0


def race(
    runners: Sequence[Runner],
    images: Images,
    labels: Tensor,
    *,
    batch_size: int,
    device: torch.device,
    stop: Callable[[], bool] = lambda: False,
    each: Callable[[int], None] = lambda done: None,
) -> bool:
    """Take all runners from where they are to the end; False where `stop` ended it between two batches.

    A runner begins at a multiple of `batch_size`. `each` is called after a batch with the number of images passed.
    Batches are counted in their order, however the threads finish, so that the sums are the same each time.
    """
    first = min(runner.done for runner in runners)
    starts = range(first, len(images), batch_size)
    on_cpu = device.type == "cpu"

    def forward(batch: Batch, start: int) -> list[_Output | None]:
        if batch.x is None:
            return [None] * len(runners)
        x = batch.x.to(device, non_blocking=True)
        return [_forward(runner.ready, x, device) if runner.done <= start else None for runner in runners]

    def work(start: int) -> tuple[Batch, list[_Output | None] | None]:
        batch = images.batch(start, min(start + batch_size, len(images)), pinned=device.type == "cuda")
        return batch, forward(batch, start) if on_cpu else None

    readers = _readers()
    with _arithmetic(device):
        for start, (batch, computed) in zip(starts, _in_order(work, starts, readers), strict=False):
            outputs = computed if computed is not None else forward(batch, start)
            answers = labels[batch.rows].to(device)
            stop_at = min(start + batch_size, len(images))
            for runner, output in zip(runners, outputs, strict=True):
                if runner.done > start:
                    continue
                if output is not None:
                    runner.count(batch, output.logits, answers)
                    runner.seconds += output.seconds / (readers if on_cpu else 1)
                    runner.peak_bytes = max(runner.peak_bytes, output.peak_bytes)
                runner.broken |= batch.broken
                runner.done = stop_at
            each(stop_at)
            if stop() and stop_at < len(images):
                return False
    return True


def _forward(ready: Ready, x: Tensor, device: torch.device) -> _Output:
    with torch.inference_mode():
        if device.type != "cuda":
            began = time.perf_counter()
            logits = ready.forward(x)
            if device.type == "mps":
                torch.mps.synchronize()
            return _Output(logits=logits, seconds=time.perf_counter() - began)
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        began = time.perf_counter()
        logits = ready.forward(x)
        torch.cuda.synchronize(device)
        seconds = time.perf_counter() - began
        return _Output(logits=logits, seconds=seconds, peak_bytes=torch.cuda.max_memory_allocated(device) - before)


def count_threads(device: torch.device) -> int:
    """CPU threads that the arithmetic has in all; on a GPU, threads that read images."""
    return _readers() * (_alone() if device.type == "cpu" else 1)


def _readers() -> int:
    return max(1, min(count_cores(), MOST_THREADS))


def _alone() -> int:
    return max(1, count_cores() // _readers())


@contextmanager
def _arithmetic(device: torch.device) -> Iterator[None]:
    """Within it each thread computes alone on its share of the cores, and a GPU in full fp32."""
    kept = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(_alone())
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(kept)


def _in_order(work: Callable[[int], T], starts: Sequence[int], threads: int) -> Iterator[T]:
    """The results in order, computed by so many threads, few of them ahead."""
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="compare") as pool:
        try:
            for start in starts:
                waiting.append(pool.submit(work, start))
                if len(waiting) > threads + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
