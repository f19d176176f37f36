"""Report B's loop, written as the report has it, but for its counters. Nothing of the project is used here.

Each model has the images to itself: a DataLoader of its own with four workers that decodes them all again, batches of
100, Resize 256, CenterCrop 224, Normalize.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import models, transforms
from torchvision.datasets import ImageFolder

BATCH = 100
WORKERS = 4


def network(name: str) -> nn.Module:
    """One of the models with weights by chance: what a pass costs does not depend on them."""
    options = {"googlenet": {"init_weights": False, "aux_logits": False, "transform_input": True}, "vgg16": {"init_weights": False}}
    torch.manual_seed(0)
    return getattr(models, name)(weights=None, **options.get(name, {})).eval()


def loader(folder: str) -> DataLoader:
    transform = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    # As in a plain script on Linux. In a process that was spawned, as the sides are, PyTorch would spawn its workers too.
    start = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    return DataLoader(ImageFolder(folder, transform), batch_size=BATCH, shuffle=False, num_workers=WORKERS, multiprocessing_context=start)


def comparing(folder: str, names: tuple[str, ...]) -> Callable[[int], int]:
    """A step is the whole comparison: all images through all models."""
    networks = [network(name) for name in names]

    def turn(steps: int) -> int:
        total = 0
        for _ in range(steps):
            for net in networks:
                top1 = top5 = 0
                with torch.no_grad():
                    for images, labels in loader(folder):
                        _, guesses = net(images).topk(5, 1)
                        right = guesses.eq(labels[:, None])
                        top1 += right[:, :1].sum().item()
                        top5 += right.sum().item()
                        total += len(labels)
        return total // len(networks)

    return turn


def decoding(folder: str, names: tuple[str, ...]) -> Callable[[int], int]:
    """A step is what `comparing` reads, and nothing else."""

    def turn(steps: int) -> int:
        return sum(len(labels) for _ in range(steps * len(names)) for _, labels in loader(folder)) // len(names)

    return turn


def computing(folder: str, names: tuple[str, ...]) -> Callable[[int], int]:
    """A step is what `comparing` computes, on a batch that is there."""
    images = sum(1 for _ in Path(folder).rglob("*.JPEG"))
    networks = [network(name) for name in names]
    x = torch.randn(min(BATCH, images), 3, 224, 224)

    def turn(steps: int) -> int:
        with torch.no_grad():
            for _ in range(steps):
                for net in networks:
                    for start in range(0, images, BATCH):
                        net(x[: images - start])
        return steps * images

    return turn
