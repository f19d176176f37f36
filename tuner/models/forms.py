"""How a network is trained and evaluated: in a form that may be faster than the plain one, and computes the same."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn


class Evaluator(Protocol):
    """A network for evaluation only. `refresh` takes the weights as they are now; a call gives logits (B, classes)."""

    def refresh(self) -> None: ...

    def __call__(self, x: Tensor) -> Tensor: ...


class TrainingForm(nn.Module):
    """A network as it is trained. What is saved and loaded always has the plain network's names and shapes."""

    @abstractmethod
    def to_plain(self, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights, gradients or an optimiser's moments, keyed by names here, under their plain names and in plain order.

        Copies on the CPU, contiguous: they stay as they are while training goes on.
        """

    @abstractmethod
    def from_plain(self, plain: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The reverse of `to_plain`: tensors keyed and shaped as `like` is. ValueError when a name or a shape differs."""

    @abstractmethod
    def evaluator(self) -> Evaluator:
        """The same network, with the same weights, for evaluation."""

    def adapt(self, device: torch.device) -> None:
        """Take the ways that are fastest on a device."""
        del device

    def after_backward(self) -> None:
        """What a step still needs between the backward pass and the optimiser."""


class AsItIs(TrainingForm):
    """The form of a network that has no faster one."""

    def __init__(self, plain: nn.Module) -> None:
        super().__init__()
        self.plain = plain

    def forward(self, x: Tensor) -> Tensor:
        return self.plain(x)  # type: ignore[no-any-return]

    def to_plain(self, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {_plain_name(name): to_cpu(tensor) for name, tensor in named.items()}

    def from_plain(self, plain: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
        check_names({_plain_name(name) for name in like}, plain)
        named = {name: plain[_plain_name(name)] for name in like}
        for name, target in like.items():
            check_shape(_plain_name(name), named[name], target)
        return named

    def evaluator(self) -> Evaluator:
        return _Frozen(self)


class _Frozen:
    """A network in evaluation mode. Whoever trains it next puts it back into training mode, as `Run` does each epoch."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def refresh(self) -> None:
        self._network.eval()

    def __call__(self, x: Tensor) -> Tensor:
        return self._network(x)  # type: ignore[no-any-return]


def to_cpu(tensor: Tensor) -> Tensor:
    """A contiguous copy on the CPU."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def check_names(wanted: set[str], plain: Mapping[str, Tensor]) -> None:
    if wanted != plain.keys():
        raise ValueError(f"weights of another network: {min(wanted ^ plain.keys())} is not in both")


def check_shape(name: str, tensor: Tensor, target: Tensor) -> None:
    if tensor.shape != target.shape:
        raise ValueError(f"weights of another network: {name} is {tuple(tensor.shape)}, not {tuple(target.shape)}")


def _plain_name(name: str) -> str:
    return name.removeprefix("plain.")
