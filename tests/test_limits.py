"""Limits of a study: what is too large is not trained, what is too slow is pruned before its first epoch, and the best within is found."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
import torchvision
from click.testing import CliRunner
from optuna.trial import TrialState
from torch import nn

from tests import fabricated
from tests.conftest import Tuner
from tuner.commands import main
from tuner.config.limits import Limits
from tuner.config.samplers import SAMPLERS
from tuner.config.study_config import StudyConfig
from tuner.data import load as load_data
from tuner.data.parts import Parts
from tuner.errors import NothingToShow, UsageError
from tuner.models import find_model
from tuner.models.size import measure_size
from tuner.placement import Placement
from tuner.search.limits import check_limits
from tuner.study.examples import find_smallest
from tuner.study.front import find_front_rows, rank_within
from tuner.study.lease import Lease, NothingToClaim
from tuner.study.outcome import Outcome
from tuner.study.search_space import compare_definitions, define, suggest
from tuner.study.sizes import find_size
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load
from tuner.study.study import Study
from tuner.study.trials import TrialRow, list_trials
from tuner.study.worker_id import WorkerId
from tuner.training.latency import measure_latency
from tuner.workers import latency
from tuner.workers.draws import MOST_DRAWS, CannotDraw
from tuner.workers.events import Event, TrialEnded
from tuner.workers.leased_trial import LeasedTrial
from tuner.workers.objective import train_trial

CLASSES = tuple("0123456789")
SMALL = {"width": 0.01, "data": "digits", "train_images": 100, "image_size": 8, "validation": 0.2, "pruner": "none"}
SPACE = {"lr": {"low": 0.01, "high": 0.1, "log": True}, "batch_size": 32, "epochs": 1, "widths": {"stem": {"low": 1.0, "high": 40.0}}}
PLAIN = {**SMALL, "space": SPACE}


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage(f"sqlite:///{tmp_path}/study.db", make=True)
    yield opened
    opened.close()


def make(storage: Storage, plain: dict[str, Any], name: str = "s", trials: int = 20) -> Study:
    return create_or_load(storage, name, StudyConfig.from_dict(plain), "f", trials=trials, classes=CLASSES)


def claim(study: Study) -> LeasedTrial | None:
    found = study.leases.claim(WorkerId.here(), study.new_trial)
    return LeasedTrial(study, found) if isinstance(found, Lease) else None


def search(study: Study, kills: tuple[int, ...] = ()) -> list[TrialRow]:
    """A search with one worker that trains nothing; in the trials `kills` it goes away after drawing, and comes back."""
    while (trial := claim(study)) is not None:
        if trial.lease.number in kills:
            trial.configure(threads=1, precision="fp32")
            study.leases.requeue(trial.lease)
            study.storage.drop_cache()
            trial = claim(study)
            assert trial is not None
        config = trial.configure(threads=1, precision="fp32")
        facts = {"outcome": "trained", "reason": "test", **find_size(config, len(CLASSES)), **trial.cost}
        trial.finish(TrialState.COMPLETE, facts, value=1 / (1 + abs(config.lr - 0.02) * 10 + config.widths.get("stem", 1.0) / 100))
    return list_trials(study)


def size(factor: float) -> int:
    """Parameters of the network whose stem is so wide."""
    config = StudyConfig.from_dict({**SMALL, "space": {"lr": 0.01, "widths": {"stem": factor}}})
    channels = find_model("mynet").channels(0.01, {"stem": factor})
    return measure_size("mynet", channels, {}, classes=10, pixels=(config.data.image_size,) * 2).parameters


@pytest.mark.parametrize(
    "limits,message",
    [
        (5, r"limits takes a map such as \{parameters: 2000000\}, not 5"),
        (None, "limits takes a map such as"),
        ({}, "limits takes a map such as"),
        ([{"parameters": 5}], "limits takes a map such as"),
        ({"parameter": 5}, "unknown key 'parameter': did you mean 'parameters'"),
        ({"parameters": None}, "limits: parameters has no value"),
        ({"parameters": 0}, "limits: parameters takes a whole number of at least 1, not 0"),
        ({"parameters": 1.5}, "limits: parameters takes a whole number of at least 1, not 1.5"),
        ({"macs": "many"}, "limits: macs takes a whole number of at least 1, not 'many'"),
        ({"macs": True}, "limits: macs takes a whole number of at least 1, not True"),
        ({"milliseconds": 0}, "limits: milliseconds must be above 0, not 0"),
        ({"milliseconds": float("nan")}, "limits: milliseconds must be above 0, not nan"),
        ({"milliseconds": "5 ms"}, "limits: milliseconds must be above 0, not '5 ms'"),
    ],
)
def test_what_can_be_no_limit_is_one_line(limits: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message) as told:
        StudyConfig.from_dict({**PLAIN, "limits": limits})
    assert "\n" not in told.value.message


def test_limits_are_part_of_the_definition_and_come_back() -> None:
    without, limited = StudyConfig.from_dict(PLAIN), StudyConfig.from_dict({**PLAIN, "limits": {"parameters": 2e6, "milliseconds": 5}})
    assert limited.limits == Limits(parameters=2_000_000, milliseconds=5)
    assert StudyConfig.from_dict(limited.to_dict()) == limited
    assert "limits" not in define(without, "f") and "limits" not in without.to_dict(), "today's studies keep their definition"
    changed = compare_definitions(define(without, "f"), define(limited, "f"))
    assert changed == "limits was not named and is now {parameters: 2000000, milliseconds: 5}"


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "vit_b_16", "regnet_y_400mf"])
def test_sizes_are_those_that_torchvision_publishes(name: str) -> None:
    """One with attention, and one whose builder reckons with values, are among them."""
    published = torchvision.models.get_model_weights(name).DEFAULT.meta
    own = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"].meta if name == "vit_b_16" else published
    side = 224
    found = measure_size(f"torchvision:{name}", {}, {}, classes=1000, pixels=(side, side))
    assert found.parameters == own["num_params"]
    assert found.macs / 1e9 == pytest.approx(own["_ops"], abs=6e-4)


NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes, depth, reckons):
        super().__init__()
        self.convs = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(depth)))
        self.head = nn.Linear(3, classes)
        self.reckons = reckons

    def forward(self, x):
        if self.reckons and x.sum().item() > 1e9:
            return self.head(x.mean((2, 3))) * 0
        return self.head(self.convs(x).mean((2, 3)))

def build(classes: int, *, depth: int = 1, reckons: bool = False) -> nn.Module:
    return Net(classes, depth, reckons)
"""


@pytest.mark.parametrize("reckons", [False, True])
def test_the_size_of_a_network_of_ones_own_is_counted_by_hand(tmp_path: Path, reckons: bool) -> None:
    Path("net.py").write_text(NET)
    Path("s.yaml").write_text(f"model: net.py:build\nspace: {{lr: [0.1, 0.2], network: {{depth: 4, reckons: {str(reckons).lower()}}}}}\n")
    StudyConfig.from_file(Path("s.yaml"))  # permits its code
    found = measure_size("net.py:build", {}, {"depth": 4, "reckons": reckons}, classes=7, pixels=(8, 8))
    assert found.parameters == 4 * (3 * 3 * 9 + 3) + 3 * 7 + 7
    assert found.macs == 4 * (3 * 3 * 9 * 64) + 3 * 7


def test_a_size_leaves_random_states_as_they_were() -> None:
    torch.manual_seed(5)
    want = torch.rand(3)
    torch.manual_seed(5)
    measure_size("mynet", find_model("mynet").channels(0.02), {}, classes=10, pixels=(8, 8))
    assert torch.equal(torch.rand(3), want)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_is_drawn_is_what_optuna_draws(sqlite: Storage, sampler: str) -> None:
    """Of a study whose limits let everything pass too: the first draw of a trial is the one without limits."""
    options = {"n_startup_trials": 3} if sampler in ("tpe", "gp") else {}
    space = {
        "lr": {"low": 0.01, "high": 0.1, "log": True},
        "batch_size": [8, 16],
        "widths": {"stem": {"low": 1.0, "high": 9.0, "step": 1.0}},
    }
    space |= {"lr": [0.01, 0.02, 0.03]} if sampler == "grid" else {}
    plain = {**SMALL, "space": space, "sampler": {"name": sampler, **options}}
    ours = [row.params for row in search(make(sqlite, plain, "ours", 6))]
    limited = search(make(sqlite, {**plain, "limits": {"parameters": 10**9}}, "limited", 6))
    study = make(sqlite, plain, "optuna", 6)
    for _ in range(6):
        lease = study.leases.claim(WorkerId.here(), study.new_trial)
        assert isinstance(lease, Lease)
        trial = optuna.Trial(study.optuna_study(carried=True), lease.trial_id)
        config = suggest(trial, study.config, {}, seed=0, threads=1, precision="fp32")
        value = 1 / (1 + abs(config.lr - 0.02) * 10 + config.widths.get("stem", 1.0) / 100)
        LeasedTrial(study, lease).finish(TrialState.COMPLETE, {"reason": "test"}, value=value)
    assert ours == [row.params for row in list_trials(study)] and len({str(params) for params in ours}) > 3
    assert [row.params for row in limited] == ours and {row.run["draws"] for row in limited} == {1}


@pytest.mark.parametrize("sampler", ["tpe", "gp", "qmc"])
def test_every_trial_is_within_the_limits_and_an_interrupted_search_is_the_same(sqlite: Storage, sampler: str) -> None:
    limit = size(10.0)
    options = {"n_startup_trials": 3} if sampler in ("tpe", "gp") else {}
    plain = {**PLAIN, "sampler": {"name": sampler, **options}, "limits": {"parameters": limit}}
    rows = search(make(sqlite, plain, "whole", 6))
    assert [row.state for row in rows] == ["COMPLETE"] * 6
    assert all(row.run["parameters"] <= limit and row.run["macs"] > 0 for row in rows)
    assert all(row.run["parameters"] == size(row.params["widths.stem"]) for row in rows)
    assert max(row.run["draws"] for row in rows) > 1, "some were drawn again"
    assert len({str(row.params) for row in rows}) == 6
    again = search(make(sqlite, plain, "parts", 6), kills=(0, 2, 5))
    assert [(row.params, row.run["draws"]) for row in again] == [(row.params, row.run["draws"]) for row in rows]


def test_of_a_finite_space_all_that_fits_is_tried_and_nothing_else(sqlite: Storage) -> None:
    space = {"lr": [0.01, 0.02], "epochs": 1, "widths": {"stem": [1.0, 9.0, 20.0, 30.0]}}
    for sampler in ("random", "tpe", "grid"):
        plain = {**SMALL, "space": space, "sampler": sampler, "limits": {"parameters": size(9.0)}}
        study = make(sqlite, plain, sampler, 50)
        assert {(row.params["lr"], row.params["widths.stem"]) for row in search(study)} == {
            (lr, stem) for lr in (0.01, 0.02) for stem in (1.0, 9.0)
        }
        assert study.leases.counts().used == 4
        found = study.leases.claim(WorkerId.here(), study.new_trial)
        assert isinstance(found, NothingToClaim) and found.exhausted


def test_a_start_row_keeps_what_it_sets_and_what_it_leaves_out_is_drawn_until_it_fits(sqlite: Storage) -> None:
    plain = {**PLAIN, "sampler": "random", "limits": {"parameters": size(6.0)}, "start": [{"lr": 0.05}]}
    check_limits(StudyConfig.from_dict(plain), 10)
    first = search(make(sqlite, plain, "s", 2))[0]
    assert first.params["lr"] == 0.05 and first.run["parameters"] <= size(6.0)


@pytest.mark.parametrize("step", [{}, {"step": 0.25}])
def test_where_hardly_anything_is_within_what_is_drawn_is_made_smaller(sqlite: Storage, step: dict[str, float]) -> None:
    """Of many widths together next to none are all narrow."""
    widths = {f"*.{branch}": {"low": 0.5, "high": 60.5, **step} for branch in ("n1x1", "n3x3red", "n3x3", "n5x5red", "n5x5", "pool")}
    plain = {**SMALL, "sampler": "random", "space": {"lr": 0.01, "epochs": 1, "widths": widths}}
    smallest, largest = (
        find_size(find_smallest(StudyConfig.from_dict(plain), "mynet", {f"widths.{name}": each for name in widths}), 10)["parameters"]
        for each in (0.5, 60.5)
    )
    limit = smallest + (largest - smallest) // 50
    rows = search(make(sqlite, {**plain, "limits": {"parameters": limit}}, "s", 2))
    assert {row.run["draws"] for row in rows} == {MOST_DRAWS}
    assert all(limit / 3 < row.run["parameters"] <= limit for row in rows), "just within, and not the smallest there is"
    assert len({str(row.params) for row in rows}) == 2


def test_what_no_draw_is_within_ends_its_row_with_the_smallest_found(sqlite: Storage) -> None:
    trial = claim(make(sqlite, {**PLAIN, "limits": {"parameters": size(1.0) - 1}}))
    assert trial is not None
    with pytest.raises(
        CannotDraw, match=rf"no configuration within the limits \([\d,]+ parameters\) was found in {MOST_DRAWS} draws: "
    ) as told:
        trial.configure(threads=1, precision="fp32")
    said = re.search(r"the smallest has ([\d,]+) parameters", str(told.value))
    assert said is not None and int(said[1].replace(",", "")) == size(1.0)


@pytest.mark.parametrize(
    "changes,message",
    [
        (
            {"limits": {"parameters": 1000}},
            r"limits: nothing in this space is within 1,000 parameters: the smallest network found in 101 conf",
        ),
        (
            {"limits": {"macs": 10, "parameters": 10**6}},
            r"within 1,000,000 parameters and 10 multiply-adds: .* has [\d,]+ parameters and [\d,]+ mu",
        ),
        (
            {"start": [{"lr": 0.02}, {"widths": {"stem": 40.0}}]},
            r"start row 2: its network has [\d,]+ parameters, and limits allows [\d,]+ par",
        ),
        ({"start": [{"lr": 0.02, "widths": {"*": 40.0}}]}, r"start row 1: the smallest network that it allows has"),
    ],
)
def test_what_cannot_fit_is_told_before_anything_is_written(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as told:
        check_limits(StudyConfig.from_dict({**PLAIN, "limits": {"parameters": size(10.0)}, **changes}), 10)
    assert "\n" not in told.value.message


def train(study: Study, parts: Parts) -> list[TrialEnded]:
    said: list[Event] = []
    lease = study.leases.claim(WorkerId.here(), study.new_trial)
    assert isinstance(lease, Lease)
    train_trial(study, lease, parts, Placement(device="cpu"), stop=lambda: False, say=said.append)
    return [event for event in said if isinstance(event, TrialEnded)]


def test_what_is_too_slow_is_pruned_before_its_first_epoch_and_measured_once(sqlite: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    config = StudyConfig.from_dict({**PLAIN, "limits": {"milliseconds": 5}})
    parts, study = Parts(load_data(config.data), config.data, "cpu"), make(sqlite, {**PLAIN, "limits": {"milliseconds": 5}}, trials=3)
    found = iter([7.5, 4.0])
    monkeypatch.setattr(latency, "measure_latency", lambda *_: next(found))
    [slow] = train(study, parts)
    assert (slow.outcome, slow.reason) == (Outcome.TOO_SLOW, "too slow: 7.5 ms an image, and the limit is 5")
    row, frozen = list_trials(study)[0], study.frozen_trials()[0]
    assert (row.state, row.epochs, row.run["milliseconds"]) == ("PRUNED", [], 7.5)
    assert frozen.constraints == {"milliseconds": 0.5}, "the sampler is told, and by how much"
    assert study.leases.counts().used == 1, "it costs a place of the total, as any trial that was pruned"
    lease = study.leases.claim(WorkerId.here(), study.new_trial)
    assert isinstance(lease, Lease)
    stopped = iter([False, True])
    train_trial(study, lease, parts, Placement(device="cpu"), stop=lambda: next(stopped), say=lambda _: None)
    assert study.leases.counts().queued == 1
    [ended] = train(study, parts)
    assert (ended.number, ended.outcome) == (1, Outcome.TRAINED), "a third measurement would have failed"
    assert list_trials(study)[1].run["milliseconds"] == 4.0


def test_a_latency_is_that_of_the_network_in_evaluation_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, tuple[int, ...], bool]] = []
    real = nn.Conv2d.forward

    def watch(self: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
        seen.append((self.training, tuple(x.shape), torch.is_inference_mode_enabled()))
        return real(self, x)

    monkeypatch.setattr(nn.Conv2d, "forward", watch)
    from tests.runs import CONFIG

    assert measure_latency(CONFIG, 4, "cpu") > 0
    assert {(training, shape[0], inference) for training, shape, inference in seen} == {(False, 1, True)}
    assert seen[0][1] == (1, 3, 8, 8)


def test_the_best_within_limits_and_the_front_of_planted_trials(sqlite: Storage) -> None:
    study = fabricated.study(sqlite, {"data": "digits", "space": {"lr": [0.01 * n for n in range(1, 9)]}}, images=100)
    planted = [(0.5, 1000), (0.8, 3000), (0.7, 2000), (0.8, 2500), (0.6, 4000), (0.9, 9000), (0.4, 1000)]
    rows = [fabricated.trial(study, {"lr": 0.01 * (n + 1)}, [value], parameters=size, number=n) for n, (value, size) in enumerate(planted)]
    fabricated.add(study, rows)
    assert [row.number for row in find_front_rows(list_trials(study), "parameters")] == [0, 2, 3, 5]
    assert rank_within(study, Limits(parameters=3000))[0].number == 1, "of equals the earlier"
    assert [row.number for row in rank_within(study, Limits(parameters=2000))] == [2, 0, 6]
    with pytest.raises(NothingToShow, match="no COMPLETE trial within 999 parameters: the smallest is trial 0 with 1,000 parameters"):
        rank_within(study, Limits(parameters=999))
    with pytest.raises(NothingToShow, match="no COMPLETE trial whose ms an image were measured"):
        rank_within(study, Limits(milliseconds=5))


def test_a_search_within_limits_from_the_command_line(tmp_path: Path, tuner: Tuner) -> None:
    text = """
width: 0.01
data: digits
train_images: 100
image_size: 8
validation: 0.2
limits: {parameters: 200000, macs: 4e6, milliseconds: 60000}
space:
  lr: {low: 1.0e-2, high: 1.0e-1, log: true}
  batch_size: 32
  epochs: 1
  widths: {"*": {low: 1.0, high: 12.0}}
"""
    Path("s.yaml").write_text(text)
    told = ask("search", "s.yaml", "--dry-run", "--workers", "1", "--no-progress")
    assert re.search(r"limits +200,000 parameters and 4,000,000 multiply-adds and 60,000 ms an image", told), told
    assert re.search(r"Of 100 configurations drawn at random \d+ are within 200,000 parameters and 4,000,000 multiply-adds\.", told)
    where = ("--storage", "sqlite:///s.db")
    tuner("search", "s.yaml", "--trials", "3", "--workers", "1", "--no-progress", *where)
    rows = list(csv.DictReader(io.StringIO(ask("show", "s", "--csv", *where))))
    assert [row["state"] for row in rows] == ["COMPLETE"] * 3
    assert all(0 < int(row["parameters"]) <= 200000 and 0 < int(row["macs"]) <= 4e6 and float(row["milliseconds"]) > 0 for row in rows)
    most = min(int(row["parameters"]) for row in rows)
    best = json.loads(ask("best", "s", "--max-parameters", str(most), "--json", *where))
    assert best["run"]["parameters"] == most and best["run"]["draws"] >= 1
    said = ask("best", "s", "--max-parameters", str(most), "--export", "c.yaml", *where)
    assert f"Best of study s within {most:,} parameters" in said and f"trial: {best['number']}" in Path("c.yaml").read_text()
    front = json.loads(ask("best", "s", "--front", "parameters", "--json", *where))
    assert front["cost"] == "parameters" and front["front"][0]["run"]["parameters"] == most
    assert "Front of study s" in ask("best", "s", "--front", "macs", *where)
    assert "study 's' has no COMPLETE trial within 1 parameters" in ask("best", "s", "--max-parameters", "1", *where, code=3)
    assert "--trial 1 is one trial" in ask("best", "s", "--max-macs", "1", "--trial", "1", *where, code=2)
    assert "--front macs lists several" in ask("best", "s", "--front", "macs", "--export", "d.yaml", *where, code=2)
    Path("s.yaml").write_text(text.replace("200000", "300000"))
    assert "limits was" in ask("search", "s.yaml", "--no-progress", *where, code=1)


def ask(*arguments: str, code: int = 0) -> str:
    """What `tuner ARGUMENTS` says in this process; where it succeeds on stdout alone."""
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == code, done.output
    return done.output if code else done.stdout
