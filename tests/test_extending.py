"""Adding a hyper-parameter, a network, a sampler or a data source, in a copy of the package: how many files that takes, and that it works.

CONTRIBUTING.md says how many; these tests count.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_made_by_0_1_0 import ALONE, AT, MADE, unpack

PACKAGE = Path(__file__).parent.parent / "tuner"


class Copy:
    """A copy of the package that is changed and then run, each command as a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[str] = []
        self.lines: list[str] = []
        shutil.copytree(PACKAGE, folder / "copy" / "tuner", ignore=shutil.ignore_patterns("__pycache__"))

    def add_file(self, name: str, text: str) -> None:
        self._path(name).write_text(text, encoding="utf-8")
        self.files.append(name)

    def add_line(self, name: str, after: str, line: str) -> None:
        """Put a line behind the first that contains `after`, indented like it."""
        lines = self._path(name).read_text(encoding="utf-8").splitlines(keepends=True)
        place = next(index for index, each in enumerate(lines) if after in each)
        indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
        lines.insert(place + 1, f"{indent}{line}\n")
        self._path(name).write_text("".join(lines), encoding="utf-8")
        self.lines.append(name)

    def change_line(self, name: str, old: str, new: str) -> None:
        """Replace what stands in one line alone."""
        text = self._path(name).read_text(encoding="utf-8")
        assert text.count(old) == 1
        self._path(name).write_text(text.replace(old, new), encoding="utf-8")
        self.lines.append(name)

    def run(self, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "tuner", *args],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            env=os.environ | {"PYTHONPATH": str(self.folder / "copy")},
            check=False,
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def show(self, study: str, *args: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("show", study, "--json", *args).stdout)["trials"]
        return found

    def _path(self, name: str) -> Path:
        return self.folder / "copy" / "tuner" / name


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def write_study(folder: Path, name: str, **changes: Any) -> None:
    plain = {"width": 0.01, "data": "digits", "train_images": 100, "image_size": 8, "validation": 0.2, "pruner": "none"}
    space = {"lr": [0.01, 0.02], "batch_size": 32, "epochs": 1}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({**plain, "space": space, **changes}), encoding="utf-8")


def test_a_hyperparameter_is_three_files_and_orphans_nothing_that_was_made_before_it(copy: Copy, tmp_path: Path) -> None:
    copy.add_line(
        "config/hyperparameters.py", 'name="nesterov"', 'Hyperparameter(name="dampening", kind=float, default=0.0, low=0, high=1),'
    )
    copy.add_line("config/trial_config.py", 'nesterov: bool = DEFAULTS["nesterov"]', 'dampening: float = DEFAULTS["dampening"]')
    copy.change_line("training/optimizer.py", "dampening=0,", "dampening=self._config.dampening,")
    assert len({*copy.files, *copy.lines}) == 3
    unpack(tmp_path)

    done = copy.run("search", "interrupted.yaml", *ALONE, *AT)
    assert "trial 1 begins from epoch 3" in done.stderr, "an old checkpoint is known"

    plain = yaml.safe_load((tmp_path / "finished.yaml").read_text(encoding="utf-8"))
    plain["start"] += [plain["start"][0], plain["start"][0] | {"dampening": 0.5, "epochs": 3}]
    (tmp_path / "finished.yaml").write_text(yaml.safe_dump(plain), encoding="utf-8")
    copy.run("search", "finished.yaml", "--more", "2", *ALONE, *AT)
    same, other, *_ = copy.show("finished", *AT)[7:]  # the duplicate costs no slot, so a third row is made
    assert same["run"]["same_as"] == 0, "an old duplicate is known"
    assert other["params"]["dampening"] == 0.5 and other["run"]["outcome"] != "same_as" and other["epochs"]

    (tmp_path / "kept").mkdir()
    shutil.copy(MADE / "result.json", tmp_path / "kept")
    (tmp_path / "kept" / "weights.pt").touch()
    assert "already holds" in copy.run("train", "config.yaml", "--out", "kept", "--device", "cpu").stderr, "an old training is known"
    text = (tmp_path / "config.yaml").read_text(encoding="utf-8")
    (tmp_path / "config.yaml").write_text(text.replace("nesterov: false", "nesterov: false\ndampening: 0.5"), encoding="utf-8")
    assert "already holds" not in copy.run("train", "config.yaml", "--out", "kept", "--device", "cpu", "--force").stderr


NETWORK = '''
"""Two convolutions."""

from .spec import ModelSpec


def build(channels, classes):
    from torch import nn

    body = channels["body"]
    return nn.Sequential(
        nn.Conv2d(3, body, 3, padding=1), nn.BatchNorm2d(body), nn.ReLU(), nn.Dropout(0.1),
        nn.Conv2d(body, body, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(body, classes),
    )


def owns(weights):
    return {name.split(".")[0] for name in weights} == {"0", "1", "4", "8"}


def read_sizes(weights):
    return {"body": weights["0.weight"].shape[0]}, weights["8.bias"].shape[0]


plainnet = ModelSpec(name="plainnet", title="PlainNet", widths={"body": 16}, build=build, owns=owns, read_sizes=read_sizes)
'''


def test_a_network_is_one_file_and_one_line_and_every_command_takes_it(copy: Copy, tmp_path: Path) -> None:
    copy.add_file("models/plainnet.py", NETWORK)
    copy.add_line("models/__init__.py", '"mynet",', '"plainnet",')
    assert (len(copy.files), len(copy.lines)) == (1, 1)

    space = {"lr": {"low": 0.01, "high": 0.1, "log": True}, "batch_size": 20, "epochs": 2, "widths": {"body": [1.0, 2.0]}}
    write_study(tmp_path, "plain", model="plainnet", width=1.0, space=space)
    copy.run("search", "plain.yaml", "--trials", "3", *ALONE)
    assert [trial["state"] for trial in copy.show("plain")] == ["COMPLETE"] * 3
    copy.run("best", "plain", "--export", "plain-best.yaml")
    result = json.loads(copy.run("train", "plain-best.yaml", "--json", "--device", "cpu").stdout)
    assert result["val_accuracy"] == result["trial"]["validation_accuracy"], "bit for bit"
    evaluated = json.loads(copy.run("evaluate", "trained/plain-best/weights.pt", "--json", "--device", "cpu").stdout)
    assert (evaluated["model"], evaluated["test_accuracy"]) == ("plainnet", result["test_accuracy"])
    copy.run("report", "plain", "--out", "report.md")
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "Which configuration of PlainNet" in text and "confusion-matrix" in text

    write_study(tmp_path, "ours")
    copy.run("search", "ours.yaml", "--trials", "1", *ALONE)
    copy.run("best", "ours", "--export", "ours-best.yaml")
    copy.run("train", "ours-best.yaml", "--device", "cpu")
    models = "trained/plain-best/weights.pt,trained/ours-best/weights.pt"
    compared = json.loads(copy.run("compare", "--data", "digits", "--models", models, "--json", "--device", "cpu").stdout)
    top1 = {row["model"]: row["top1"] for row in compared}
    assert top1["trained/plain-best/weights.pt"] == pytest.approx(result["test_accuracy"])


def test_a_sampler_is_one_line(copy: Copy, tmp_path: Path) -> None:
    entry = '"nsgaii": SamplerSpec(optuna_class="NSGAIISampler", draws=lambda _: Draws.ALL, options=("population_size",)),'
    copy.add_line("config/samplers.py", '"random": SamplerSpec', entry)
    assert (copy.files, len(copy.lines)) == ([], 1)
    write_study(tmp_path, "genetic", sampler={"name": "nsgaii", "population_size": 4})
    copy.run("search", "genetic.yaml", "--trials", "2", *ALONE)
    assert len(copy.show("genetic")) == 2


SOURCE = '''
"""Light and dark images."""

import numpy as np

from .cache import Decoded, Part, load_cached


def shades(path, size, say):
    labels = np.arange(60) % 2
    pixels = np.broadcast_to(np.where(labels == 1, 200, 50).astype(np.uint8)[:, None, None, None], (60, size, size, 3))
    train, test = (Part(labels=labels, chunks=[np.ascontiguousarray(pixels)]) for _ in range(2))
    return load_cached("shades", [], size, lambda: Decoded(classes=("dark", "light"), train=train, test=test), say)
'''


def test_a_data_source_is_one_file_and_one_line(copy: Copy, tmp_path: Path) -> None:
    copy.add_file("data/shades.py", SOURCE)
    copy.add_line("config/data_sources.py", 'name="cifar10"', 'DataSource(name="shades", title="shades of grey", loader="shades:shades"),')
    assert (len(copy.files), len(copy.lines)) == (1, 1)
    write_study(tmp_path, "grey", data="shades", train_images=None, space={"lr": [0.01, 0.02], "batch_size": 16, "epochs": 1})
    copy.run("search", "grey.yaml", "--trials", "2", *ALONE)
    assert [trial["state"] for trial in copy.show("grey")] == ["COMPLETE"] * 2
    copy.run("report", "grey", "--out", "report.md")
    assert "on shades of grey" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "cifar10, shades, digits or folder:PATH" in " ".join(copy.run("search", "--help").stdout.split())
