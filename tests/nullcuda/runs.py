"""Training runs on the null device."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuner.config.trial_config import TrialConfig
from tuner.data.resident import Resident
from tuner.training.cuda_graph import choose_recorder
from tuner.training.run import Run


def make_part(images: int = 70, *, device: str = "cuda:0", augment: str = "none", size: int = 32) -> Resident:
    pixels, labels = np.zeros((images, size, size, 3), np.uint8), np.zeros(images, np.int64)
    return Resident(pixels, labels, mean=(0.5,), std=(0.5,), device=device, augment=augment)


def make_run(*, device: str = "cuda:0", capture: bool = False, augment: str = "flip-crop", images: int = 70, **values: Any) -> Run:
    config = TrialConfig(**{"batch_size": 16, "epochs": 3, "width": 0.125, "augment": augment, **values})
    train, val = make_part(images, device=device, augment=augment), make_part(images, device=device)
    return Run(config, train, val, classes=10, device=device, recorder=choose_recorder(device, capture))
