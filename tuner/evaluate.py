"""Saved weights on the test part of a data set: ours, or those of report A's own code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .config.trial_config import read_config, read_data_record
from .data import load
from .data.cache import Say
from .data.classes import match_classes
from .data.parts import make_resident
from .errors import UsageError
from .models.weights import load_network
from .study.test_accuracy import record_test
from .training.evaluation import choose_precision, evaluate_network


def evaluate_file(
    path: Path,
    *,
    config: Path | None = None,
    source: str | None = None,
    image_size: int | None = None,
    storage: str | None = None,
    device: str = "cpu",
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Accuracy and loss of a file of weights on test images.

    `config` is the file that says what the network was trained on; None is the `config.yaml` beside the weights. The images
    are those it names; `source` and `image_size` take precedence. Classes are matched by their names. A look at the test
    images of a study that `storage` has is written to it.
    Errors: UsageError for a file that holds no weights of a network of ours, without a configuration, or with other classes.
    """
    loaded = load_network(path)
    trained = config if config is not None else path.parent / "config.yaml"
    if config is None and not trained.exists():
        raise UsageError(
            f"nothing says which image size, normalisation and classes {path} was trained with: "
            "give its configuration with --config FILE, or put it beside as config.yaml"
        )
    known, origin, _ = read_config(trained)
    data, precision = known.data, choose_precision(known.precision, device)
    torch.set_num_threads(known.threads)
    if source is not None:
        data = replace(data, source=source)
    if image_size is not None:
        data = replace(data, image_size=image_size)
    dataset = load(data, progress=say)
    columns = match_classes(read_data_record(trained), loaded.classes, dataset, path, say)
    dataset = replace(dataset, test_labels=np.array(columns, dtype=np.int64)[dataset.test_labels])
    part = make_resident(dataset, data, device, None)
    figures = evaluate_network(loaded.spec, loaded.network, part, device=device, precision=precision)
    record_test(
        storage, origin if config is None else {}, dataset.fingerprint, accuracy=figures.accuracy, images=len(part), by="evaluate", say=say
    )
    return {
        "weights": str(path),
        "model": loaded.spec.name,
        "parameters": sum(p.numel() for p in loaded.network.parameters()),
        "data": data.source,
        "images": len(part),
        "test_loss": figures.loss,
        "test_accuracy": figures.accuracy,
    }
