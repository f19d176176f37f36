"""torchvision's networks on one's own pictures: real photographs, weights that are trained and saved here."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor
from torchvision.models import resnet18

from tests.conftest import Background
from tests.runs import same
from tests.test_promote import claim
from tuner.compare.run import Request, compare
from tuner.config.data_config import DataConfig
from tuner.config.settled_weights import settle_weights
from tuner.config.study_config import StudyConfig
from tuner.config.study_files import find_shipped_folder
from tuner.config.trial_config import TrialConfig
from tuner.data import load
from tuner.data.features import Features
from tuner.data.parts import Parts
from tuner.errors import TunerError, UsageError
from tuner.evaluate import evaluate_file
from tuner.models import find_model
from tuner.models.bare import build_bare, find_head
from tuner.models.initial import declare, load_initial
from tuner.models.stages import find_stages
from tuner.models.tuned import Tuned
from tuner.placement import Placement
from tuner.report.predictions import find_kept_weights
from tuner.retrain import retrain
from tuner.study.lease import Lease
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load
from tuner.study.studies import load as load_study
from tuner.study.study import Study
from tuner.study.trials import TrialRow, export_config, list_trials
from tuner.training import features
from tuner.training.evaluation import evaluate_network
from tuner.training.optimizer import compute_learning_rate
from tuner.training.run import Run, build_network, make_form
from tuner.workers.objective import train_trial

Start = Callable[..., Background]
MODEL = "torchvision:resnet18"
SHEETS = Path(__file__).resolve().parents[2] / "shared" / "data" / "cifar10"
CLASSES = ("airplane", "frog", "truck")


def cut_photographs(name: str, count: int) -> list[Image.Image]:
    """Pictures of CIFAR-10 of one class; where those are not beside the repository, pieces of scikit-learn's photographs."""
    if SHEETS.is_dir():
        with Image.open(SHEETS / f"train-{name}-0.webp") as sheet:
            return [sheet.convert("RGB").crop((32 * i, 0, 32 * i + 32, 32)).resize((64, 64)) for i in range(count)]
    from sklearn.datasets import load_sample_image

    photograph = load_sample_image(("china.jpg", "flower.jpg", "china.jpg")[CLASSES.index(name)])
    top = 250 if name == "truck" else 0
    return [Image.fromarray(photograph[top : top + 64, 16 * i : 16 * i + 64].copy()) for i in range(count)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """photos/CLASS/*.png: three classes of ten real pictures of 64 pixels."""
    base = tmp_path_factory.mktemp("pictures") / "photos"
    for name in CLASSES:
        (base / name).mkdir(parents=True)
        for index, image in enumerate(cut_photographs(name, 10)):
            image.save(base / name / f"{index:02}.png")
    return base


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of torchvision's ResNet18 for seven classes, after a few steps of training."""
    torch.manual_seed(1)
    network = resnet18(num_classes=7)
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    for _ in range(2):
        loss = torch.nn.functional.cross_entropy(network(torch.randn(8, 3, 64, 64)), torch.arange(8) % 7)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    path = tmp_path_factory.mktemp("weights") / "own.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def parts(photos: Path) -> Parts:
    data = make_data(photos)
    return Parts(load(data), data, "cpu")


def make_data(photos: Path) -> DataConfig:
    return DataConfig(source=f"folder:{photos}", image_size=64, validation=0.25, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def make_config(photos: Path, weights: Path, **more: Any) -> TrialConfig:
    return TrialConfig(**{"model": MODEL, "weights": str(weights), "lr": 0.05, "epochs": 2, "data": make_data(photos), **more})


def train(config: TrialConfig, parts: Parts) -> Run:
    told: list[tuple[int, int, int]] = []
    part = parts.train(config.augment)
    run = Run(config, part, parts.val(), classes=parts.classes, stepping=lambda *step: told.append(step))
    assert [score.epoch for score in run.epochs()] == list(range(1, config.epochs + 1))
    steps = -(-len(part) // config.batch_size)
    assert told == [(epoch, step, steps) for epoch in range(1, config.epochs + 1) for step in range(steps)], "features are no steps"
    return run


def test_only_the_head_is_new_and_the_file_loads_in_plain_torchvision(photos: Path, weights: Path, parts: Parts) -> None:
    config, given = make_config(photos, weights, epochs=1, batch_size=9), torch.load(weights)
    form = make_form(config, 3, torch.device("cpu"))
    begun = form.to_plain(form.state_dict())
    assert begun["fc.weight"].shape == (3, 512)
    assert [name for name, value in begun.items() if not name.startswith("fc.") and not torch.equal(value, given[name])] == []
    assert torch.equal(begun["fc.weight"], build_network(config, 3).state_dict()["fc.weight"]), "drawn from the trial's seed"

    run = train(config, parts)
    plain = resnet18(weights=None, num_classes=3)
    plain.load_state_dict(run.weights())
    images, labels = parts.test().batch(torch.arange(len(parts.test())))
    with torch.no_grad():
        hits = plain.eval()(images).argmax(1).eq(labels).sum().item()
    assert run.evaluate(parts.test()).accuracy == pytest.approx(hits / len(labels))


@pytest.mark.parametrize(
    ("freeze", "moving"),
    [("backbone", {"fc"}), (3, {"layer3", "layer4", "fc"}), ("none", {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"})],
)
def test_what_is_frozen_stays_bit_for_bit_with_its_batchnorm_and_is_in_no_optimiser(
    photos: Path, weights: Path, parts: Parts, freeze: Any, moving: set[str]
) -> None:
    run = train(make_config(photos, weights, epochs=1, batch_size=9, freeze=freeze, weight_decay=0.01), parts)
    given, found = torch.load(weights), run.weights()
    changed = {name.split(".")[0] for name, value in found.items() if name.startswith("fc.") or not torch.equal(value, given[name])}
    assert changed == moving
    assert {name.split(".")[0] for name in run.state()["optimizer"]["momentum_buffer"]} == moving
    assert {name.split(".")[1] for name, p in run.network.named_parameters() if p.grad is not None} == moving


def test_features_are_found_once_and_give_the_figures_that_images_give(
    photos: Path, weights: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, passed = make_config(photos, weights, freeze="backbone", batch_size=6, epochs=3), []
    features.forget()
    finding = Tuned.find_features
    monkeypatch.setattr(Tuned, "find_features", lambda self, x: passed.append(len(x)) or finding(self, x))
    reused = train(config, parts)
    assert isinstance(reused.train, Features) and isinstance(reused.val, Features)
    train(replace(config, lr=0.01, seed=1), parts)
    assert sum(passed) == len(parts.train("none")) + len(parts.val()), "once for both trials"

    monkeypatch.setattr("tuner.training.run.are_reusable", lambda config: False)
    anew = train(config, parts)
    assert not isinstance(anew.train, Features)
    for one, other in zip(reused.curve, anew.curve, strict=True):
        assert (one.train_accuracy, one.val_accuracy) == (other.train_accuracy, other.val_accuracy)
        assert (one.train_loss, one.val_loss) == pytest.approx((other.train_loss, other.val_loss), rel=1e-4)
    assert torch.allclose(reused.weights()["fc.weight"], anew.weights()["fc.weight"], atol=1e-5)
    assert reused.evaluate(parts.val()) == evaluate_network_of(reused, parts)


def evaluate_network_of(run: Run, parts: Parts) -> Any:
    plain = build_network(run.config, parts.classes)
    plain.load_state_dict(run.weights())
    return evaluate_network(find_model(MODEL), plain, parts.val())


def test_features_are_not_reused_where_images_are_augmented_or_the_backbone_moves(photos: Path, weights: Path, parts: Parts) -> None:
    for changes in ({"augment": "flip"}, {"freeze": 5}, {"freeze": "none"}):
        config = make_config(photos, weights, **{"freeze": "backbone", "epochs": 1, "batch_size": 9, **changes})
        assert not isinstance(train(config, parts).train, Features)


def test_features_of_other_weights_are_other_features(photos: Path, weights: Path, parts: Parts) -> None:
    one = train(make_config(photos, weights, freeze="backbone", epochs=1, batch_size=9), parts)
    two = train(TrialConfig(model=MODEL, freeze="backbone", epochs=1, batch_size=9, data=make_data(photos)), parts)
    assert isinstance(one.train, Features) and isinstance(two.train, Features)
    assert not torch.allclose(one.train.values, two.train.values)


@pytest.mark.parametrize("changes", [{"freeze": "backbone"}, {"freeze": 4, "optimizer": "adamw", "layer_decay": 0.5, "lr": 0.001}], ids=str)
def test_a_run_that_was_saved_goes_on_bit_for_bit(photos: Path, weights: Path, parts: Parts, changes: dict[str, Any]) -> None:
    config = make_config(photos, weights, batch_size=9, head_lr=2.0, warmup_epochs=0.5, schedule="cosine", **changes)
    whole = train(config, parts)
    begun = Run(config, parts.train("none"), parts.val(), classes=3)
    next(iter(begun.epochs()))
    features.forget()  # another process has none
    resumed = Run(config, parts.train("none"), parts.val(), classes=3)
    resumed.load_state(begun.state())
    assert [score.epoch for score in resumed.epochs()] == [1, 2]
    assert resumed.curve == whole.curve and same(resumed.weights(), whole.weights())


def test_the_head_and_the_stages_learn_at_their_own_multiples_of_the_rate(photos: Path) -> None:
    config = TrialConfig(model=MODEL, lr=0.5, epochs=4, batch_size=9, momentum=0, head_lr=8.0, layer_decay=0.5, data=make_data(photos))
    dataset = load(config.data)
    parts = Parts(dataset, config.data, "cpu")
    run = Run(config, parts.train("none"), None, classes=3)
    rates = {name: float(group.lr) for group in run._optimizer.groups for name in names_of(run, group.parameters)}
    assert rates["fc.weight"] == rates["fc.bias"] == 4.0
    assert rates["layer4.0.conv1.weight"] == 0.25 and rates["layer1.0.bn1.bias"] == 0.03125
    assert rates["conv1.weight"] == rates["bn1.weight"] == 0.015625

    before = run.weights()
    images, labels = run.train.batch(torch.arange(9))
    run._optimizer.set_learning_rate(0.25)
    run.network.train()
    run.step(images, labels)
    after = run.weights()
    for name, rate in (("fc.weight", 2.0), ("layer4.1.conv2.weight", 0.125), ("conv1.weight", 0.0078125)):
        gradient = run.network.get_parameter(f"plain.{name}").grad
        assert gradient is not None
        assert torch.allclose(before[name] - after[name], rate * gradient, rtol=1e-3, atol=1e-6), name


def names_of(run: Run, parameters: Sequence[Tensor]) -> list[str]:
    return [name.removeprefix("plain.") for name, p in run.network.named_parameters() if any(p is other for other in parameters)]


def test_the_rate_warms_up_in_a_line_and_the_schedule_follows() -> None:
    constant = TrialConfig(lr=2.0, epochs=4, warmup_epochs=1)
    assert [compute_learning_rate(constant, step, 16) for step in range(6)] == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]
    cosine = replace(constant, schedule="cosine")
    rates = [compute_learning_rate(cosine, step, 16) for step in range(16)]
    assert rates[:5] == [0.5, 1.0, 1.5, 2.0, 2.0] and rates[10] == pytest.approx(1.0) and rates[15] == pytest.approx(0.0341, abs=1e-4)
    assert compute_learning_rate(replace(constant, warmup_epochs=8), 15, 16) == 1.0
    with pytest.raises(UsageError, match="onecycle rises by itself: leave warmup_epochs out"):
        replace(constant, schedule="onecycle")


@pytest.mark.parametrize(
    ("name", "head", "count", "first"),
    [
        ("resnet18", "fc", 5, ("conv1", "bn1")),
        ("alexnet", "classifier.6", 7, ("features.0",)),
        ("googlenet", "fc", 12, ("conv1",)),
        ("squeezenet1_1", "classifier.1", 10, ("features.0",)),
        ("vit_b_32", "heads.head", 14, ("conv_proj",)),
        ("regnet_y_400mf", "fc", 5, ("stem.0", "stem.1")),
    ],
)
def test_head_and_stages_are_found_in_any_network_of_torchvisions(name: str, head: str, count: int, first: tuple[str, ...]) -> None:
    from tuner.models.bare import _build_without_memory

    stages = find_stages(_build_without_memory(name, 5), find_head(name))
    assert (find_head(name), len(stages), stages[0]) == (head, count, first)


def test_a_network_whose_head_is_not_its_end_goes_without_features() -> None:
    for name, wanted in (("squeezenet1_1", False), ("googlenet", True)):
        network = Tuned(build_bare(name, 3), find_head(name)).eval()
        with torch.no_grad():
            found, alone = network.find_features(torch.randn(2, 3, 64, 64))
        assert alone is wanted
        assert not wanted or found.shape == (2, 1024)
    body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
    for end, wanted in ((torch.nn.Softmax(1), False), (torch.nn.Identity(), True)):
        network = Tuned(torch.nn.Sequential(body, end), "0.1").eval()
        assert network.find_features(torch.randn(2, 3, 2, 2))[1] is wanted


def test_a_study_takes_images_as_the_weights_declare_unless_it_says_otherwise() -> None:
    plain: dict[str, Any] = {"model": MODEL, "data": "digits", "space": {"lr": [0.1, 0.2]}}
    config = StudyConfig.from_dict(plain)
    assert (config.weights, config.data.image_size) == ("default", 224)
    assert (config.data.mean, config.data.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert StudyConfig.from_dict({**plain, "image_size": 64}).data.image_size == 64
    assert declare("torchvision:inception_v3", "default").image_size == 299
    assert StudyConfig.from_dict(config.to_dict()) == config
    ours = StudyConfig.from_dict({"data": "digits", "space": {"lr": [0.1, 0.2]}})
    assert not {"weights", "weights_digests"} & ours.to_dict().keys(), "what is stored of other networks is as it was"
    assert not {"weights", "freeze", "head_lr", "warmup_epochs"} & TrialConfig().to_dict().keys()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "torchvision:resnet81"}, "no model 'resnet81' in torchvision"),
        ({"model": "torchvision:"}, "give the name of a network of torchvision's, such as torchvision:resnet18"),
        ({"model": "mynet", "weights": "default"}, "weights 'default' are for models such as torchvision:resnet18, not for mynet"),
        ({"model": "mynet", "space": {"freeze": [1, 2]}}, "freeze is for models such as torchvision:resnet18, not for mynet"),
        ({"space": {"freeze": ["none", "all"]}}, "freeze takes none, backbone or a whole number from 1, not 'all'"),
        ({"space": {"freeze": 0}}, "freeze takes none, backbone or a whole number from 1, not 0"),
        ({"space": {"layer_decay": 1.5}}, "layer_decay must be above 0 and at most 1, not 1.5"),
        ({"width": 0.5}, "width 0.5: torchvision:resnet18 has no widths"),
        ({"model": [MODEL, "torchvision:inception_v3"]}, "are made for different images: name image_size in the study"),
        ({"model": [MODEL, "torchvision:alexnet"], "weights": "a.pth"}, "weights 'a.pth' fit one network only"),
    ],
    ids=lambda each: str(each)[:40],
)
def test_what_does_not_go_together_is_one_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as told:
        StudyConfig.from_dict({"model": MODEL, "data": "digits", "space": {"lr": [0.1, 0.2]}, **changes})
    assert said in told.value.message


def test_weights_that_do_not_fit_or_are_others_are_one_line(weights: Path, tmp_path: Path) -> None:
    torch.save({**torch.load(weights), "layer9.weight": torch.ones(2)}, tmp_path / "more.pth")
    with pytest.raises(UsageError, match=r"do not fit torchvision:resnet18: 'layer9.weight' is none of its weights"):
        load_initial(build_bare("resnet18", 3), MODEL, str(tmp_path / "more.pth"), None)
    with pytest.raises(UsageError, match=r"do not fit torchvision:resnet34: 'layer1.2.conv1.weight' is lacking"):
        load_initial(build_bare("resnet34", 3), "torchvision:resnet34", str(weights), None)
    with pytest.raises(Exception, match=r"are not those that were trained with \(fingerprint [0-9a-f]{16}, wanted 0123\)"):
        load_initial(build_bare("resnet18", 3), MODEL, str(weights), "0123")
    study = StudyConfig.from_dict({"model": MODEL, "weights": str(weights), "data": "digits", "space": {"freeze": ["none", 6]}})
    with pytest.raises(UsageError, match=r"freeze 6: torchvision:resnet18 has 5 stages, its head apart: freeze fewer, or backbone"):
        settle_weights(study)


def test_offline_the_error_names_both_ways(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    study = StudyConfig.from_dict({"model": MODEL, "data": "digits", "space": {"lr": [0.1, 0.2]}})
    with pytest.raises(TunerError) as told:
        settle_weights(study)
    assert "resnet18-f37072fd.pth of resnet18 are not in" in told.value.message and "cannot be downloaded" in told.value.message
    assert "put resnet18-f37072fd.pth from https://" in told.value.message
    assert told.value.message.endswith("there, or give `weights: FILE` in the study")


def write_study(path: Path, photos: Path, weights: Path | None, **space: Any) -> None:
    path.write_text(
        yaml.safe_dump(
            {
                "model": MODEL,
                **({} if weights is None else {"weights": str(weights)}),
                "data": f"folder:{photos}",
                "image_size": 64,
                "validation": 0.25,
                "pruner": "none",
                "space": {"batch_size": 9, "epochs": 2, "lr": {"low": 0.001, "high": 0.1, "log": True}, **space},
            }
        )
    )


def finish(study: Study) -> list[TrialRow]:
    """Train what is left of a study, in this process."""
    data = study.config.data
    parts = Parts(load(data), data, "cpu")
    while isinstance(lease := claim(study), Lease):
        train_trial(study, lease, parts, Placement(), stop=lambda: False, say=lambda event: None)
    return list_trials(study)


def test_a_search_is_killed_goes_on_exports_trains_again_and_is_compared(
    background: Start, photos: Path, weights: Path, tmp_path: Path
) -> None:
    write_study(tmp_path / "tune.yaml", photos, weights, freeze=["backbone", 4, "none"], head_lr=[1.0, 10.0], epochs=3)
    search = background("search", "tune.yaml", "--trials", "2", "--workers", "1", "--device", "cpu")
    search.wait_for(r"trial 0 epoch 1/3")
    os.killpg(search.process.pid, signal.SIGKILL)
    search.end()
    assert any("no train/ and test/, so 6 of 30 images, 20% of each class" in line for line in search.lines)
    study = load_study(Storage(f"sqlite:///{tmp_path}/studies/tuner.db"), "tune")
    trials = finish(study)
    assert [trial.state for trial in trials] == ["COMPLETE"] * 2

    (tmp_path / "best.yaml").write_text(export_config(study, trials[0]))
    exported = yaml.safe_load((tmp_path / "best.yaml").read_text())
    assert exported["weights"] == str(weights) and re.fullmatch(r"[0-9a-f]{16}", exported["weights_digest"])
    result = retrain(tmp_path / "best.yaml", tmp_path / "out", progress=False)
    assert result["val_accuracy"] == trials[0].value, "bit for bit, though the search was killed"
    assert [epoch["train_loss"] for epoch in result["epochs"]] == [epoch["train_loss"] for epoch in trials[0].epochs]
    evaluated = evaluate_file(tmp_path / "out" / "weights.pt")
    assert (evaluated["model"], evaluated["test_accuracy"]) == (MODEL, result["test_accuracy"])
    request = Request(data=f"folder:{photos}", models=["out/weights.pt"], storage=f"sqlite:///{tmp_path}/compared.db", progress=False)
    assert compare(request)[1][0]["top1"] == pytest.approx(result["test_accuracy"])
    assert find_kept_weights(study, trials[0], "cpu").predictions().accuracy == trials[0].value


def test_the_example_trains_a_head_on_the_weights_in_torchvisions_own_cache(
    photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = tmp_path / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    torch.save(resnet18().state_dict(), hub / "resnet18-f37072fd.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    config = StudyConfig.from_file(Path(__file__).parents[1] / "examples" / "finetune.yaml")
    config = settle_weights(config.override(source=f"folder:{photos}"))
    storage = Storage(f"sqlite:///{tmp_path}/x.db", make=True)
    features.forget()
    rows = finish(create_or_load(storage, "example", config, load(config.data).fingerprint, trials=2))
    assert [row.state for row in rows] == ["COMPLETE"] * 2 and all(len(row.epochs) == 5 for row in rows)
    assert rows[0].config is not None and rows[0].config.weights_digest == config.digests[MODEL]


def test_the_shipped_study_fine_tunes_resnet18() -> None:
    config = StudyConfig.from_file(find_shipped_folder() / "finetune.yaml")
    assert config.models == (MODEL,) and config.weights == "default" and config.data.image_size == 224
    assert {"freeze", "lr"} <= config.space.keys() and len(config.start) >= 2


def test_a_fifth_of_each_class_is_held_out_by_name_wherever_the_folder_lies(photos: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    dataset = load(make_data(photos), progress=lines.append)
    assert (len(dataset.train_images), len(dataset.test_images)) == (24, 6)
    assert np.bincount(dataset.test_labels).tolist() == [2, 2, 2]
    assert any("no train/ and test/, so 6 of 30 images, 20% of each class" in line for line in lines)
    moved = tmp_path / "elsewhere"
    for path in sorted(photos.rglob("*.png"), reverse=True):
        target = moved / path.relative_to(photos)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    assert load(make_data(moved)).fingerprint == dataset.fingerprint
    (moved / "frog" / "new.png").write_bytes((photos / "truck" / "00.png").read_bytes())
    grown = load(make_data(moved))
    kept = [image for image in grown.test_images if any(np.array_equal(image, other) for other in dataset.test_images)]
    assert len(kept) >= 5, "one image more changes one place at most"
