"""How large a network is: its parameters, and the multiply-accumulates of one image. Nothing is trained.

A network is built on PyTorch's meta device, where weights have shapes and no values, and an image passes through it of which the
layers that cost most compute the shape alone. That takes milliseconds. A network that uses its weights in another way than through
such layers, or reckons with values while it is built, is built on the CPU instead. (PyTorch's own counter imports its compiler, which
takes seconds in every process, and so does any network of which all is on the meta device.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from . import find_model

MOST_KEPT = 10_000
# Layers whose output has the shape of their input, and that are not counted.
KEEP_SHAPE: tuple[type[nn.Module], ...] = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d, nn.Dropout, nn.Dropout2d),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.Hardsigmoid),
)


@dataclass(frozen=True, kw_only=True)
class Size:
    """`macs` counts what PyTorch has a formula for: convolutions, products of matrices, attention."""

    parameters: int
    macs: int


def measure_size(model: str, channels: Mapping[str, int], options: Mapping[str, Any], *, classes: int, pixels: tuple[int, int]) -> Size:
    """The size of a network of these channel counts and options for images of so many pixels. Each is measured once in a process.

    Errors: whatever building or calling the network raises; UsageError where its code is the user's own.
    """
    return _measure(model, tuple(channels.items()), tuple(options.items()), classes, pixels)


@lru_cache(maxsize=MOST_KEPT)
def _measure(
    model: str, channels: tuple[tuple[str, int], ...], options: tuple[tuple[str, Any], ...], classes: int, pixels: tuple[int, int]
) -> Size:
    def build(device: str) -> nn.Module:
        with torch.random.fork_rng(devices=[]), torch.device(device), _Undrawn():
            torch.default_generator.manual_seed(0)
            return find_model(model).build(dict(channels), classes, **dict(options)).eval()

    image = torch.zeros(1, 3, *pixels)
    try:
        return count(build("meta"), image)
    except Exception:
        return count(build("cpu"), image)  # whose errors are the network's own


def count(network: nn.Module, image: Tensor) -> Size:
    """Pass an image (1, 3, H, W) through a network in evaluation mode, which is of no use afterwards: its layers no longer compute."""
    counter = _Counter()
    for module in network.modules():
        forward = type(module).forward
        if any(isinstance(module, kind) and forward is kind.forward for kind in KEEP_SHAPE):
            module.forward = _keep
        elif isinstance(module, nn.Conv2d) and forward is nn.Conv2d.forward and not isinstance(module.padding, str):
            module.forward = partial(counter.convolve, module)  # type: ignore[method-assign]
        elif isinstance(module, nn.MaxPool2d) and forward is nn.MaxPool2d.forward and not (module.ceil_mode or module.return_indices):
            module.forward = partial(_pool, module)  # type: ignore[method-assign]
        elif isinstance(module, nn.Linear) and forward is nn.Linear.forward:
            module.forward = partial(counter.project, module)  # type: ignore[method-assign]
    # With gradients wanted, and in plain steps, PyTorch computes attention in products of matrices.
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        network(image)
    return Size(parameters=sum(p.numel() for p in network.parameters()), macs=counter.macs)


def _keep(x: Tensor) -> Tensor:
    return x


def _pool(layer: nn.MaxPool2d, x: Tensor) -> Tensor:
    return x.new_zeros((*x.shape[:-2], *_find_sides(layer, x)))


def _find_sides(layer: nn.Conv2d | nn.MaxPool2d, x: Tensor) -> list[int]:
    """Height and width of what a layer makes of `x`."""
    given = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    pairs = [(each, each) if isinstance(each, int) else each for each in given]
    rows = zip(x.shape[-2:], *pairs, strict=True)
    return [(side + 2 * int(padding) - dilation * (kernel - 1) - 1) // stride + 1 for side, kernel, stride, padding, dilation in rows]


class _Undrawn(TorchFunctionMode):
    """Leaves weights as they are made: nobody reads them here."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts multiply-accumulates: of layers that it stands in for, and of every operation that PyTorch has a formula for."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or the first call imports the compiler

    def convolve(self, layer: nn.Conv2d, x: Tensor) -> Tensor:
        out = x.new_zeros((*x.shape[:-3], layer.out_channels, *_find_sides(layer, x)))
        self.macs += out.numel() * layer.in_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
        return out

    def project(self, layer: nn.Linear, x: Tensor) -> Tensor:
        out = x.new_zeros((*x.shape[:-1], layer.out_features))
        self.macs += out.numel() * layer.in_features
        return out

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        formula: Callable[..., int] | None = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.macs += formula(*args, **(kwargs or {}), out_val=out) // 2
        return out
