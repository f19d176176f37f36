"""PyTorch operations written anew to avoid slow CPU kernels. What they compute is the same."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

SMALL_BATCH = 16  # below it, with one thread, PyTorch leaves 1x1 convolutions to the slower of its two CPU libraries


MOMENTUM = 0.1  # of BatchNorm's running statistics: PyTorch's own


class NormedConv(nn.Conv2d):
    """A convolution before a BatchNorm. With `drops_bias` its bias takes no part in training.

    The BatchNorm subtracts the bias again, so that it has no gradient, and changes nothing but the running mean.
    `cast` is its weight in the precision of the arithmetic, while a network passes on its way forward with all of them cast.
    """

    drops_bias = False
    cast: Tensor | None = None

    def reset_parameters(self) -> None:
        """Nothing is drawn: the weights come from a plain network."""

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.drops_bias and self.training else self.bias
        return self._conv_forward(x, self.weight if self.cast is None else self.cast, bias)  # type: ignore[no-any-return]


class _CastAll(Function):
    @staticmethod
    def forward(ctx: Any, dtype: torch.dtype, *weights: Tensor) -> tuple[Tensor, ...]:
        ctx.dtype = weights[0].dtype
        cast = [torch.empty_like(weight, dtype=dtype) for weight in weights]
        torch._foreach_copy_(cast, list(weights))
        return tuple(cast)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        back = [torch.empty_like(grad, dtype=ctx.dtype) for grad in grads]
        torch._foreach_copy_(back, list(grads))
        return (None, *back)


def cast_all(weights: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """The weights in another precision; they and their gradients are each cast in one operation."""
    return list(_CastAll.apply(dtype, *weights))


class Norm(nn.BatchNorm2d):
    """A BatchNorm that does not count its batches: its network counts them for all, in one operation."""

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, self.training, MOMENTUM, self.eps)


class Pointwise(NormedConv):
    """A 1x1 convolution. It sees each pixel alone, so that a small batch can be shown to it as `SMALL_BATCH` tall images."""

    def __init__(self, planes: int, outputs: int) -> None:
        super().__init__(planes, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        batch, planes, height, width = x.shape
        pixels = batch * height * width
        if x.device.type != "cpu" or batch >= SMALL_BATCH or pixels % SMALL_BATCH:
            return super().forward(x)
        # In channels_last a pixel's channels lie side by side: these are views.
        tall = x.permute(0, 2, 3, 1).reshape(SMALL_BATCH, pixels // SMALL_BATCH, 1, planes).permute(0, 3, 1, 2)
        y = super().forward(tall)
        return y.permute(0, 2, 3, 1).reshape(batch, height, width, self.out_channels).permute(0, 3, 1, 2)


NARROW = 8  # channels: half of what a vector register of AVX-512 holds
MANY_PIXELS = 8192  # in a batch; below it, what pairing costs is more than it saves


class Narrow(NormedConv):
    """A 5x5 convolution from 8 channels to 8. Many pixels are seen in pairs, as pixels of 16 channels, which fill a register."""

    def __init__(self) -> None:
        super().__init__(NARROW, NARROW, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        wide = x.device.type == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX512"
        if self.drops_bias or self.cast is not None or not wide or width % 2 or batch * height * width < MANY_PIXELS:
            return super().forward(x)
        return self.paired(x)

    def paired(self, x: Tensor) -> Tensor:
        """What `forward` gives, for images of even width: a fifth more products, at twice the speed."""
        assert self.bias is not None
        batch, _, height, width = x.shape
        pairs = x.permute(0, 2, 3, 1).reshape(batch, height, width // 2, 2 * NARROW).permute(0, 3, 1, 2)
        # Pixel o of a pair reads pixel i of the pair `step` (-1, 0, 1) further on: 2 * step + i - o columns away. A third is 0.
        columns = F.pad(self.weight, (1, 1))
        weight = torch.cat([torch.cat([columns[..., 1 + i - o : 6 + i - o : 2] for i in (0, 1)], 1) for o in (0, 1)])
        y = F.conv2d(pairs, weight, self.bias.repeat(2), padding=(2, 1))
        return y.permute(0, 2, 3, 1).reshape(batch, height, width, NARROW).permute(0, 3, 1, 2)


def split(x: Tensor, channels: list[int]) -> list[Tensor]:
    """Split on channels, each part in one piece.

    As a slice of the whole, a convolution copies it in its forward and again in its backward, and `torch.cat` is slow: on a CPU
    it takes twice as long, on a GPU it copies branch by branch, with a kernel that is not vectorised.
    """
    return [part.contiguous(memory_format=torch.channels_last) for part in torch.split(x, channels, 1)]


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


def pool_and_classify(x: Tensor, linear: nn.Linear) -> Tensor:
    """Logits of the mean over all pixels, in the precision of the weights.

    Not in bf16 even where all else is: logits of 8 bits are often equal, and which class then wins is chance.
    """
    with nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False):  # no autocast where there are shapes only
        return linear(x.mean((2, 3), dtype=linear.weight.dtype))  # type: ignore[no-any-return]
