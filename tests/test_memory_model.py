"""A GPU's memory, foretold from the trials that a study has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.test_gpu import Gpu, gpu, show, study  # noqa: F401 - fixtures
from tests.test_search import edit
from tuner.config.trial_config import TrialConfig
from tuner.training.memory_model import fit_memory

SEEN: dict[str, Any] = {"classes": 10, "pixels": (32, 32)}
# What MyNet took on the null device, whose allocations are PyTorch's own: (width, batch size) -> MB.
TOOK = {(0.25, 16): 191, (0.25, 128): 983, (0.25, 32): 285, (0.5, 64): 858, (0.125, 256): 1057, (0.25, 256): 1881, (0.125, 16): 140}


def config(width: float, batch_size: int, **more: Any) -> TrialConfig:
    return TrialConfig(width=width, batch_size=batch_size, **more)


def test_memory_is_foretold_from_parameters_and_outputs() -> None:
    model = fit_memory([(config(*key), took) for key, took in TOOK.items()], **SEEN)
    assert model is not None and model.error < 0.1
    for width, batch_size, took in ((0.5, 256, 3524), (0.125, 64, 365)):
        assert model.predict(config(width, batch_size), **SEEN) == pytest.approx(took, rel=0.1)
    whole = config(1.0, 512)
    assert model.needs_more(whole, 8_000, **SEEN) and not model.needs_more(config(1.0, 512, micro_batches=4), 8_000, **SEEN)
    assert not model.needs_more(whole, model.predict(whole, **SEEN), **SEEN), "what may fit is tried"


def test_nothing_is_foretold_from_few_trials_or_from_trials_that_follow_no_rule() -> None:
    points = [(config(*key), float(took)) for key, took in TOOK.items()]
    assert fit_memory(points[:5], **SEEN) is None
    assert fit_memory([(each, took * (3 if index == 0 else 1)) for index, (each, took) in enumerate(points)], **SEEN) is None
    assert fit_memory([points[0]] * 8, **SEEN) is None, "one configuration, eight times"


def test_what_surely_does_not_fit_is_not_tried(gpu: Gpu, study: str, small_study: Path) -> None:  # noqa: F811
    space = {"lr": {"low": 0.001, "high": 0.01}, "batch_size": [16, 32, 64, 128], "epochs": 1, "widths": {"*.n1x1": [0.5, 1, 2, 4]}}
    edit(small_study, width=0.125, image_size=32, sampler="random", space=space)
    gpu("search", study, "--gpu", "0", "--trials", "9", "--no-capture")
    done = gpu("search", study, "--gpu", "0", "--trials", "10", "--no-capture", NULLCUDA_MEMORY=str(40 * 2**20))
    last = show(gpu)[9]
    assert (last["state"], last["run"]["outcome"], last["epochs"]) == ("PRUNED", "out_of_memory", [])
    assert "trials took; the GPU has 42" in last["run"]["reason"] and "MB in 4 micro-batches, by what" in last["run"]["reason"], done.stderr
