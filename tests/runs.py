"""Training runs of a second: the least width, 8x8 images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from tuner.config.data_config import DataConfig
from tuner.config.trial_config import TrialConfig
from tuner.data.resident import Resident
from tuner.training.run import Run

CONFIG = TrialConfig(width=0.01, lr=0.0625, batch_size=8, epochs=3, data=DataConfig(image_size=8))
STRICT = {
    "sgd": replace(CONFIG, nesterov=True, weight_decay=1e-3, augment="flip", schedule="cosine", label_smoothing=0.1),
    "adamw": replace(CONFIG, optimizer="adamw", lr=0.01, weight_decay=0.1, augment="flip-crop", schedule="onecycle"),
    "no momentum": replace(CONFIG, momentum=0, nesterov=True),
}


def part(count: int, augment: str = "none", seed: int = 0) -> Resident:
    """Images whose class can be seen: it is how bright they are."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    images = random.integers(0, 100, (count, 8, 8, 3)) + 50 * labels[:, None, None, None]
    return Resident(images.astype(np.uint8), labels, mean=(0.5,), std=(0.5,), augment=augment)


def make(config: TrialConfig, images: int = 30, **options: object) -> Run:
    return Run(config, part(images, config.augment), part(13, seed=1), classes=4, **options)  # type: ignore[arg-type]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)
