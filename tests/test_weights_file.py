"""Weights that know what they are: their file carries its configuration, its classes and where it came from."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import tuner as tuner_package
from tests.test_retrain import CONFIG
from tuner.commands import main
from tuner.compare.run import Request, compare
from tuner.config.facts import unpack_facts
from tuner.config.trial_config import TrialConfig, describe_config, read_config, write_config
from tuner.data import load
from tuner.data.preprocess import Preprocess
from tuner.errors import UsageError
from tuner.evaluate import evaluate_file
from tuner.models.weights import load_network
from tuner.retrain import retrain
from tuner.trained.network import open_trained
from tuner.trained.predict import list_images, predict

# Long enough that the digits are told apart, and the right image counts.
TRAINED = replace(CONFIG, lr=0.05, batch_size=16, epochs=1, data=replace(CONFIG.data, train_images=None, mean=(0.3,), std=(0.2,)))


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


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test images of the digits as files, named by their place and their class."""
    base, dataset = tmp_path_factory.mktemp("pictures"), load(TRAINED.data)
    for place, (pixels, label) in enumerate(zip(dataset.test_images[:40], dataset.test_labels, strict=False)):
        (base / "in" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(base / "in" / str(label) / f"{place:03d}.png")
    return base


def test_predictions_of_files_are_those_that_evaluate_counts(trained: Path, pictures: Path) -> None:
    network, dataset = tuner_package.load(trained / "weights.pt"), load(TRAINED.data)
    assert network.classes == tuple("0123456789") and network.configuration == TRAINED.to_dict() and not network.training
    with torch.inference_mode():
        all_of_them = network(network.preprocess(dataset.test_images)).argmax(1).numpy()
    wanted = json.loads((trained / "result.json").read_text())["test_accuracy"]
    assert float(np.mean(all_of_them == dataset.test_labels)) == pytest.approx(wanted)
    assert wanted > 0.4, "else a network that says one class only would pass"
    opened = open_trained(trained / "weights.pt", config=None, device="cpu", say=pytest.fail)
    files = list_images([pictures])
    assert len(files) == 40
    said = {Path(each.image).name: each for each in predict(opened, files)}
    for place, guess in enumerate(all_of_them[:40]):
        likely = said[f"{place:03d}.png"].classes
        assert likely[0][0] == str(guess) and len(likely) == 3
        assert 1 >= likely[0][1] >= likely[1][1] >= likely[2][1] >= 0
    (whole,) = predict(opened, files[:1], top=99)
    assert len(whole.classes) == 10 and sum(value for _, value in whole.classes) == pytest.approx(1)


def test_broken_images_are_named_and_the_others_told(trained: Path, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    first = list_images([pictures])[0]
    done = CliRunner().invoke(main, ["predict", str(trained / "weights.pt"), "broken.png", first, "none.jpg", "--json", "--device", "cpu"])
    assert done.exit_code == 1
    broken, told, none = json.loads(done.stdout)["images"]
    assert "not an image that Pillow knows" in broken["broken"] and "No such file" in none["broken"]
    assert len(told["classes"]) == 3 and told["classes"][0].keys() == {"class", "probability"}
    assert "image 'broken.png' cannot be read" in done.stderr and "2 of 3 images could not be read" in done.stderr
    plain = CliRunner().invoke(main, ["predict", str(trained / "weights.pt"), first, "--top", "1", "--device", "cpu"])
    assert plain.stdout == f"{first}: {told['classes'][0]['class']} {told['classes'][0]['probability']:.4f}\n"
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="folder 'empty' holds no image files"):
        list_images([Path("empty")])


def test_classes_that_nothing_names_are_numbered_and_it_says_so(trained: Path, tmp_path: Path) -> None:
    torch.save(torch.load(trained / "weights.pt", weights_only=True)["state_dict"], tmp_path / "w.pt")
    with pytest.raises(UsageError, match="nothing says which image size"):
        tuner_package.load("w.pt")
    (tmp_path / "config.yaml").write_text(write_config(TRAINED, fingerprint=None, origin={}))
    with pytest.warns(UserWarning, match=r"w.pt: nothing says what its 10 classes are called; they are numbered"):
        assert tuner_package.load("w.pt").classes == tuple(map(str, range(10)))
    (tmp_path / "config.yaml").write_text(write_config(TRAINED, fingerprint=None, origin={}, classes=("a", "b")))
    with pytest.raises(UsageError, match=r"names 2 classes, but w.pt tells 10 apart"):
        tuner_package.load("w.pt")


def test_the_example_of_the_page_runs(trained: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(tuner_package.__file__).parent.parent / "docs" / "weights.md").read_text(encoding="utf-8")
    example, _ = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    files = list_images([pictures])[:2]
    Image.open(files[0]).save(tmp_path / "cat.jpg", quality=100, subsampling=0)
    Image.open(files[1]).save(tmp_path / "dog.png")
    (tmp_path / "weights.pt").write_bytes((trained / "weights.pt").read_bytes())
    exec(example, {})
    opened = open_trained(tmp_path / "weights.pt", config=None, device="cpu", say=pytest.fail)
    said = [each.classes[0] for each in predict(opened, ["cat.jpg", "dog.png"])]
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [name for name, _ in printed] == [name for name, _ in said]
    assert [float(value) for _, value in printed] == pytest.approx([value for _, value in said], abs=2e-4)
    state = torch.load(tmp_path / "weights.pt", weights_only=True)["state_dict"]
    assert tuner_package.load("weights.pt").load_state_dict(state).missing_keys == []


def test_images_of_every_kind_are_prepared_as_for_training_and_others_are_a_line() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2, 8, 8, 3), np.uint8)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    prepare = Preprocess(image_size=8, mean=mean, std=std)
    wanted = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    assert torch.allclose(prepare(pixels), wanted, atol=1e-5)
    assert torch.equal(prepare([Image.fromarray(each) for each in pixels]), prepare(pixels))
    assert torch.equal(prepare(pixels[1]), prepare(pixels)[1:])
    assert prepare(Image.fromarray(pixels[0]).convert("L").resize((30, 20))).shape == (1, 3, 8, 8)
    for wrong in (pixels / 255, pixels[..., :2], pixels[0, 0], [], "cat.jpg", [3]):
        with pytest.raises(UsageError, match=r"give PIL images or uint8 arrays of the shape \(H, W, 3\)"):
            prepare(wrong)  # type: ignore[arg-type]


def test_an_exported_model_says_the_same_without_tuner(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes((trained / "weights.pt").read_bytes())
    for said in ("wrote weights.pt2: mynet for uint8 images (N, 8, 8, 3), 10 classes", "already holds the network of weights.pt"):
        done = CliRunner().invoke(main, ["export-model", "weights.pt"])
        assert done.exit_code == 0 and said in done.stderr
    images = load(TRAINED.data).test_images[:5].copy()
    network = tuner_package.load("weights.pt")
    with torch.inference_mode():
        wanted = network(network.preprocess(images))
    np.save("images.npy", images)
    page = (Path(tuner_package.__file__).parent.parent / "docs" / "weights.md").read_text(encoding="utf-8")
    _, example = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    zeros = "torch.zeros(4, 8, 8, 3, dtype=torch.uint8)"
    assert zeros in example
    example = example.replace(zeros, "torch.from_numpy(numpy.load('images.npy'))")
    example = f"import sys\nimport numpy\nsys.modules['tuner'] = None\n{example}"
    told = subprocess.run(
        [sys.executable, "-c", f"{example}\nprint(json.dumps([classes, logits.tolist()]))"], capture_output=True, text=True, check=True
    ).stdout
    classes, logits = json.loads(told)
    assert classes == list("0123456789") and torch.allclose(torch.tensor(logits), wanted, atol=1e-4)
    Path("weights.pt2").write_bytes(b"something else")
    refused = CliRunner().invoke(main, ["export-model", "weights.pt"])
    assert refused.exit_code == 2 and "--out 'weights.pt2' is there already, and is not made of weights.pt" in refused.stderr
