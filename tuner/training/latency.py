"""How long a network takes for one image."""

from __future__ import annotations

import statistics
import time

import torch

from ..config.trial_config import TrialConfig
from .evaluation import cast_to, prepare
from .run import build_network

UNTIMED, TIMED = 5, 30  # runs


def measure_latency(config: TrialConfig, classes: int, device: str) -> float:
    """Milliseconds for one image on a device: the median of 30 runs of the plain network in evaluation mode, after 5 that do not count.

    With the configuration's threads, and in its precision. Weights are drawn from its seed: time does not depend on them.
    """
    where, side = torch.device(device), config.data.image_size
    torch.set_num_threads(config.threads)
    prepare(where)
    network = build_network(config, classes).eval().to(device=where, memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.zeros(1, 3, side, side, device=where).contiguous(memory_format=torch.channels_last)
    seconds = []
    with torch.inference_mode(), cast_to(where, config.precision):
        for _ in range(UNTIMED + TIMED):
            began = time.perf_counter()
            network(image)
            if where.type != "cpu":
                torch.accelerator.synchronize(where)
            seconds.append(time.perf_counter() - began)
    return 1000 * statistics.median(seconds[UNTIMED:])
