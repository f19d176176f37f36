"""The check of a device before a worker's first trial: it passes here, and sees each kind of fault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tuner.errors import TunerError
from tuner.models import MODELS
from tuner.models.merged import Merged
from tuner.training.run import Run
from tuner.training.self_check import check_training


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("model", MODELS)
def test_training_is_right_here(model: str, precision: str) -> None:
    check_training(model, "cpu", precision)


def test_a_form_that_computes_something_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = Merged.forward
    monkeypatch.setattr(Merged, "forward", lambda self, x: forward(self, x) * 1.0001)
    with pytest.raises(TunerError, match=r"mynet on cpu is trained wrongly: gradients differ .* by \d\.\de-\d\d in float64, allowed 1e-06"):
        check_training("mynet", "cpu", "fp32")


def test_a_state_that_loses_something_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Run.load_state

    def forget(run: Run, state: Mapping[str, Any]) -> None:
        load(run, state)
        for named in run._moments().values():
            for tensor in named.values():
                tensor.zero_()

    monkeypatch.setattr(Run, "load_state", forget)
    with pytest.raises(TunerError, match=r"mynet on cpu is not taken up again as it was: .* differs after a checkpoint was loaded"):
        check_training("mynet", "cpu", "fp32")
