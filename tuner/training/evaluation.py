"""What a network says of a part of the images, and how often it is right."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.features import Features
from ..data.resident import Resident
from ..models.forms import Evaluator
from ..models.spec import ModelSpec
from ..placement import has_bf16_units
from .counts import Counts
from .malloc import keep_freed_memory
from .metrics import Sums

BATCH = 500  # images of 32x32
CPU_BATCH = 64  # stays nearer to the cache
PIXELS = BATCH * 32 * 32  # of a batch of larger images


class Figures(NamedTuple):
    """Cross entropy per image, and accuracy as a fraction."""

    loss: float
    accuracy: float


def evaluate(
    evaluator: Evaluator, part: Resident | Features, device: torch.device, precision: str, counts: Counts | None = None
) -> Figures:
    """The figures of the weights as they are now. In the same pass `counts` counts what an objective takes beside them."""
    sums = Sums(device)
    for logits, labels in predict(evaluator, part, device, precision):
        sums.add(F.cross_entropy(logits, labels), logits, labels)
        if counts is not None:
            counts.add(logits, labels)
    loss, accuracy = sums.means(len(part))
    return Figures(loss=loss, accuracy=accuracy)


def predict(evaluator: Evaluator, part: Resident | Features, device: torch.device, precision: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits (B, classes) and labels (B,) of the images, in their order, batch by batch."""
    evaluator.refresh()
    size = CPU_BATCH if device.type == "cpu" else max(1, min(BATCH, PIXELS // (part.height * part.width)))
    with torch.inference_mode(), cast_to(device, precision):
        for rows in torch.split(torch.arange(len(part), device=device), size):
            images, labels = part.batch(rows)
            yield evaluator(images), labels


def evaluate_network(
    spec: ModelSpec, plain: nn.Module, part: Resident, *, device: str = "cpu", precision: str = "fp32", counts: Counts | None = None
) -> Figures:
    """The figures of a plain network: the same that a Run with these weights gives. `counts` as for `evaluate`."""
    where = torch.device(device)
    prepare(where)
    return evaluate(spec.to_training_form(plain, where).evaluator(), part, where, precision, counts)


def prepare(device: torch.device) -> None:
    """Settings of the whole process: fast on a CPU; on a GPU such that the same work gives the same bits, however often it is begun.

    Convolutions in fp32 round their inputs to TF32 there, as PyTorch's own do; all else is fp32.
    """
    if device.type == "cpu":
        keep_freed_memory()
    elif device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to repeat itself
        torch.backends.cudnn.benchmark = False  # it chooses algorithms by their time, another one each time
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # ours is always written
        torch.backends.cudnn.conv.fp32_precision = "tf32"  # type: ignore[attr-defined]
        torch.backends.cuda.matmul.fp32_precision = "ieee"


def cast_to(device: torch.device, precision: str) -> torch.autocast:
    """bf16 where the precision says so; weights and BatchNorm stay fp32.

    Each weight is read once a step: a cache of cast weights is of no use, and a captured step must not hold one.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16", cache_enabled=False)


def choose_precision(precision: str, device: str) -> str:
    """The precision in which a device trains and evaluates what is to be in `precision`: fp32 where bf16 would be many times slower."""
    return precision if device.startswith("cuda") or (device == "cpu" and has_bf16_units()) else "fp32"
