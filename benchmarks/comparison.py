"""Our side of `compare`: the pass of `tuner compare`, with networks of chance weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torchvision.models import get_model_weights

from tuner.compare.batches import Batch, Files, Images
from tuner.compare.contestants import Ready
from tuner.compare.race import Runner, race
from tuner.compare.run import BATCH_SIZE
from tuner.data.imagenet import list_imagenet

from .reportb import network

CPU = torch.device("cpu")


def comparing(folder: str, names: tuple[str, ...]) -> Callable[[int], int]:
    """A step is the whole comparison: all images through all models."""
    listing = list_imagenet(folder)
    images = Files(listing, get_model_weights(names[0]).DEFAULT.transforms())
    return _passes(images, torch.from_numpy(listing.labels), [_ready(name) for name in names])


def decoding(folder: str, names: tuple[str, ...]) -> Callable[[int], int]:
    """A step is what `comparing` reads, and nothing else."""
    listing = list_imagenet(folder)
    images = Files(listing, get_model_weights(names[0]).DEFAULT.transforms())
    nothing = torch.zeros(1)
    return _passes(
        images, torch.from_numpy(listing.labels), [Ready(forward=lambda x: nothing.expand(len(x), 1000), plain=torch.nn.Identity())]
    )


def computing(folder: str, names: tuple[str, ...]) -> Callable[[int], int]:
    """A step is what `comparing` computes, on a batch that is there."""
    listing = list_imagenet(folder)
    return _passes(_Same(len(listing)), torch.from_numpy(listing.labels), [_ready(name) for name in names])


class _Same:
    """As many images as asked for, the same batch again and again."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.x = torch.randn(BATCH_SIZE, 3, 224, 224).to(memory_format=torch.channels_last)

    def __len__(self) -> int:
        return self.count

    def batch(self, start: int, stop: int, *, pinned: bool) -> Batch:
        return Batch(x=self.x[: stop - start], rows=list(range(start, stop)), broken={})


def _ready(name: str) -> Ready:
    net = network(name).to(memory_format=torch.channels_last)
    return Ready(forward=net, plain=net)


def _passes(images: Images, labels: torch.Tensor, networks: list[Ready]) -> Callable[[int], int]:
    def turn(steps: int) -> int:
        for _ in range(steps):
            runners = [Runner.start(ready, len(images), CPU) for ready in networks]
            race(runners, images, labels, batch_size=BATCH_SIZE, device=CPU)
        return steps * len(images)

    return turn
