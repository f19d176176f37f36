"""Saved weights on the test part of a data set: ours, or those of report A's own code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .config.named_code import name_code
from .config.objective import OBJECTIVES, check_classes
from .data import load
from .data.cache import Say
from .data.classes import match_classes
from .data.parts import make_resident
from .errors import UsageError
from .models.own_code import find_permitted
from .study.test_accuracy import record_test
from .training.counts import make_counts
from .training.evaluation import choose_precision, evaluate_network
from .training.trained import load_trained, name_code_of


def evaluate_file(
    path: Path,
    *,
    config: Path | None = None,
    source: str | None = None,
    image_size: int | None = None,
    storage: str | None = None,
    device: str = "cpu",
    accept_changed_code: bool = False,
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Accuracy and loss of a file of weights on test images, and the value there of what it was searched for.

    What the file carries says what the network was trained on; for a file that carries nothing `config` does, by default the
    `config.yaml` beside it. The images are those named there; `source` and `image_size` take precedence. Classes are matched
    by their names. A look at the test images of a study that `storage` has is written to it.
    Errors: UsageError for a file that holds no weights of a network of ours, without a configuration, or with other classes.
    """
    loaded, facts = load_trained(path, config, say, accept_changed_code=accept_changed_code)
    if facts is None:
        raise UsageError(
            f"nothing says which image size, normalisation and classes {path} was trained with: "
            "give its configuration with --config FILE, or put it beside as config.yaml"
        )
    known = facts.config
    data, precision = known.data, choose_precision(known.precision, device)
    torch.set_num_threads(known.threads)
    if source is not None:
        data = replace(data, source=source)
    if image_size is not None:
        data = replace(data, image_size=image_size)
    if source is None:
        name_code_of(data.source, facts.data.code, path, config, accept=accept_changed_code)
    else:
        name_code([source], None)
    dataset = load(data, progress=say)
    columns = match_classes(facts.data, loaded.classes, dataset, path, say)
    dataset = replace(dataset, test_labels=np.array(columns, dtype=np.int64)[dataset.test_labels])
    part = make_resident(dataset, data, device, None)
    check_classes(known.objective, loaded.classes)
    counts = make_counts(known.objective)
    figures = evaluate_network(loaded.spec, loaded.network, part, device=device, precision=precision, counts=counts)
    every = {**figures._asdict(), **({} if counts is None else counts.read())}
    origin = facts.origin if config is None else {}
    record_test(storage, origin, dataset.fingerprint, accuracy=figures.accuracy, images=len(part), by="evaluate", say=say)
    evaluated: dict[str, Any] = {
        "weights": str(path),
        "model": loaded.spec.name,
        "parameters": sum(p.numel() for p in loaded.network.parameters()),
        "data": data.source,
        "images": len(part),
        "test_loss": figures.loss,
        "test_accuracy": figures.accuracy,
        "objective": known.objective,
        "test_value": every[OBJECTIVES[known.objective].figure],
    }
    if known.code is not None:
        evaluated |= {"code": find_permitted(known.model).digest, "trained_code": known.code}
    return evaluated
