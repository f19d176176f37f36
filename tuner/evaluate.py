"""Saved weights on the test part of a data set: ours, or those of report A's own code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from .config.data_config import DataConfig
from .config.trial_config import read_config
from .data import load
from .data.parts import make_resident
from .errors import UsageError
from .models.weights import load_network
from .training.evaluation import choose_precision, evaluate_network


def evaluate_file(path: Path, *, source: str | None = None, image_size: int | None = None, device: str = "cpu") -> dict[str, Any]:
    """Accuracy and loss of a file of weights on test images.

    The images are those of `config.yaml` beside the weights, else CIFAR-10; `source` and `image_size` take precedence.
    Errors: UsageError for a file that holds no weights of a network of ours, or another number of classes.
    """
    loaded = load_network(path)
    data, precision = DataConfig(), "fp32"
    beside = path.parent / "config.yaml"
    if beside.exists():
        config, _, _ = read_config(beside)
        data, precision = config.data, choose_precision(config.precision, device)
        torch.set_num_threads(config.threads)
    if source is not None:
        data = replace(data, source=source)
    if image_size is not None:
        data = replace(data, image_size=image_size)
    dataset = load(data)
    if loaded.classes != len(dataset.classes):
        raise UsageError(
            f"{path} tells {loaded.classes} classes apart, but {data.source!r} has {len(dataset.classes)}: give the images with --data"
        )
    part = make_resident(dataset, data, device, None)
    figures = evaluate_network(loaded.spec, loaded.network, part, device=device, precision=precision)
    return {
        "weights": str(path),
        "model": loaded.spec.name,
        "parameters": sum(p.numel() for p in loaded.network.parameters()),
        "data": data.source,
        "images": len(part),
        "test_loss": figures.loss,
        "test_accuracy": figures.accuracy,
    }
