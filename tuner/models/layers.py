"""Two operations of PyTorch, led round a slow path that they take on a CPU. What they compute is the same."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

SMALL_BATCH = 16  # below it, with one thread, PyTorch leaves 1x1 convolutions to the slower of its two CPU libraries


class Pointwise(nn.Conv2d):
    """A 1x1 convolution. It sees each pixel alone, so that a small batch can be shown to it as `SMALL_BATCH` tall images."""

    def __init__(self, planes: int, outputs: int) -> None:
        super().__init__(planes, outputs, 1)

    def reset_parameters(self) -> None:
        """Nothing is drawn: the weights come from a plain network."""

    def forward(self, x: Tensor) -> Tensor:
        batch, planes, height, width = x.shape
        pixels = batch * height * width
        if x.device.type != "cpu" or batch >= SMALL_BATCH or pixels % SMALL_BATCH:
            return super().forward(x)
        # In channels_last a pixel's channels lie side by side: these are views.
        tall = x.permute(0, 2, 3, 1).reshape(SMALL_BATCH, pixels // SMALL_BATCH, 1, planes).permute(0, 3, 1, 2)
        y = super().forward(tall)
        return y.permute(0, 2, 3, 1).reshape(batch, height, width, self.out_channels).permute(0, 3, 1, 2)


class _Join(Function):
    @staticmethod
    def forward(ctx: Any, *branches: Tensor) -> Tensor:
        ctx.channels = [branch.shape[1] for branch in branches]
        return torch.cat(branches, 1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        parts = torch.split(grads[0], ctx.channels, 1)
        if grads[0].device.type == "cpu":
            return tuple(part.contiguous(memory_format=torch.channels_last) for part in parts)
        return parts


def join(branches: list[Tensor]) -> Tensor:
    """Branches joined on channels. On a CPU each gets its gradient in one piece.

    As a slice of the whole, which is what `torch.cat` passes back, it makes the ReLU behind a branch of 8 or 24
    channels ten times slower in its backward.
    """
    return _Join.apply(*branches)  # type: ignore[no-any-return]
