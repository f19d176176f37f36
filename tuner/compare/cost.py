"""What a network costs: parameters, multiply-accumulates of one image, memory of a batch."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True, kw_only=True)
class Cost:
    """`held_bytes` are the weights and buffers, `image_bytes` the most that one image's activations take at once."""

    parameters: int
    macs: int
    held_bytes: int
    image_bytes: int

    def peak_mb(self, batch_size: int) -> float:
        """MB of weights and of a batch's activations; what a library needs to compute them is not in it."""
        return round((self.held_bytes + batch_size * self.image_bytes) / 1e6, 1)


def measure_cost(network: nn.Module, image: Tensor) -> Cost:
    """Pass one image (1, 3, H, W) through the network, in evaluation mode, and count."""
    state = [*network.parameters(), *network.buffers()]
    with torch.no_grad(), FlopCounterMode(display=False) as counter, _Memory({t.untyped_storage().data_ptr() for t in state}) as memory:
        network(image)
    return Cost(
        parameters=sum(p.numel() for p in network.parameters()),
        macs=counter.get_total_flops() // 2,
        held_bytes=sum(t.untyped_storage().nbytes() for t in state),
        image_bytes=memory.peak + image.untyped_storage().nbytes(),
    )


class _Memory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of all tensors that live at once, but for those in `held`."""

    def __init__(self, held: set[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._now = 0
        self._seen = held

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._add(leaf.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        where, size = storage.data_ptr(), storage.nbytes()
        if not size or where in self._seen:
            return
        self._seen.add(where)
        self._now += size
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._freed, where, size)

    def _freed(self, where: int, size: int) -> None:
        self._now -= size
        self._seen.discard(where)
