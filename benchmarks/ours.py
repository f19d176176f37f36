"""This project's side of each comparison, in the same form as in naive.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from tuner.config.trial_config import TrialConfig
from tuner.data.resident import Resident
from tuner.training.cuda_graph import choose_recorder
from tuner.training.malloc import keep_freed_memory
from tuner.training.run import Run

from .images import generated


def make_run(
    *,
    model: str,
    width: float,
    batch: int,
    images: int,
    threads: int,
    device: str = "cpu",
    precision: str = "fp32",
    capture: bool = False,
    augment: str = "none",
) -> Run:
    config = TrialConfig(model=model, width=width, batch_size=batch, threads=threads, precision=precision, augment=augment)
    return Run(config, resident(images, augment, device), None, classes=10, device=device, recorder=choose_recorder(device, capture))


def resident(images: int, augment: str = "none", device: str = "cpu") -> Resident:
    return Resident(*generated(images), mean=(0.5,), std=(0.5,), augment=augment, device=device)


def training(**settings: object) -> Callable[[int], int]:
    """Training steps as an epoch takes them: rows drawn by a permutation, the batch made on the device, `Run.step`."""
    run = make_run(**settings)  # type: ignore[arg-type]
    device = torch.device(str(settings.get("device", "cpu")))
    batches = _endless(run.train, run.config.batch_size, device)
    run.network.train()

    def turn(steps: int) -> int:
        seen = 0
        for _ in range(steps):
            images, labels = next(batches)
            run.step(images, labels)
            seen += len(labels)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return seen

    return turn


def feeding(*, batch: int, images: int, threads: int, augment: str) -> Callable[[int], int]:
    """The input alone."""
    torch.set_num_threads(threads)
    keep_freed_memory()  # as every Run on a CPU does
    batches = _endless(resident(images, augment), batch, torch.device("cpu"))

    def turn(steps: int) -> int:
        return sum(len(next(batches)[1]) for _ in range(steps))

    return turn


def evaluating(*, model: str, width: float, images: int, threads: int) -> Callable[[int], int]:
    """Whole evaluations, the folding of the weights included."""
    run = make_run(model=model, width=width, batch=min(images, 64), images=images, threads=threads)

    def turn(steps: int) -> int:
        for _ in range(steps):
            run.evaluate(run.train)
        return steps * images

    return turn


def _endless(part: Resident, batch: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    while True:
        order = torch.randperm(len(part), generator=generator).to(device)
        for rows in torch.split(order, batch):
            yield part.batch(rows, generator)
