"""How much of a GPU's memory a configuration will take, from what others took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..config.trial_config import TrialConfig
from ..models import find_model

LEAST_TRIALS = 6
MOST_ERROR = 0.2  # of the worst trial that the model was fitted to; above it nothing is foretold


@dataclass(frozen=True, kw_only=True)
class MemoryModel:
    """peak = `fixed` + `per_parameter` * parameters + `per_output` * outputs of all layers for a micro-batch, in MB.

    `error` is the largest relative error of the `trials` that it was fitted to.
    """

    fixed: float
    per_parameter: float
    per_output: float
    error: float
    trials: int

    def predict(self, config: TrialConfig, *, classes: int, pixels: tuple[int, int]) -> float:
        """MB at the peak."""
        parameters, outputs = _features(config, classes, pixels)
        return self.fixed + self.per_parameter * parameters + self.per_output * outputs

    def needs_more(self, config: TrialConfig, megabytes: float, *, classes: int, pixels: tuple[int, int]) -> bool:
        """Whether the configuration surely does not fit: even if the model is as wrong again as it ever was."""
        return self.predict(config, classes=classes, pixels=pixels) * (1 - 2 * self.error) > megabytes


def fit_memory(points: Sequence[tuple[TrialConfig, float]], *, classes: int, pixels: tuple[int, int]) -> MemoryModel | None:
    """The model of configurations and the MB that each took; None where there are too few, or they do not follow it."""
    if len(points) < LEAST_TRIALS:
        return None
    from scipy.optimize import nnls  # slow to import, and only a GPU's memory is foretold

    features = np.array([(1.0, *_features(config, classes, pixels)) for config, _ in points])
    peaks = np.array([peak for _, peak in points])
    scale = features.max(axis=0)
    found, _ = nnls(features / scale / peaks[:, None], np.ones(len(peaks)))  # weighted, so that errors are relative
    fixed, per_parameter, per_output = found / scale
    error = float(np.abs(features @ (found / scale) / peaks - 1).max())
    if error > MOST_ERROR or len({tuple(row) for row in features[:, 1:]}) < 3:
        return None
    return MemoryModel(fixed=fixed, per_parameter=per_parameter, per_output=per_output, error=error, trials=len(points))


def _features(config: TrialConfig, classes: int, pixels: tuple[int, int]) -> tuple[float, float]:
    """Parameters, and outputs of all layers for one micro-batch."""
    parameters, outputs = _count(config.model, tuple(config.channels.items()), tuple(config.network.items()), classes, pixels)
    size = 2 if config.precision == "bf16" else 4
    return float(parameters), float(outputs * -(-config.batch_size // config.micro_batches) * size)


@cache
def _count(
    model: str, channels: tuple[tuple[str, int], ...], options: tuple[tuple[str, Any], ...], classes: int, pixels: tuple[int, int]
) -> tuple[int, int]:
    """Parameters of a network, and outputs of all its layers for one image."""
    outputs = 0

    def add(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal outputs
        outputs += output.numel() if isinstance(output, Tensor) else 0

    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        network = find_model(model).build(dict(channels), classes, **dict(options)).eval()
        for module in network.modules():
            if not list(module.children()):
                module.register_forward_hook(add)
        network(torch.zeros(1, 3, *pixels))
    return sum(p.numel() for p in network.parameters()), outputs
