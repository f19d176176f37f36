"""bf16 beside fp32 on one device: whether it is faster, and whether training goes as well."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ..config.trial_config import TrialConfig
from ..data.resident import Resident
from ..placement import has_bf16_units
from .cuda_graph import Recorder, choose_recorder
from .run import Run, Stopped

ROUNDS = 5  # timed steps of each precision and batch size, after one that is not
STEPS, EARLY = 60, 40  # steps whose losses are compared: those after the early ones
GRADIENT_IMAGES = 256  # of the first step
BATCH_SIZE, LR = 32, 0.001  # of these steps. With fewer images or a larger lr two runs in fp32 part as far, from their last bits on
FASTER = 1.2
FIRST_LOSS, LATE_LOSS, NOISE = 0.01, 0.05, 0.5


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How alike training goes in both precisions; each pair is (fp32, bf16).

    `first_loss` is the loss of the first step, `late_loss` the mean loss of steps 41 to 60. Of the whole gradients of the first
    step, `cosine` is that of the angle between them, and `noise` the length of their difference as a share of the difference
    that other images make, in fp32. The share decides, and not the cosine: a deep network with BatchNorm multiplies any rounding
    on its way back, that of its weights alone too, and other images turn the gradient far more.
    """

    first_loss: tuple[float, float]
    cosine: float
    noise: float
    late_loss: tuple[float, float]

    def list_faults(self) -> list[str]:
        first, late = (abs(bf16 / fp32 - 1) if fp32 else math.inf for fp32, bf16 in (self.first_loss, self.late_loss))
        faults = []
        if not all(math.isfinite(loss) for loss in (*self.first_loss, *self.late_loss)):
            faults.append("a loss is not finite")
        if not first <= FIRST_LOSS:
            faults.append(f"the first step's loss differs by {first:.1%}, allowed {FIRST_LOSS:.0%}")
        if not self.noise <= NOISE:
            faults.append(f"the gradient differs by {self.noise:.2f} of what other images change, allowed {NOISE:g}")
        if not late <= LATE_LOSS:
            faults.append(f"the loss of steps {EARLY + 1} to {STEPS} differs by {late:.1%}, allowed {LATE_LOSS:.0%}")
        return faults


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was measured: the least seconds of a step, (fp32, bf16) by batch size; and, where bf16 is faster, how alike it trains."""

    seconds: dict[int, tuple[float, float]]
    agreement: Agreement | None = None

    @property
    def speedup(self) -> float:
        """How many times as fast bf16 trains, where each batch size trains equally many images."""
        fp32, bf16 = (sum(pair[side] / size for size, pair in self.seconds.items()) for side in (0, 1))
        return fp32 / bf16

    def list_faults(self) -> list[str]:
        """What speaks against bf16, in words; empty where it is to be used."""
        if self.agreement is None:
            return [f"it is {self.speedup:.2f} times as fast, wanted {FASTER:g}"]
        return self.agreement.list_faults()


def has_fast_bf16(device: str) -> bool:
    """Whether the device computes in bf16 itself."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu" and has_bf16_units()


def count_images(batch_sizes: Sequence[int]) -> int:
    """How many images `measure` trains."""
    return 3 * GRADIENT_IMAGES + 2 * STEPS * BATCH_SIZE + 2 * (1 + ROUNDS) * sum(batch_sizes)


def measure(
    config: TrialConfig,
    batch_sizes: Sequence[int],
    train: Resident,
    *,
    classes: int,
    device: str,
    capture: bool | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Evidence:
    """Train a configuration in both precisions on the same batches, for some steps of each batch size.

    Steps are timed as the trials of a search take them, alternately. Losses are compared where they tell of the arithmetic:
    with a batch and a learning rate that let no run go its own way. Errors: Stopped, and those of too little memory.
    """

    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(config.seed))  # images may be sorted by class

    def make(chosen: TrialConfig, recorder: Recorder | None) -> list[Run]:
        pair = [replace(chosen, precision=precision) for precision in ("fp32", "bf16")]
        return [Run(each, train, None, classes=classes, device=device, recorder=recorder) for each in pair]

    def take(run: Run, index: int) -> float:
        if stop():
            raise Stopped
        size = run.config.batch_size
        rows = order[torch.arange(index * size, (index + 1) * size) % len(train)]
        began = time.perf_counter()
        run.network.train()
        run.step(*train.batch(rows, torch.Generator().manual_seed(index)))
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        return time.perf_counter() - began

    def take_first(run: Run, index: int) -> tuple[float, Tensor]:
        """Loss and whole gradient, on the CPU in float64, of a first step."""
        take(run, index)
        gradient = torch.cat([p.grad.flatten() for p in run.network.parameters() if p.grad is not None])
        return run.sums.means(run.config.batch_size)[0], gradient.double().cpu()

    def time_steps(batch_size: int) -> tuple[float, float]:
        runs = make(replace(config, batch_size=batch_size), choose_recorder(device, capture))
        times = [[take(run, index) for run in runs] for index in range(1 + ROUNDS)]
        fp32, bf16 = (min(column) for column in zip(*times[1:], strict=True))
        return fp32, bf16

    def in_pieces(size: int) -> TrialConfig:
        """Of no more images at once than a trial of the search holds in memory."""
        return replace(config, batch_size=size, micro_batches=-(-size // max(batch_sizes)))

    def compare() -> Agreement:
        size = min(GRADIENT_IMAGES, len(train) // 2)
        pair = make(in_pieces(size), None)
        first, gradients = zip(*(take_first(run, 0) for run in pair), strict=True)
        del pair
        _, elsewhere = take_first(make(in_pieces(size), None)[0], 1)
        size = min(BATCH_SIZE, len(train))
        late = []
        for run in make(replace(in_pieces(size), lr=min(LR, config.lr)), None):
            for index in range(STEPS):
                if index == EARLY:
                    run.sums.reset()
                take(run, index)
            late.append(run.sums.means(size * (STEPS - EARLY))[0])
        fp32, bf16 = gradients
        return Agreement(
            first_loss=(first[0], first[1]),
            cosine=float(F.cosine_similarity(fp32, bf16, dim=0)),
            noise=float((bf16 - fp32).norm() / (elsewhere - fp32).norm()),
            late_loss=(late[0], late[1]),
        )

    evidence = Evidence(seconds={batch_size: time_steps(batch_size) for batch_size in batch_sizes})
    return replace(evidence, agreement=compare()) if evidence.speedup >= FASTER else evidence
