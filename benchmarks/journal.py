"""Report A's journal again: its nine rows, accuracy beside the report's and seconds beside the naive loop's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from tuner.config.trial_config import TrialConfig
from tuner.data.resident import Resident
from tuner.training.cuda_graph import choose_recorder
from tuner.training.run import Run

from .images import Array

# model, epochs, batch size, learning rate, and the test accuracy in percent that the report gives
ROWS = (
    ("googlenet", 2, 4, 0.001, 74),
    ("mynet", 2, 4, 0.001, 76),
    ("mynet", 4, 4, 0.001, 82),
    ("mynet", 4, 4, 0.0001, 75),
    ("mynet", 4, 16, 0.001, 83),
    ("mynet", 4, 8, 0.001, 83),
    ("mynet", 4, 32, 0.001, 81),
    ("mynet", 6, 8, 0.0005, 84),
    ("mynet", 6, 8, 0.001, 87),
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row trained on all training images and tested once. Accuracies are fractions, `seconds` training only."""

    model: str
    epochs: int
    batch: int
    lr: float
    seed: int
    reported: float
    accuracy: float
    seconds: float


def journal(
    train: tuple[Array, Array],
    test: tuple[Array, Array],
    *,
    device: str,
    precision: str,
    capture: bool,
    width: float = 1.0,
    rows: int = len(ROWS),
    seed: int = 0,
    deadline: float = float("inf"),
) -> Iterator[Row]:
    """The rows one after the other, until `deadline` on the monotonic clock."""
    training, testing = (Resident(*part, mean=(0.5,), std=(0.5,), device=device) for part in (train, test))
    for model, epochs, batch, lr, reported in ROWS[:rows]:
        if time.monotonic() > deadline:
            return
        config = TrialConfig(model=model, width=width, epochs=epochs, batch_size=batch, lr=lr, seed=seed, precision=precision)
        run = Run(config, training, None, classes=10, device=device, recorder=choose_recorder(device, capture))
        seconds = sum(score.seconds for score in run.epochs())
        accuracy = run.evaluate(testing)[1]
        yield Row(model=model, epochs=epochs, batch=batch, lr=lr, seed=seed, reported=reported / 100, accuracy=accuracy, seconds=seconds)
