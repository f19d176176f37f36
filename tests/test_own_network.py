"""A network of the user's own: searched, stopped, killed and resumed, trained again; and what its file must be."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from PIL import Image

from tests.conftest import ROOT, Background
from tests.runs import part, same
from tests.test_promote import claim, get
from tuner.commands import main
from tuner.config.data_config import DataConfig
from tuner.config.named_code import name_code, name_stored_code
from tuner.config.study_config import StudyConfig
from tuner.config.trial_config import TrialConfig, read_data_record
from tuner.dashboard.artifacts import list_artifact_files
from tuner.data import load as load_data
from tuner.data.parts import Parts
from tuner.errors import TunerError, UsageError
from tuner.evaluate import evaluate_file
from tuner.models import find_model, own_code
from tuner.placement import Placement
from tuner.report.predictions import NoPredictions, find_kept_weights
from tuner.retrain import retrain
from tuner.search.request import Request
from tuner.search.run import run
from tuner.search.try_networks import try_networks
from tuner.study.lease import Lease
from tuner.study.search_space import assemble
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, load
from tuner.study.trials import TrialRow, export_config, find_best
from tuner.training import checkpoint
from tuner.training.run import Run
from tuner.training.self_check import check_resuming
from tuner.training.weights_file import make_weights_file
from tuner.workers.leased_trial import LeasedTrial
from tuner.workers.objective import train_trial

NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes, depth, dropout):
        super().__init__()
        layers = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()]
        for _ in range(depth):
            layers += [nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(dropout))
        self.head = nn.Linear(32, classes)
        self.register_buffer("steps", torch.zeros(3))

    def forward(self, x):
        if self.training:
            self.steps += torch.rand(3)
        return self.head(self.body(x))


def build(classes: int, *, depth: int = 1, dropout: float = 0.0, norm: str = "batch") -> nn.Module:
    return Net(classes, depth, dropout)
"""
STUDY: dict[str, Any] = {
    "model": "net.py:build",
    "data": "digits",
    "train_images": 200,
    "image_size": 8,
    "validation": 0.2,
    "sampler": "random",
    "pruner": "none",
    "space": {"lr": {"low": 0.01, "high": 0.1, "log": True}, "batch_size": 16, "epochs": 2},
}
ALONE = ("--workers", "1", "--threads", "1", "--device", "cpu")


@pytest.fixture(autouse=True)
def _nothing_permitted() -> None:
    own_code._permitted.clear()


def write(folder: Path, *, net: str = NET, **changes: Any) -> Path:
    """A study file with its network beside it."""
    folder.mkdir(exist_ok=True)
    (folder / "net.py").write_text(net)
    space = {**STUDY["space"], "network": {"depth": [1, 2], "dropout": {"low": 0, "high": 0.5}}}
    (folder / "own.yaml").write_text(yaml.safe_dump({**STUDY, "space": space, **changes}))
    return folder / "own.yaml"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_arguments_of_the_function_are_hyperparameters_of_its_kinds(tmp_path: Path) -> None:
    network = {"depth": {"low": 1, "high": 3}, "dropout": {"low": 0, "high": 1}, "norm": ["batch", "none"]}
    config = StudyConfig.from_file(write(tmp_path, space={"lr": 0.1, "network": network}, start=[{"network": {"dropout": 1}}]))
    depth, dropout = config.space["network.depth"], config.space["network.dropout"]
    assert [type(end) for end in (depth.low, depth.high)] == [int, int]  # type: ignore[union-attr]
    assert [type(end) for end in (dropout.low, dropout.high)] == [float, float], "as build says, not as they were typed"  # type: ignore[union-attr]
    assert type(config.start[0]["network.dropout"]) is float
    assert config.code == {"net.py:build": digest(NET)}
    stored = StudyConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert stored == config and stored.code == config.code, "read again without the file"


DEEP, HEAD = {"depth": 2}, "nn.Linear(32, classes)"


@pytest.mark.parametrize(
    "network,old,new,said",
    [
        ({"depht": 2}, "", "", r"own.yaml: net.py:21: build takes no 'depht': did you mean 'depth'\?$"),
        ({"depth": 1.5}, "", "", r"network.depth takes a whole number, not 1.5 \(net.py:21: build\)$"),
        ({"depth": "deep"}, "", "", r"network.depth takes a number, not 'deep' \(net.py:21: build\)$"),
        ({"norm": {"low": 0, "high": 1}}, "", "", r"network.norm takes a value or a list to choose from, .* \(net.py:21: build\)$"),
        (DEEP, "def build", "def make", r"own.yaml: net.py has no 'build': known: Net, make$"),
        (DEEP, "return Net(", "return Nat(", r"net.py:22: build\(10, depth=2\) raised NameError: name 'Nat' .*"),
        (DEEP, "import torch\n", "import torsch\n", r"own.yaml: net.py:1: ModuleNotFoundError: No module .*"),
        (DEEP, "class Net(", "class Net", r"own.yaml: net.py:5: SyntaxError: .*"),
        (DEEP, "return Net(classes, depth, dropout)", "return 7", r"net.py:21: build\(10, depth=2\) returned int, not .*"),
        (DEEP, HEAD, "nn.Linear(32, 9)", r"build\(10, depth=2\) maps two images \(N, 3, 8, 8\) to \(2, 9\), not to \(2, 10\)"),
        (DEEP, HEAD, "nn.Linear(31, classes)", r"net.py:18: the network of build\(10, depth=2\) raised RuntimeError: .*"),
        (DEEP, HEAD, "nn.LazyLinear(classes)", r"net.py:21: build\(10, depth=2\) has weights that its first call makes .*"),
        (DEEP, 'norm: str = "batch"', "norm: str", r"own.yaml: net.py:21: build needs 'norm': .*"),
        ({}, "classes: int, *", "*", r"own.yaml: net.py:21: build takes no number of classes: .*"),
    ],
)
def test_what_is_wrong_with_a_network_is_one_line_with_its_place_and_nothing_is_written(
    tmp_path: Path, network: dict[str, Any], old: str, new: str, said: str
) -> None:
    assert old in NET
    write(tmp_path, net=NET.replace(old, new, 1), space={"lr": 0.1, "network": network})
    with pytest.raises(UsageError) as error:
        run(Request(study="own.yaml", trials=1, device="cpu", progress=False))
    assert re.search(said, error.value.message), error.value.message
    assert "\n" not in error.value.message and not (tmp_path / "studies").exists()


@pytest.mark.parametrize(
    "changes,said",
    [
        ({"model": "nat.py:build"}, r"model 'nat.py:build': no such file in .*: put it there, or run the command where it is"),
        ({"model": "net.py:"}, r"'net.py:' names no code: write FILE.py:FUNCTION or package.module:FUNCTION"),
        ({"model": "no.such.thing:build"}, r"model 'no.such.thing:build': no such module in .*"),
        ({"model": "mynet"}, r"network holds the arguments of a network of your own, and mynet is none: .*"),
        ({"width": 0.5}, r"width 0.5: net.py:build has no widths to scale: leave width out"),
        ({"space": {"widths": {"*": 2.0}}}, r"width pattern '\*': net.py:build has no widths to scale: .*"),
    ],
)
def test_a_study_that_names_no_network_of_ones_own_is_one_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        StudyConfig.from_file(write(tmp_path, **changes))


def trained(tmp_path: Path, **changes: Any) -> TrialConfig:
    write(tmp_path)
    [code] = name_code(["net.py:build"], tmp_path)
    plain = TrialConfig(
        model="net.py:build", network={"depth": 2, "dropout": 0.4}, batch_size=8, epochs=4, lr=0.05, data=DataConfig(image_size=8)
    )
    return replace(plain, code=code.digest, **changes)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_run_that_was_saved_and_loaded_is_the_same_bit_for_bit(tmp_path: Path, optimizer: str) -> None:
    """Everything in `state_dict()`: BatchNorm's figures, a buffer that draws from torch, what dropout leaves of the weights."""
    config = trained(tmp_path, optimizer=optimizer)
    torch.manual_seed(1)
    whole = Run(config, part(30), part(13, seed=1), classes=4)
    scores = list(whole.epochs())

    first = Run(config, part(30), part(13, seed=1), classes=4)
    epochs = first.epochs()
    next(epochs), next(epochs)
    checkpoint.save(tmp_path / "c", first, uid="u")
    torch.manual_seed(2)
    again = Run(config, part(30), part(13, seed=1), classes=4)
    assert checkpoint.load(tmp_path / "c", again, uid="u")
    resumed = list(again.epochs())
    assert same(whole.weights(), again.weights()) and "steps" in whole.weights()
    assert [replace(s, seconds=0) for s in resumed] == [replace(s, seconds=0) for s in scores]


def test_a_network_whose_state_is_not_all_saved_is_refused_before_a_trial(tmp_path: Path) -> None:
    config = trained(tmp_path)
    check_resuming(config, part(30), 4, "cpu")
    hidden = NET.replace("torch.zeros(3))", "torch.zeros(3), persistent=False)").replace(
        "self.body(x))", "self.body(x) * (1 + self.steps[0]))"
    )
    (tmp_path / "net.py").write_text(hidden)
    name_code(["net.py:build"], tmp_path)
    with pytest.raises(TunerError, match=r"net.py:build on cpu cannot be taken up again as it was: .* differs"):
        check_resuming(config, part(30), 4, "cpu")


def test_configurations_of_tuners_networks_are_written_as_before() -> None:
    assert not {"network", "code"} & TrialConfig().to_dict().keys()
    assert not {"network", "code"} & TrialConfig().identity().keys()
    own = TrialConfig(model="net.py:build", network={"depth": 2}, code="0" * 64)
    assert TrialConfig.from_dict(own.to_dict()) == own
    assert own.identity() != replace(own, code="1" * 64).identity(), "trained by another file it is another training"


def invoke(*args: str) -> Result:
    """A command in this process. An error of ours is raised."""
    done = CliRunner().invoke(main, args)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_a_search_that_is_killed_goes_on_bit_for_bit_and_every_command_takes_its_network(
    tmp_path: Path, background: Callable[..., Background]
) -> None:
    """What `train` trains in one piece is what the search trained in two, to the last bit of BatchNorm's and dropout's."""
    write(tmp_path, space={"lr": 0.05, "batch_size": 8, "epochs": 16, "network": {"depth": [1, 2], "dropout": 0.3}})
    running = background("search", "own.yaml", "--trials", "1", *ALONE)
    running.wait_for(r"trial 0 epoch 2/16")
    [worker] = running.workers()
    worker.kill()
    assert int(running.wait_for(r"trial 0 begins from epoch (\d+)")[1]) > 1
    assert running.end() == 0

    assert invoke("best", "own", "--export", "best.yaml").exit_code == 0
    exported = yaml.safe_load((tmp_path / "best.yaml").read_text())
    assert exported["model"] == "net.py:build" and exported["code"] == digest(NET) and exported["network"]["dropout"] == 0.3
    result = json.loads(invoke("train", "best.yaml", "--json", "--device", "cpu", "--no-progress").stdout)
    assert result["val_accuracy"] == result["trial"]["validation_accuracy"] and result["code"] == digest(NET)
    weights = torch.load(tmp_path / "trained/best/weights.pt", weights_only=True)["state_dict"]
    [kept] = (tmp_path / "studies/checkpoints").glob("own-*/trial-00000.*.pt")
    assert same(weights, torch.load(kept, weights_only=True)["weights"]) and weights["steps"].sum() > 0

    evaluated = json.loads(invoke("evaluate", "trained/best/weights.pt", "--json", "--device", "cpu").stdout)
    assert evaluated["test_accuracy"] == result["test_accuracy"]
    compared = json.loads(
        invoke("compare", "--data", "digits", "--models", "trained/best/weights.pt", "--json", "--device", "cpu", "--no-progress").stdout
    )
    assert compared[0]["top1"] == pytest.approx(result["test_accuracy"])
    invoke("report", "own", "--out", "report.md")
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "Which configuration of net.py:build" in text and "confusion-matrix" in text
    assert "depth" in invoke("search", "own.yaml", "--dry-run", "--device", "cpu").stdout

    study = load(Storage(None), "own")
    copies = [file.read_text() for file in list_artifact_files(study)]
    assert copies == [NET], "a copy of what was trained is among the study's artifacts"
    changed = NET.replace("dropout: float = 0.0", "dropout: float = 0.1")
    (tmp_path / "net.py").write_text(changed)
    weights_file = "trained/best/weights.pt"
    comparison = ("compare", "--data", "digits", "--models", weights_file, "--device", "cpu")
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images/black.png")
    for command in (
        ("search", "own.yaml", "--device", "cpu"),
        ("search", "own", "--device", "cpu"),
        ("train", "best.yaml", "--device", "cpu"),
        ("evaluate", weights_file, "--device", "cpu"),
        ("worker", "own", "--device", "cpu"),
        comparison,
        ("predict", weights_file, "images"),
        ("export-model", weights_file),
    ):
        done = invoke(*command)
        assert done.exit_code in (1, 2) and "net.py" in done.stderr and "--accept-changed-code" in done.stderr, command
    evaluated = json.loads(invoke("evaluate", "trained/best/weights.pt", "--json", "--device", "cpu", "--accept-changed-code").stdout)
    assert (evaluated["code"], evaluated["trained_code"]) == (digest(changed), digest(NET))
    compared = invoke(*comparison, "--accept-changed-code")
    assert "ran with another file of code than it was trained with" in compared.stdout
    [row] = json.loads(invoke(*comparison, "--accept-changed-code", "--json").stdout)
    assert (row["code"], row["trained_code"]) == (digest(changed), digest(NET))
    assert invoke("predict", weights_file, "images", "--accept-changed-code").exit_code == 0
    assert invoke("export-model", weights_file, "--accept-changed-code").exit_code == 0
    again = ("train", "best.yaml", "--out", "again", "--json", "--device", "cpu", "--no-progress", "--accept-changed-code")
    result = json.loads(invoke(*again).stdout)
    assert (result["code"], result["code_was"]) == (digest(changed), digest(NET))
    own_code._permitted.clear()
    with pytest.raises(NoPredictions, match=r"its code cannot be run here .*net.py' is not what study 'own' was made with"):
        find_kept_weights(study, find_best(study)[0], "cpu")


def test_a_worker_of_another_machine_trains_with_the_copy_of_the_file_that_it_was_given(tmp_path: Path) -> None:
    config = StudyConfig.from_file(write(tmp_path / "here"))
    url = f"sqlite:///{tmp_path}/shared.db"
    storage = Storage(url, make=True)
    study = create_or_load(storage, "own", config, load_data(config.data).fingerprint, trials=1)
    (tmp_path / "here").rename(tmp_path / "there")
    alone = ("--workers", "1", "--device", "cpu", "--storage", url)
    done = invoke("worker", "own", *alone)
    assert done.exit_code in (1, 2) and "net.py" in done.stderr and study.leases.counts().finished == 0, "the database names no file to run"
    own_code._permitted.clear()
    done = invoke("worker", "there/own.yaml", *alone)
    assert done.exit_code == 0, done.output
    [row] = find_best(study)
    assert row.config is not None and row.config.code == digest(NET)
    storage.close()


def test_a_change_of_the_file_that_is_accepted_stands_with_the_study_and_its_trials(tmp_path: Path) -> None:
    config = StudyConfig.from_file(write(tmp_path))
    storage = Storage(f"sqlite:///{tmp_path}/x.db", make=True)
    create_or_load(storage, "own", config, "f", trials=1)
    begun = LeasedTrial(load(storage, "own"), get(load(storage, "own")))
    assert begun.configure(threads=1, precision="fp32").code == digest(NET)
    begun.study.leases.requeue(begun.lease)
    changed = replace(config, code={"net.py:build": "1" * 64})
    with pytest.raises(TunerError, match=r"the file of net.py:build was changed .* go on with --accept-changed-code"):
        create_or_load(storage, "own", changed, "f")
    study = create_or_load(storage, "own", changed, "f", accept_changed_code=True)
    assert study.config.code == changed.code
    going_on = LeasedTrial(study, get(study))
    assert going_on.configure(threads=1, precision="fp32").code == "1" * 64 and going_on.code_was == digest(NET)
    [kept] = study.read_facts(study.frozen_trials(), "config")
    assert kept["config"]["code"] == "1" * 64, "what is exported says which file it was trained with"
    noted = storage.optuna.get_study_user_attrs(study.leases.study_id)["code changes"]
    assert noted == [{"code": "net.py:build", "was": digest(NET), "is": "1" * 64, "after_trials": 1}]
    values = {"model": "net.py:build", "lr": 0.1, "batch_size": 8, "epochs": 1, "network.depth": 2}
    assert assemble(values, study.config, seed=0, threads=1, precision="fp32").code == "1" * 64


EVIL = "from pathlib import Path\nPath({marker!r}).touch()\ndef build(classes):\n    pass\n"


def test_a_database_never_says_which_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study from somewhere else may name any file: only one that lies where the user is, and is what was trained, is run."""
    marker, here = tmp_path / "ran", tmp_path / "here"
    here.mkdir()
    text = EVIL.format(marker=str(marker))
    (tmp_path / "evil.py").write_text(text)
    monkeypatch.chdir(here)
    monkeypatch.syspath_prepend(tmp_path)
    for spec in (f"{tmp_path}/evil.py:build", "../evil.py:build", "evil:build", "os:system", "evil.py:build"):
        study = StudyConfig.from_dict({**STUDY, "model": spec, "code": {spec: digest(text)}})
        with pytest.raises(UsageError, match=r"lies elsewhere|no such (file|module)"):
            name_stored_code(study.code, "own")
        with pytest.raises(UsageError, match="no file was named"):
            find_model(spec).build({}, 10)
    (here / "net.py").write_text(text)
    with pytest.raises(own_code.ChangedCode, match=r"net.py' is not what study 'own' was made with"):
        name_stored_code({"net.py:build": "0" * 64}, "own")
    assert not marker.exists()
    [code] = name_stored_code({"net.py:build": digest(text)}, "own")
    assert code.path == here / "net.py"


@pytest.mark.parametrize("spec", ["evil.py:build", "evil:build", "os:system", "../sent/evil.py:build"])
def test_weights_never_say_which_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str) -> None:
    """Weights from somewhere else come with a file beside them: that is not run, with its own digest neither."""
    sent, here, marker = tmp_path / "sent", tmp_path / "here", tmp_path / "ran"
    sent.mkdir()
    here.mkdir()
    text = EVIL.format(marker=str(marker))
    (sent / "evil.py").write_text(text)
    monkeypatch.chdir(here)
    monkeypatch.syspath_prepend(sent)
    config = TrialConfig(model=spec, code=digest(text), data=DataConfig(source="digits"))
    facts: dict[str, Any] = {"fingerprint": None, "classes": ("a", "b"), "origin": {}, "provenance": {}}
    (sent / "weights.pt").write_bytes(make_weights_file({"weight": torch.zeros(2)}, config, **facts))
    for command in (("evaluate",), ("predict", "weights.pt"), ("export-model",)):
        done = CliRunner().invoke(main, [command[0], str(sent / "weights.pt"), *(str(sent / each) for each in command[1:])])
        assert done.exit_code == 2 and re.search("lies elsewhere|no such (file|module)", done.stderr), done.stderr
    (here / "evil.py").write_text(text + "\n")  # another file of that name, where the user is
    if spec == "evil.py:build":
        assert "evil.py' is not what" in CliRunner().invoke(main, ["evaluate", str(sent / "weights.pt")]).stderr
    assert not marker.exists()


def test_a_module_of_a_package_is_found_where_the_user_is_without_importing_it(tmp_path: Path) -> None:
    package = tmp_path / "mine_of_this_test"
    package.mkdir()
    (package / "__init__.py").write_text("from .parts import HALF\n")
    (package / "parts.py").write_text("HALF = 0.5\n")
    (package / "nets.py").write_text(NET.replace("import torch\n", "import torch\nfrom .parts import HALF\n", 1))
    [code] = name_code(["mine_of_this_test.nets:build"], None)
    assert code.path == package / "nets.py" and "mine_of_this_test" not in sys.modules
    network = find_model("mine_of_this_test.nets:build").build({}, 10, depth=1)
    assert network(torch.zeros(2, 3, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("name", ["own_network", "timm_network"])
def test_an_example_is_searched(name: str, tmp_path: Path) -> None:
    """One trial on some of its images, in this process."""
    if name == "timm_network":
        pytest.importorskip("timm", reason="timm is not installed: pip install timm")
    config = StudyConfig.from_file(ROOT / "examples" / f"{name}.yaml")
    config = replace(config, data=replace(config.data, train_images=200), pruner=("none", {}), sampler=("random", {}))
    dataset = load_data(config.data)
    try_networks(config, dataset)
    study = create_or_load(Storage(f"sqlite:///{tmp_path}/x.db", make=True), name, config, dataset.fingerprint, trials=1)
    lease = claim(study)
    assert isinstance(lease, Lease)
    train_trial(study, lease, Parts(dataset, config.data, "cpu"), Placement(), stop=lambda: False, say=lambda event: None)
    [row] = find_best(study)
    assert row.config is not None and row.config.network.keys() >= {"dropout"} and row.value is not None


DATA = """\
import numpy as np


def load(part):
    labels = np.arange(40 if part == "train" else 8) % 2
    images = np.full((len(labels), 9, 7, 3), 50, dtype=np.uint8)
    images[labels == 1] = 200
    images[:, 0, 0, 0] = np.arange(len(labels)) + (100 if part == "test" else 0)
    return images, labels, ["dark", "bright"]
"""


def test_images_of_ones_own_code_are_decoded_once_and_its_digest_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path, data="data.py:load", train_images=None, space={"lr": 0.1, "batch_size": 8, "epochs": 1})
    (tmp_path / "data.py").write_text(DATA)
    config = StudyConfig.from_file(path)
    assert config.code == {"net.py:build": digest(NET), "data.py:load": digest(DATA)}
    dataset = load_data(config.data)
    assert dataset.classes == ("dark", "bright") and dataset.train_images.shape == (40, 8, 8, 3) and len(dataset.test_labels) == 8
    assert [int(image.max()) for image in dataset.train_images[:2, 4:]] == [50, 200] and list(dataset.train_labels[:3]) == [0, 1, 0]
    (tmp_path / "data.py").write_text("raise SystemExit('read again')")
    assert load_data(config.data).fingerprint == dataset.fingerprint, "from the cache, without running the file"
    with pytest.raises(UsageError, match=r"data.py' is not what study 'own' was made with"):
        own_code._permitted.clear()
        name_stored_code(config.code, "own")

    (tmp_path / "data.py").write_text(DATA)
    study = create_or_load(Storage(f"sqlite:///{tmp_path}/x.db", make=True), "own", config, dataset.fingerprint, classes=dataset.classes)
    values = {"model": "net.py:build", "lr": 0.1, "batch_size": 8, "epochs": 1}
    trial = assemble(values, config, seed=0, threads=1, precision="fp32")
    row = TrialRow(number=0, state="COMPLETE", value=None, params={}, epochs=[], run={}, config=trial, start=None)
    (tmp_path / "config.yaml").write_text(export_config(study, row))
    assert read_data_record(tmp_path / "config.yaml").code == digest(DATA)
    own_code._permitted.clear()
    result = retrain(tmp_path / "config.yaml", tmp_path / "out", progress=False)
    assert result["test_images"] == 8
    assert evaluate_file(tmp_path / "out" / "weights.pt")["test_accuracy"] == result["test_accuracy"]
    (tmp_path / "data.py").write_text(DATA.replace("200", "201"))
    for call in (lambda: retrain(tmp_path / "config.yaml", tmp_path / "other"), lambda: evaluate_file(tmp_path / "out" / "weights.pt")):
        with pytest.raises(UsageError, match=r"data.py' is not what .*(config.yaml|weights.pt) was made with: .* --accept-changed-code"):
            call()


@pytest.mark.parametrize(
    "old,new,said",
    [
        (
            "dtype=np.uint8",
            "dtype=float",
            r"data.py:4: load\('train'\) gives images of float64 \(40, 9, 7, 3\): uint8 \(N, H, W, 3\) is wanted",
        ),
        ("% 2", "% 3", r"data.py:4: load\('train'\) gives no label from 0 to 1 for each of its 40 images"),
        ('"bright"]', '"dark"]', r"data.py:4: load\('train'\) gives no list of class names, each a text of its own: .*"),
        ("return images, labels,", "return images,", r"data.py:4: load\('train'\) returned tuple, not \(images, labels, class names\)"),
        ("np.full(", "np.fall(", r"data.py:6: load\('train'\) raised AttributeError: .*"),
        ('"dark", "bright"]', 'part, "bright"]', r"data.py:4: load names other classes for 'test' than for 'train'"),
    ],
)
def test_code_that_gives_no_images_is_one_line_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in DATA
    (tmp_path / "data.py").write_text(DATA.replace(old, new))
    name_code(["data.py:load"], tmp_path)
    with pytest.raises(UsageError, match=said):
        load_data(DataConfig(source="data.py:load", image_size=8))
