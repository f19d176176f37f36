"""The precision of a study: measured, decided once, followed by all its workers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.conftest import Tuner
from tests.test_objective import STUDY
from tests.test_search import edit
from tuner.config.study_config import StudyConfig
from tuner.config.trial_config import TrialConfig
from tuner.data import load as load_data
from tuner.data.parts import Parts
from tuner.errors import TunerError
from tuner.models.merged import Merged
from tuner.placement import Placement
from tuner.study.examples import find_middle
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, load
from tuner.study.study import Study
from tuner.training import precision as measured
from tuner.training.precision import Agreement, Evidence
from tuner.training.run import Run, Stopped
from tuner.workers import precision as settled
from tuner.workers.precision import settle_precision

ALIKE = Agreement(first_loss=(2.3, 2.301), cosine=0.93, noise=0.3, late_loss=(1.9, 1.91))
FASTER = Evidence(seconds={8: (0.08, 0.06), 64: (0.5, 0.4)}, agreement=ALIKE)
AUTO = Placement(precision="auto")


@pytest.fixture(scope="module")
def parts() -> Parts:
    config = StudyConfig.from_dict(STUDY)
    return Parts(load_data(config.data), config.data, "cpu")


@pytest.fixture
def study(tmp_path: Path) -> Study:
    plain = {**STUDY, "space": {"lr": {"low": 0.01, "high": 0.1, "log": True}, "batch_size": [8, 16, 32], "epochs": {"low": 4, "high": 9}}}
    return create_or_load(Storage(f"sqlite:///{tmp_path}/x.db", make=True), "s", StudyConfig.from_dict(plain), "f", trials=10_000)


@pytest.fixture
def bf16_units(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (measured, settled):
        monkeypatch.setattr(module, "has_fast_bf16", lambda device: True)


@pytest.fixture
def measurements(monkeypatch: pytest.MonkeyPatch, bf16_units: None) -> Iterator[list[list[int]]]:
    """The batch sizes of each measurement that was asked for; each finds bf16 faster and as good."""
    asked: list[list[int]] = []

    def measure(config: TrialConfig, batch_sizes: list[int], *_: object, **__: object) -> Evidence:
        asked.append(batch_sizes)
        return FASTER

    monkeypatch.setattr(settled, "measure", measure)
    yield asked


def settle(study: Study, parts: Parts, placement: Placement = AUTO, said: list[str] | None = None) -> str:
    return settle_precision(study, parts, placement, stop=bool, say=(said if said is not None else []).append)


# -- the rule


def test_bf16_is_taken_where_it_is_faster_and_as_good() -> None:
    # An image in fp32 takes 10 + 7.8125 ms, in bf16 7.5 + 6.25.
    assert FASTER.speedup == pytest.approx(17.8125 / 13.75) and FASTER.list_faults() == []


@pytest.mark.parametrize(
    "change,said",
    [
        ({"first_loss": (2.3, 2.33)}, "the first step's loss differs by 1.3%, allowed 1%"),
        ({"noise": 0.51}, "the gradient differs by 0.51 of what other images change, allowed 0.5"),
        ({"noise": math.nan}, "the gradient differs by nan"),
        ({"late_loss": (2.0, 1.89)}, "the loss of steps 41 to 60 differs by 5.5%, allowed 5%"),
        ({"late_loss": (2.0, math.inf)}, "a loss is not finite"),
        ({"first_loss": (0.0, 0.0)}, "the first step's loss differs"),
    ],
)
def test_one_thing_that_is_worse_is_enough_for_fp32(change: dict[str, Any], said: str) -> None:
    faults = replace(FASTER, agreement=replace(ALIKE, **change)).list_faults()
    assert any(fault.startswith(said) for fault in faults), faults


def test_bf16_that_is_a_little_faster_is_not_worth_it() -> None:
    assert Evidence(seconds={8: (0.119, 0.1)}).list_faults() == ["it is 1.19 times as fast, wanted 1.2"]


# -- the measurement


def test_both_precisions_are_measured_on_the_same_images(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "FASTER", 0.0)  # this processor may have no units for bf16
    config = TrialConfig(width=0.03125, lr=0.01, data=StudyConfig.from_dict(STUDY).data)
    found = measured.measure(config, [4, 8], parts.train("none"), classes=parts.classes, device="cpu")
    assert list(found.seconds) == [4, 8] and all(second > 0 for pair in found.seconds.values() for second in pair)
    assert found.agreement is not None
    assert found.agreement.first_loss[0] != found.agreement.first_loss[1]  # it was another precision
    assert found.agreement.first_loss[1] == pytest.approx(found.agreement.first_loss[0], rel=0.01)
    assert 0.5 < found.agreement.cosine < 1 and 0 < found.agreement.noise < 0.9


def test_a_measurement_holds_no_more_images_at_once_than_a_trial(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of 256 large images would take a machine's memory, where the study's batches fit."""
    monkeypatch.setattr(measured, "FASTER", 0.0)
    held: list[int] = []
    forward = Merged.forward

    def watched(network: Merged, x: torch.Tensor) -> torch.Tensor:
        held.append(len(x))
        return forward(network, x)

    monkeypatch.setattr(Merged, "forward", watched)
    config = TrialConfig(width=0.03125, data=StudyConfig.from_dict(STUDY).data)
    measured.measure(config, [4], parts.train("none"), classes=parts.classes, device="cpu")
    assert max(held) == 4


def test_a_wrong_gradient_is_seen(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "FASTER", 0.0)
    right = Run._step

    def wrong(run: Run, images: torch.Tensor, labels: torch.Tensor) -> None:
        right(run, images, labels)
        if run.config.precision == "bf16":
            for parameter in run.network.parameters():
                assert parameter.grad is not None
                parameter.grad.neg_()

    monkeypatch.setattr(Run, "_step", wrong)
    config = TrialConfig(width=0.03125, lr=0.01, data=StudyConfig.from_dict(STUDY).data)
    found = measured.measure(config, [8], parts.train("none"), classes=parts.classes, device="cpu")
    assert any("the gradient differs" in fault for fault in found.list_faults())


def test_a_measurement_stops_between_two_steps(parts: Parts) -> None:
    config = TrialConfig(width=0.03125, data=StudyConfig.from_dict(STUDY).data)
    with pytest.raises(Stopped):
        measured.measure(config, [8], parts.train("none"), classes=parts.classes, device="cpu", stop=lambda: True)


# -- the decision


def test_the_first_worker_decides_and_the_others_follow(study: Study, parts: Parts, measurements: list[list[int]]) -> None:
    said: list[str] = []
    assert settle(study, parts, said=said) == "bf16"
    assert said[-1] == "precision bf16: 1.30 times as fast as fp32, its losses and gradients the same but for rounding"
    assert settle(load(study.storage, "s"), parts, said=said) == "bf16"
    assert measurements == [[8, 16, 32]] and len(said) == 2
    kept = study.find_decision("precision")
    assert kept is not None and kept["evidence"]["speedup"] == 1.295 and kept["evidence"]["agreement"]["noise"] == 0.3


def test_of_two_that_measure_at_once_the_first_to_write_wins(study: Study, parts: Parts, measurements: list[list[int]]) -> None:
    def decide_meanwhile(line: str) -> None:
        study.decide("precision", {"precision": "fp32", "reason": "another worker's"})

    assert settle_precision(study, parts, AUTO, stop=bool, say=decide_meanwhile) == "fp32"


def test_what_was_asked_for_is_the_study_s_from_then_on(study: Study, parts: Parts, measurements: list[list[int]]) -> None:
    assert settle(study, parts, Placement(precision="fp32")) == "fp32"
    assert settle(study, parts) == "fp32" and not measurements
    with pytest.raises(TunerError, match="--precision bf16: study 's' trains in fp32: leave the option out"):
        settle(study, parts, Placement(precision="bf16"))


def test_a_device_without_units_for_bf16_cannot_join(study: Study, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    study.decide("precision", {"precision": "bf16", "reason": "as it was asked for"})
    monkeypatch.setattr(settled, "has_fast_bf16", lambda device: False)
    with pytest.raises(TunerError, match=r"study 's' trains in bf16, and cpu .* has no units for it: join from a device that has"):
        settle(study, parts)


def test_where_there_is_nothing_to_choose_nothing_is_measured(
    study: Study, parts: Parts, measurements: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = create_or_load(study.storage, "short", study.config, "f", trials=10)
    assert settle(short, parts) == "fp32"
    decided = short.find_decision("precision")
    assert decided is not None and decided["reason"] == "the search is too short for measuring"
    monkeypatch.setattr(settled, "has_fast_bf16", lambda device: False)
    assert settle(study, parts) == "fp32" and not measurements


def test_too_little_memory_to_measure_is_no_fault(study: Study, parts: Parts, monkeypatch: pytest.MonkeyPatch, bf16_units: None) -> None:
    def measure(*_: object, **__: object) -> Evidence:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(settled, "measure", measure)
    assert settle(study, parts) == "fp32"


def test_the_middle_of_a_space_is_measured(study: Study) -> None:
    middle = find_middle(study.config)
    assert (middle.lr, middle.batch_size, middle.epochs) == (pytest.approx(0.0316, rel=0.01), 16, 6)


def test_a_study_in_bf16_stays_so_and_its_best_trains_again_the_same(tuner: Tuner, small_study: Path, tmp_path: Path) -> None:
    """On a processor with units for bf16; on others asking for it is an error."""
    from tuner.placement import has_bf16_units

    edit(small_study, space={"lr": [0.01, 0.02, 0.03], "batch_size": 32, "epochs": 2})
    if not has_bf16_units():
        assert "this CPU has no units for it" in tuner("search", str(small_study), "--precision", "bf16", "--trials", "1", code=2).stderr
        return
    tuner("search", str(small_study), "--precision", "bf16", "--trials", "1")
    tuner("search", str(small_study), "--trials", "2")
    trials = json.loads(tuner("show", "small", "--json").stdout)["trials"]
    assert len(trials) == 2
    tuner("best", "small", "--export", "best.yaml")
    assert yaml.safe_load((tmp_path / "best.yaml").read_text(encoding="utf-8"))["precision"] == "bf16"
    assert "exactly as in trial" in tuner("train", "best.yaml").stdout
    refused = tuner("search", str(small_study), "--precision", "fp32", "--trials", "3", code=1)
    assert "--precision fp32: study 'small' trains in bf16" in refused.stderr
