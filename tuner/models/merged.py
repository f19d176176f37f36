"""The fast form of a network: fewer, larger operations that compute the same function.

The three 1x1 convolutions of a block that read the same input are one convolution, one BatchNorm and one ReLU
here. Convolution, BatchNorm and the optimisers treat each output channel on its own, so that nothing but the
order of sums differs. A pool behind a block comes before its branches are joined, and before their ReLU: both give
the same, gradients too, from a quarter of the numbers. On a GPU, where each is an operation of its own, biases before
a BatchNorm take no part in training; batches are counted for all BatchNorms at once, and weights are cast to bf16 at
once. What is saved and loaded always has the plain network's names and shapes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from .forms import Evaluator, TrainingForm, check_names, check_shape, to_cpu
from .inception import Block, Inception
from .layers import MOMENTUM, NARROW, Narrow, Norm, NormedConv, Pointwise, cast_all, join, pool_and_classify, split

MERGED = ("b1", "b2", "b3")  # the branches of a block that begin with a 1x1 convolution of its input


class MergedBlock(nn.Module):
    """A block whose `reduce` computes the first unit of b1, b2 and b3. The rest keeps its plain names.

    `pool` is what follows the block, or None.
    """

    def __init__(self, plain: Block, pool: nn.Module | None) -> None:
        super().__init__()
        first = [_conv(branch[0]) for branch in (plain.b1, plain.b2, plain.b3)]
        self.rows = [conv.out_channels for conv in first]
        planes = first[0].in_channels
        self.reduce = nn.Sequential(Pointwise(planes, sum(self.rows)), Norm(sum(self.rows)), nn.ReLU(inplace=True))
        end = None if pool is None else -1  # the last ReLU then comes after the pool
        self.b2 = plain.b2[3:end]
        self.b3 = plain.b3[3:end]
        self.b4 = plain.b4[:end]
        self.b4[1] = Pointwise(planes, _conv(plain.b4[1]).out_channels)
        for key, conv in self.b3.named_children():
            if isinstance(conv, nn.Conv2d) and conv.in_channels == conv.out_channels == NARROW:
                setattr(self.b3, key, Narrow())
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        b1, b2, b3 = split(self.reduce(x), self.rows)
        branches = [b1, self.b2(b2), self.b3(b3), self.b4(x)]
        if self.pool is None:
            return join(branches)
        return F.relu(join([self.pool(branch) for branch in branches]), inplace=True)


class Merged(TrainingForm):
    """The fast form of a plain network, with a copy of its weights."""

    def __init__(self, plain: Inception) -> None:
        super().__init__()
        self.casts_at_once = False
        self._zeros: list[Tensor] = []
        weights = plain.state_dict()
        self.plain_names = list(weights)
        plain = copy.deepcopy(plain)
        self.pre_layers = plain.pre_layers
        self.blocks: list[str] = []  # names, in order; a pool belongs to the block before it
        for name, following in pairwise([*plain.stages, ""]):
            stage, after = plain.get_submodule(name), plain.get_submodule(following)
            if isinstance(stage, Block):
                self.add_module(name, MergedBlock(stage, after if isinstance(after, nn.MaxPool2d) else None))
                self.blocks.append(name)
        self.linear = plain.linear
        self.pairs = [pair for sequence in self.modules() if isinstance(sequence, nn.Sequential) for pair in _specialise(sequence)]
        self.to(plain.linear.weight)  # its dtype and device
        self.sources = self._sources()
        self.load_state_dict(self.from_plain(weights, self.state_dict()))

    def forward(self, x: Tensor) -> Tensor:
        with self._cast(x.device.type):
            x = self.pre_layers(x)
            for block in self.blocks:
                x = self.get_submodule(block)(x)
        return pool_and_classify(x, self.linear)

    @contextmanager
    def _cast(self, device_type: str) -> Iterator[None]:
        """Within it convolutions find their weights cast, where autocast would cast each on its own."""
        if not (self.casts_at_once and self.training and torch.is_autocast_enabled(device_type)):
            yield
            return
        weights = cast_all([conv.weight for conv, _ in self.pairs], torch.get_autocast_dtype(device_type))
        try:
            for (conv, _), weight in zip(self.pairs, weights, strict=True):
                conv.cast = weight
            yield
        finally:
            for conv, _ in self.pairs:
                conv.cast = None

    def adapt(self, device: torch.device) -> None:
        self.casts_at_once = device.type == "cuda"
        for conv, _ in self.pairs:
            conv.drops_bias = device.type == "cuda"

    @torch.no_grad()
    def after_backward(self) -> None:
        torch._foreach_add_([_there(norm.num_batches_tracked) for _, norm in self.pairs], 1)
        if not any(conv.drops_bias for conv, _ in self.pairs):
            return
        # As if the biases had been added: the means with them in, and for each a gradient of zero.
        biases = [_there(conv.bias) for conv, _ in self.pairs]
        torch._foreach_add_([_there(norm.running_mean) for _, norm in self.pairs], biases, alpha=MOMENTUM)
        self._zeros = self._zeros or [torch.zeros_like(bias) for bias in biases]
        for bias, zero in zip(biases, self._zeros, strict=True):
            bias.grad = zero

    def _sources(self) -> dict[str, list[tuple[str, int]]]:
        """Name here -> the plain names whose rows it holds, in order, each with its number of rows.

        A scalar (`num_batches_tracked`) has no rows: it holds the value of each of its plain names.
        """
        sources = {}
        for name in self.state_dict():
            block = self.get_submodule(name.split(".")[0])
            if isinstance(block, MergedBlock) and ".reduce." in name:
                sources[name] = [(name.replace("reduce", branch), n) for branch, n in zip(MERGED, block.rows, strict=True)]
            else:
                sources[name] = [(name, -1)]
        return sources

    def to_plain(self, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        plain = {}
        for name, tensor in named.items():
            parts = self.sources[name]
            alone = tensor.ndim == 0 or len(parts) == 1
            rows = [tensor] * len(parts) if alone else torch.split(tensor, [n for _, n in parts])
            for (source, _), part in zip(parts, rows, strict=True):
                plain[source] = to_cpu(part)
        return {name: plain[name] for name in self.plain_names if name in plain}

    def from_plain(self, plain: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
        named = {}
        check_names({source for name in like for source, _ in self.sources[name]}, plain)
        for name, target in like.items():
            parts = [plain[source] for source, _ in self.sources[name]]
            named[name] = parts[0] if target.ndim == 0 else torch.cat(parts)
            check_shape(name, named[name], target)
        return named

    def evaluator(self) -> Evaluator:
        return Folded(self)


class Folded:
    """A network for evaluation: each BatchNorm's running statistics are folded into its convolution.

    `refresh` takes the network's weights as they are now, into the same memory.
    """

    def __init__(self, network: Merged) -> None:
        self._pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d, nn.Conv2d]] = []
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.network.linear = network.linear
        for path, sequence in network.named_modules():
            if isinstance(sequence, nn.Sequential):
                folded = self.network.get_submodule(path)
                for (key, conv), (norm_key, norm) in pairwise(sequence.named_children()):
                    if isinstance(norm, nn.BatchNorm2d):
                        setattr(folded, norm_key, nn.Identity())
                        self._pairs.append((_conv(conv), norm, getattr(folded, key)))

    @torch.no_grad()
    def refresh(self) -> None:
        for conv, norm, folded in self._pairs:
            assert folded.bias is not None and norm.running_mean is not None and norm.running_var is not None
            weight, bias = fuse_conv_bn_weights(
                conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )
            folded.weight.copy_(weight)
            folded.bias.copy_(bias)

    def __call__(self, x: Tensor) -> Tensor:
        return self.network(x)  # type: ignore[no-any-return]


def _specialise(sequence: nn.Sequential) -> list[tuple[NormedConv, Norm]]:
    """Put our own convolutions and BatchNorms in the place of plain ones; their weights are still to be loaded. The pairs of them."""
    for key, module in list(sequence.named_children()):
        if type(module) is nn.Conv2d:
            kernel, padding = module.kernel_size[0], int(module.padding[0])
            setattr(sequence, key, NormedConv(module.in_channels, module.out_channels, kernel, padding=padding))
        elif type(module) is nn.BatchNorm2d:
            setattr(sequence, key, Norm(module.num_features))
    found = []
    for conv, norm in pairwise(sequence.children()):
        if isinstance(norm, Norm):
            assert isinstance(conv, NormedConv), conv
            found.append((conv, norm))
    return found


def _there(tensor: Tensor | None) -> Tensor:
    assert tensor is not None
    return tensor


def _conv(module: nn.Module) -> nn.Conv2d:
    assert isinstance(module, nn.Conv2d), module
    return module
