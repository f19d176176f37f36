"""A training step recorded once and replayed, where its batch is a full one.

On a GPU a step of a small batch is about a thousand short operations, and the host is slower than the device.
A recorded step is one operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

from .memory import is_out_of_memory

Step = Callable[[Tensor, Tensor], None]
WARM_UP = 3  # runs before recording, in which libraries choose their algorithms and allocate


class Recorder(Protocol):
    """`check` asks for a replay to be compared with an eager step before it is used."""

    check: bool

    def warm_up(self, run: Callable[[], None]) -> None:
        """Run it a few times, apart from other work on the device."""

    def record(self, run: Callable[[], None]) -> Callable[[], None]:
        """Record it without running it; what comes back replays it on the same memory."""


class CudaRecorder:
    """Records CUDA graphs."""

    def __init__(self, device: torch.device, *, check: bool = False) -> None:
        self.device = device
        self.check = check

    def warm_up(self, run: Callable[[], None]) -> None:
        with torch.cuda.device(self.device):
            side = _side_stream(self.device)
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM_UP):
                    run()
            torch.cuda.current_stream().wait_stream(side)

    def record(self, run: Callable[[], None]) -> Callable[[], None]:
        with torch.cuda.device(self.device):
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=_side_stream(self.device)):
                run()
        return graph.replay


@cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """One for the life of the process: cuBLAS keeps 67 MB for every stream that it has seen, and never gives them back."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def choose_recorder(device: str, capture: bool | None) -> Recorder | None:
    """What records steps on a device: as asked for, and where nothing is asked (None) with a check of the replay.

    None where steps are not to be recorded, or cannot be.
    """
    if capture is False or not device.startswith("cuda"):
        return None
    return CudaRecorder(torch.device(device), check=capture is None)


class CapturedStep:
    """Takes a step for a batch of any size, and replays it for one of `size` images.

    It is recorded at the first full batch, and anew when the shape of the images changes. `changed` are the tensors
    that a step changes, by name: recording leaves them as they were. They have to stay in place between steps.
    `refusal` says why steps are not replayed: a replay that differs from an eager step, too little memory, or an operation
    that cannot be recorded; the last is an error where recording was asked for without a check.
    """

    def __init__(self, size: int, recorder: Recorder, changed: Mapping[str, Tensor]) -> None:
        self._size = size
        self._recorder = recorder
        self._changed = changed
        self._replay: Callable[[], None] | None = None
        self._images = self._labels = torch.empty(0)
        self.refusal = ""

    def __call__(self, step: Step, images: Tensor, labels: Tensor) -> None:
        if len(labels) == self._size and not self.refusal and (self._replay is None or images.shape != self._images.shape):
            self._record(step, images, labels)
        if len(labels) != self._size or self._replay is None:
            step(images, labels)
            return
        self._images.copy_(images)
        self._labels.copy_(labels)
        self._replay()

    def _record(self, step: Step, images: Tensor, labels: Tensor) -> None:
        self._replay = None  # frees the memory of the one before
        self._images, self._labels = images.clone(), labels.clone()

        def run() -> None:
            step(self._images, self._labels)

        before: dict[str, Tensor] = {}
        devices = [images.device] if images.device.type == "cuda" else []
        try:
            before = self._copy()
            with torch.random.fork_rng(devices=devices):
                self._recorder.warm_up(run)
                self._restore(before)
                replay = self._recorder.record(run)
                if self._recorder.check:
                    self.refusal = self._compare(run, replay, before)
        except RuntimeError as fault:
            if is_out_of_memory(fault):
                self.refusal = "there is too little memory to record it"
            elif self._recorder.check:
                self.refusal = f"it cannot be recorded ({str(fault).splitlines()[0][:200]})"
            else:
                raise
        self._restore(before)
        if not self.refusal:
            self._replay = replay

    def _compare(self, run: Callable[[], None], replay: Callable[[], None], before: Mapping[str, Tensor]) -> str:
        """Take the step eagerly and as a replay, from the same state. The refusal; empty where every tensor is equal."""
        torch.manual_seed(0)
        run()
        eager = self._copy()
        self._restore(before)
        torch.manual_seed(0)
        replay()
        differing = next((name for name, tensor in self._changed.items() if not torch.equal(tensor, eager[name])), None)
        return "" if differing is None else f"a replay gives another {differing} than an eager step"

    def _copy(self) -> dict[str, Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self._changed.items()}

    def _restore(self, before: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in before.items():  # none where it could not be copied: then nothing was changed
                self._changed[name].copy_(tensor)
