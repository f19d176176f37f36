"""A training step recorded once and replayed, where its batch is a full one.

On a GPU a step of a small batch is about a thousand short operations, and the host is slower than the device.
A recorded step is one operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor], None]
WARM_UP = 3  # runs before recording, in which libraries choose their algorithms and allocate


class Recorder(Protocol):
    def warm_up(self, run: Callable[[], None]) -> None:
        """Run it a few times, apart from other work on the device."""

    def record(self, run: Callable[[], None]) -> Callable[[], None]:
        """Record it without running it; what comes back replays it on the same memory."""


class CudaRecorder:
    """Records CUDA graphs."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def warm_up(self, run: Callable[[], None]) -> None:
        with torch.cuda.device(self.device):
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM_UP):
                    run()
            torch.cuda.current_stream().wait_stream(side)

    def record(self, run: Callable[[], None]) -> Callable[[], None]:
        with torch.cuda.device(self.device):
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                run()
        return graph.replay


def choose_recorder(device: str, capture: bool) -> Recorder | None:
    """What records steps on a device; None where they are not to be recorded, or cannot be."""
    return CudaRecorder(torch.device(device)) if capture and device.startswith("cuda") else None


class CapturedStep:
    """Calls `step` for a batch of any size, and replays it for one of `size` images.

    It is recorded at the first full batch, and anew when the shape of the images changes. `changed` are the tensors
    that a step changes: the warm-up leaves them as they were. They have to stay in place between steps.
    """

    def __init__(self, step: Step, size: int, recorder: Recorder, changed: list[Tensor]) -> None:
        self._step = step
        self._size = size
        self._recorder = recorder
        self._changed = changed
        self._replay: Callable[[], None] | None = None
        self._images = self._labels = torch.empty(0)

    def __call__(self, images: Tensor, labels: Tensor) -> None:
        if len(labels) != self._size:
            self._step(images, labels)
            return
        if self._replay is None or images.shape != self._images.shape:
            self._record(images, labels)
        assert self._replay is not None
        self._images.copy_(images)
        self._labels.copy_(labels)
        self._replay()

    def _record(self, images: Tensor, labels: Tensor) -> None:
        self._replay = None  # frees the memory of the one before
        self._images, self._labels = images.clone(), labels.clone()

        def run() -> None:
            self._step(self._images, self._labels)

        before = [tensor.detach().clone() for tensor in self._changed]
        self._recorder.warm_up(run)
        with torch.no_grad():
            for tensor, old in zip(self._changed, before, strict=True):
                tensor.copy_(old)
        self._replay = self._recorder.record(run)
