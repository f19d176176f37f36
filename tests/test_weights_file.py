"""Weights that know what they are: their file carries its configuration, its classes and where it came from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.test_retrain import CONFIG
from tuner.compare.run import Request, compare
from tuner.config.facts import unpack_facts
from tuner.config.trial_config import TrialConfig, describe_config, read_config, write_config
from tuner.data import load
from tuner.errors import UsageError
from tuner.evaluate import evaluate_file
from tuner.models.weights import load_network
from tuner.retrain import retrain

TRAINED = replace(CONFIG, epochs=1, data=replace(CONFIG.data, mean=(0.3,), std=(0.2,)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `tuner train` left: 8x8 digits, normalised in a way of their own."""
    base = tmp_path_factory.mktemp("trained")
    (base / "c.yaml").write_text(
        write_config(TRAINED, fingerprint=None, origin={"study": "s", "trial": 3, "date": 2024}).replace("2024", "2024-01-01")
    )
    retrain(base / "c.yaml", base / "out", progress=False)
    return base / "out"


def change(path: Path, **changed: Any) -> None:
    """Give the configuration file other values of `data`."""
    config, origin, fingerprint = read_config(path)
    path.write_text(write_config(replace(config, data=replace(config.data, **changed)), fingerprint=fingerprint, origin=origin))


def test_a_file_that_was_moved_scores_as_before(trained: Path, tmp_path: Path) -> None:
    wanted = json.loads((trained / "result.json").read_text())
    moved = tmp_path / "moved.pt"
    moved.write_bytes((trained / "weights.pt").read_bytes())
    lines: list[str] = []
    found = evaluate_file(moved, say=lines.append)
    assert (found["test_accuracy"], found["test_loss"]) == (wanted["test_accuracy"], wanted["test_loss"]) and not lines
    here, there = str(trained / "weights.pt"), str(moved)
    _, rows = compare(Request(data="digits", models=[here, there], storage=f"sqlite:///{tmp_path / 'c.db'}"))
    assert [row["top1"] for row in rows] == [pytest.approx(wanted["test_accuracy"])] * 2


def test_the_file_says_in_plain_values_how_it_was_made(trained: Path) -> None:
    content = torch.load(trained / "weights.pt", weights_only=True)
    assert list(content) == ["state_dict", "tuner"] and next(iter(content["state_dict"])) == "pre_layers.0.weight"
    facts = content["tuner"]
    fingerprint = load(TRAINED.data).fingerprint
    digits = tuple("0123456789")
    origin = {"study": "s", "trial": 3, "date": "2024-01-01"}
    assert facts["configuration"] == describe_config(TRAINED, fingerprint=fingerprint, origin=origin, classes=digits)
    assert (facts["format"], tuple(facts["classes"])) == (1, digits)
    result = json.loads((trained / "result.json").read_text())
    made = facts["provenance"]
    assert made["made_by"] == "tuner train" and made["test_accuracy"] == result["test_accuracy"] and made["all_data"] is False
    assert made["versions"]["torch"] == torch.__version__ and made["device"].startswith("cpu")


def test_what_a_file_carries_holds_against_the_file_beside_it(trained: Path, tmp_path: Path) -> None:
    for name in ("weights.pt", "config.yaml"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    wanted, lines = evaluate_file(tmp_path / "weights.pt"), []
    change(tmp_path / "config.yaml", mean=(0.9,), image_size=16)
    assert evaluate_file(tmp_path / "weights.pt", say=lines.append) == wanted
    (line,) = lines
    assert "carries its own configuration, which holds" in line and "image_size 16, not 8; mean 0.9, not 0.3" in line
    with pytest.raises(UsageError, match=r"--config .* says otherwise \(image_size 16, not 8; mean 0.9, not 0.3\): leave it out"):
        evaluate_file(tmp_path / "weights.pt", config=tmp_path / "config.yaml")
    (tmp_path / "config.yaml").write_text("name: of something else")
    assert evaluate_file(tmp_path / "weights.pt", say=lines.append) == wanted and len(lines) == 1


def test_a_bare_file_is_read_as_ever(trained: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.pt"
    torch.save(torch.load(trained / "weights.pt", weights_only=True)["state_dict"], bare)
    with pytest.raises(UsageError, match="nothing says which image size, normalisation and classes"):
        evaluate_file(bare)
    wanted = evaluate_file(trained / "weights.pt")
    assert evaluate_file(bare, config=trained / "config.yaml") == {**wanted, "weights": str(bare)}
    (tmp_path / "config.yaml").write_bytes((trained / "config.yaml").read_bytes())
    assert evaluate_file(bare) == {**wanted, "weights": str(bare)}


def test_whatever_a_file_carries_is_a_configuration_or_a_line(trained: Path, tmp_path: Path) -> None:
    plain = describe_config(TrialConfig(), fingerprint=None, origin={})
    within: list[Any] = []
    within.append(within)
    shared: list[Any] = [0]
    for _ in range(40):
        shared = [shared, shared]
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"a": deep}
    carried: dict[str, tuple[object, str]] = {
        "another tool's": ({"version": 3}, "holds no configuration"),
        "a text": ("ours", "holds no configuration"),
        "newer": ({"format": 2, "configuration": plain}, "newer than this tuner reads"),
        "a tensor": ({"format": 1, "configuration": {**plain, "lr": torch.ones(1)}}, "holds a Tensor, which is no plain value"),
        "itself": ({"format": 1, "configuration": {**plain, "origin": within}}, "an alias stands for what it is part of"),
        "2**40 values": ({"format": 1, "configuration": {**plain, "origin": shared}}, "too much, with its aliases"),
        "depth": ({"format": 1, "configuration": {**plain, "origin": deep}}, "more than 50 deep"),
        "length": ({"format": 1, "configuration": {**plain, "model": "x" * 2**20}}, "more than a configuration"),
        "a key": ({"format": 1, "configuration": {**plain, "lr2": 3}}, "unknown key 'lr2'"),
        "a value": ({"format": 1, "configuration": {**plain, "lr": -1}}, "lr must be"),
    }
    state = torch.load(trained / "weights.pt", weights_only=True)["state_dict"]
    for way, (content, message) in carried.items():
        torch.save({"state_dict": state, "tuner": content}, tmp_path / "w.pt")
        with pytest.raises(UsageError, match=message) as caught:
            unpack_facts(load_network(tmp_path / "w.pt").carried, tmp_path / "w.pt")
        assert caught.value.message.isprintable() and len(caught.value.message) <= 500, way
