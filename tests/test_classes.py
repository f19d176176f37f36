"""Whose classes: weights are scored on the classes that they were trained on, by name, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import Tuner
from tuner.compare.run import Request, compare
from tuner.config.trial_config import TrialConfig, read_config, read_data_record, write_config
from tuner.data import load
from tuner.data.parts import make_resident
from tuner.errors import UsageError
from tuner.evaluate import evaluate_file
from tuner.models import MODELS

COUNTS = {"ant": 5, "bee": 3, "cat": 1}  # test images


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))


def make_images(base: Path, names: Sequence[str] = tuple(COUNTS)) -> str:
    rng = np.random.default_rng(0)
    for name, count in zip(names, COUNTS.values(), strict=True):
        for part, images in (("train", 2), ("test", count)):
            (base / part / name).mkdir(parents=True)
            for index in range(images):
                Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(base / part / name / f"{index}.png")
    return f"folder:{base}"


def save(folder: Path, source: str, classes: tuple[str, ...] | None, fingerprint: str | None = None) -> Path:
    config = TrialConfig(model="mynet", width=0.0625)
    config = replace(config, data=replace(config.data, source=source, image_size=8))
    folder.mkdir()
    torch.manual_seed(0)
    torch.save(MODELS["mynet"].build(config.channels, 3).state_dict(), folder / "weights.pt")
    (folder / "config.yaml").write_text(write_config(config, fingerprint=fingerprint, origin={}, classes=classes), encoding="utf-8")
    return folder / "weights.pt"


def count_by_name(weights: Path, classes: Sequence[str]) -> float:
    """The share of test images whose name the network says, computed here."""
    config, _, _ = read_config(weights.parent / "config.yaml")
    network = MODELS["mynet"].build(config.channels, 3)
    network.load_state_dict(torch.load(weights, weights_only=True))
    dataset = load(config.data)
    part = make_resident(dataset, config.data, "cpu", None)
    with torch.inference_mode():
        said = network.eval()(part.batch(torch.arange(len(part)))[0]).argmax(1).tolist()
    return float(np.mean([classes[k] == dataset.classes[label] for k, label in zip(said, dataset.test_labels, strict=True)]))


def test_the_same_classes_in_another_order_are_put_right_and_it_says_so(tmp_path: Path) -> None:
    source = make_images(tmp_path / "set")
    for place, order in enumerate((("ant", "bee", "cat"), ("cat", "ant", "bee"), ("bee", "cat", "ant"))):
        weights, lines = save(tmp_path / str(place), source, order), []
        found = evaluate_file(weights, say=lines.append)
        assert found["test_accuracy"] == pytest.approx(count_by_name(weights, order))
        assert any("matched by name" in line for line in lines) == (place > 0)
        _, (row,) = compare(Request(data=source, models=[str(weights)], storage=f"sqlite:///{tmp_path / 'c.db'}", fresh=True))
        assert row["top1"] == pytest.approx(found["test_accuracy"]) and row["loss"] == pytest.approx(found["test_loss"], rel=1e-5)


def test_other_classes_are_an_error_that_shows_the_difference(tmp_path: Path) -> None:
    source = make_images(tmp_path / "set")
    weights = save(tmp_path / "w", source, ("ant", "bee", "dog"))
    for run in (
        lambda: evaluate_file(weights),
        lambda: compare(Request(data=source, models=[str(weights)], storage=f"sqlite:///{tmp_path / 'c.db'}")),
    ):
        with pytest.raises(UsageError, match=r"only in the weights: 'dog'; only in the images: 'cat'"):
            run()


def test_without_names_only_the_data_it_was_trained_on_is_scored(tmp_path: Path) -> None:
    """Configurations of 0.1.0 name no classes: the fingerprint decides."""
    source, other = make_images(tmp_path / "set"), make_images(tmp_path / "other", ("dog", "eel", "fox"))
    weights = save(tmp_path / "w", source, None)
    fingerprint = load(read_config(weights.parent / "config.yaml")[0].data).fingerprint
    weights = save(tmp_path / "w2", source, None, fingerprint)
    assert evaluate_file(weights)["images"] == 9
    (tmp_path / "set").rename(tmp_path / "moved")
    assert evaluate_file(weights, source=f"folder:{tmp_path / 'moved'}")["images"] == 9
    with pytest.raises(UsageError, match=r"does not say which classes .* add `classes:"):
        evaluate_file(weights, source=other)


def test_no_figure_without_a_configuration(tmp_path: Path) -> None:
    source = make_images(tmp_path / "set")
    weights = save(tmp_path / "w", source, tuple(COUNTS))
    wanted = evaluate_file(weights)
    config = (weights.parent / "config.yaml").rename(tmp_path / "kept.yaml")
    with pytest.raises(UsageError, match=r"nothing says which image size, normalisation and classes .* --config FILE"):
        evaluate_file(weights, source=source, image_size=8)
    with pytest.raises(UsageError, match="nothing says which image size"):
        compare(Request(data=source, models=[str(weights)], storage=f"sqlite:///{tmp_path / 'c.db'}"))
    assert evaluate_file(weights, config=config) == wanted


def test_names_that_yaml_reads_as_something_else_come_back(tmp_path: Path) -> None:
    names = ("1e3", "1", "no", "null", "1:30", "2024-01-01", "고양이", "😀", "a: b", " x ")
    (tmp_path / "c.yaml").write_text(write_config(TrialConfig(), fingerprint=None, origin={}, classes=names), encoding="utf-8")
    assert read_data_record(tmp_path / "c.yaml").classes == names


def test_an_exported_configuration_names_the_classes_of_its_study(tuner: Tuner, tmp_path: Path) -> None:
    source = make_images(tmp_path / "set", ("고양이", "no", "bee"))
    (tmp_path / "pets.yaml").write_text(
        f"{{data: {source!r}, image_size: 8, width: 0.0625, space: {{lr: {{low: 0.001, high: 0.1}}, epochs: 1, batch_size: 2}}}}"
    )
    tuner("search", "pets.yaml", "--trials", "1", "--workers", "1", "--device", "cpu", "--no-publish")
    tuner("best", "pets", "--export", "config.yaml")
    assert read_data_record(tmp_path / "config.yaml").classes == ("bee", "no", "고양이")
    weights = save(tmp_path / "w", source, None)
    assert evaluate_file(weights, config=tmp_path / "config.yaml")["images"] == sum(COUNTS.values())
    other = make_images(tmp_path / "other", ("고양이", "no", "dog"))
    with pytest.raises(UsageError, match=r"only in the weights: 'bee'; only in the images: 'dog'"):
        evaluate_file(weights, config=tmp_path / "config.yaml", source=other)
