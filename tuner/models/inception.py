"""Inception networks as report A wrote its two, with its parameter names: `pre_layers.0.weight`, `a3.b2.3.weight`, `linear.bias`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .architecture import BRANCHES, POOL, Architecture
from .layers import pool_and_classify


def make_unit(planes: int, outputs: int, kernel: int) -> list[nn.Module]:
    """Convolution that keeps height and width, BatchNorm, ReLU."""
    return [nn.Conv2d(planes, outputs, kernel, padding=kernel // 2), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


# The convolution of a block whose output channels are the width of that name.
CONVOLUTIONS = dict(zip(BRANCHES, ("b1.0", "b2.0", "b2.3", "b3.0", "b3.3", "b4.1"), strict=True))


class Block(nn.Module):
    """Four branches that read the same `planes` channels and are joined on channels, in the order b1 b2 b3 b4."""

    def __init__(self, planes: int, n1x1: int, n3x3red: int, n3x3: int, n5x5red: int, n5x5: int, pool: int) -> None:
        super().__init__()
        self.b1 = nn.Sequential(*make_unit(planes, n1x1, 1))
        self.b2 = nn.Sequential(*make_unit(planes, n3x3red, 1), *make_unit(n3x3red, n3x3, 3))
        self.b3 = nn.Sequential(*make_unit(planes, n5x5red, 1), *make_unit(n5x5red, n5x5, 5), *make_unit(n5x5, n5x5, 5))
        self.b4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), *make_unit(planes, pool, 1))
        self.outputs = n1x1 + n3x3 + n5x5 + pool

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.b1(x), self.b2(x), self.b3(x), self.b4(x)], 1)


class Inception(nn.Module):
    """A stem, inception blocks with pools between them, a global average pool and a linear layer.

    `channels` holds a count for each of the architecture's width names. Reads (B, 3, H, W) and gives logits (B, classes).
    """

    def __init__(self, architecture: Architecture, channels: Mapping[str, int], classes: int) -> None:
        super().__init__()
        self.pre_layers = nn.Sequential(*make_unit(3, channels["stem"], 3))
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stages: list[str] = []  # names of submodules, in the order in which they are passed
        planes = channels["stem"]
        for stage in architecture.stages:
            if isinstance(stage, str):
                assert stage == POOL, stage
                self.stages.append("maxpool")
                continue
            name = stage[0]
            block = Block(planes, *(channels[f"{name}.{branch}"] for branch in BRANCHES))
            self.add_module(name, block)
            self.stages.append(name)
            planes = block.outputs
        self.linear = nn.Linear(planes, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pre_layers(x)
        for stage in self.stages:
            x = self.get_submodule(stage)(x)
        return pool_and_classify(x, self.linear)


def read_channels(architecture: Architecture, weights: Mapping[str, Tensor]) -> tuple[dict[str, int], int]:
    """The channel count of every width and the number of classes, off the shapes. KeyError where a weight is lacking."""
    channels = {"stem": weights["pre_layers.0.weight"].shape[0]}
    for block in sorted(architecture.blocks()):
        for branch, convolution in CONVOLUTIONS.items():
            channels[f"{block}.{branch}"] = weights[f"{block}.{convolution}.weight"].shape[0]
    return channels, weights["linear.bias"].shape[0]
