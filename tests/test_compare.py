"""`tuner compare` from its command line to its study."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from optuna.trial import TrialState
from sklearn.metrics import top_k_accuracy_score
from torchvision.datasets import ImageFolder
from torchvision.models import get_model_weights

from tests.conftest import Background, Tuner
from tests.imagenet import IDS, by_class, draw, link_pictures, real_pictures, sharpened, torchvision_itself, weights
from tuner.compare import rows as stored
from tuner.compare.figures import list_results
from tuner.compare.report import make_report
from tuner.compare.run import Request, compare
from tuner.config.trial_config import TrialConfig, write_config
from tuner.errors import TunerError, UsageError
from tuner.evaluate import evaluate_file
from tuner.report.html import to_html
from tuner.study.storage import Storage
from tuner.study.worker_id import WorkerId
from tuner.training.run import build_network

SMALL = ("squeezenet1_1", "shufflenet_v2_x0_5")  # 0.35 and 0.04 G multiply-accumulates, transforms in common
URL = "sqlite:///compare.db"
COSTS = {"images_per_second", "ms_per_image", "trial"}  # what differs from run to run


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of weights in torchvision's own format, by chance."""
    folder = tmp_path_factory.mktemp("weights")
    return {name: weights(name, folder) for name in SMALL}


def request(data: Path | str, files: dict[str, Path], **options: Any) -> Request:
    models = options.pop("models", tuple(files))
    return Request(data=str(data), models=models, weights={n: f for n, f in files.items() if n in models}, storage=URL, **options)


def figures(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["model"]: {k: v for k, v in row.items() if k not in COSTS} for row in rows}


def arguments(files: dict[str, Path]) -> list[str]:
    return [arg for name, file in files.items() for arg in ("--weights", f"{name}={file}")]


@pytest.mark.skipif(not real_pictures(), reason="needs the pictures inside foolbox: pip install --no-deps foolbox")
def test_real_pictures_score_as_with_torchvisions_own_parts(tmp_path: Path) -> None:
    """ImageFolder, torchvision's builder and scikit-learn against one command, on the twenty pictures of foolbox."""
    val = link_pictures(tmp_path / "val")
    names = ("resnet18", "alexnet", "googlenet")
    preset = get_model_weights(names[0]).DEFAULT.transforms()
    folder = ImageFolder(str(val), preset)
    images = torch.stack([image for image, _ in folder])
    truth = [IDS.index(folder.classes[label]) for _, label in folder.samples]
    assert len(images) == 20 and sorted(set(truth)) == sorted(real_pictures())
    files, expected = {}, {}
    torch.set_num_threads(1)
    for name in names:
        files[name] = weights(name, tmp_path)
        sharpened(name, files[name], images, truth, tmp_path / "hub")
        network = torchvision_itself(name, files[name], tmp_path / "hub").to(memory_format=torch.channels_last)
        with torch.inference_mode():
            logits = torch.cat([network(x.contiguous(memory_format=torch.channels_last)) for x in images.split(6)])
        expected[name] = {f"top{k}": top_k_accuracy_score(truth, logits, k=k, labels=range(1000)) for k in (1, 5)}
        expected[name]["loss"] = pytest.approx(float(torch.nn.functional.cross_entropy(logits.double(), torch.tensor(truth))), rel=1e-5)
    assert any(0 < found["top5"] < 1 for found in expected.values()), "these weights would hide a mistake"
    name, found = compare(request(tmp_path, files, batch_size=6))
    assert {row["model"]: {k: row[k] for k in ("top1", "top5", "loss")} for row in found} == expected
    assert [row["top1"] for row in found] == sorted((row["top1"] for row in found), reverse=True)
    assert all(row["images"] == 20 and row["broken"] == [] for row in found)
    alone = [compare(request(tmp_path, files, models=(n,), batch_size=6, study=f"alone-{n}"))[1] for n in reversed(names)]
    assert {n: {**f, "next": None} for n, f in figures(found).items()} == {n: f for rows in alone for n, f in figures(rows).items()}


def test_a_comparison_is_a_study_that_other_models_join(tmp_path: Path, files: dict[str, Path]) -> None:
    by_class(tmp_path / "val", 5)
    name, first = compare(request(tmp_path, files, models=SMALL[:1]))
    again, both = compare(request(tmp_path, files))
    assert again == name and first[0] == next(r for r in both if r["model"] == SMALL[0]) | {"next": first[0]["next"]}
    study = optuna.load_study(study_name=name, storage=URL)
    assert study.direction.name == "MAXIMIZE" and study.metric_names == ["top-1 accuracy"]
    assert [(t.state, t.params["model"]) for t in study.trials] == [(TrialState.COMPLETE, n) for n in SMALL]
    for trial, row in zip(study.trials, sorted(both, key=lambda r: r["trial"]), strict=True):
        assert trial.value == row["top1"] == trial.user_attrs["top1"] and row["trial"] == trial.number
        assert all(isinstance(value, (str, int, float)) for value in trial.user_attrs.values() if value is not None)
    storage = Storage(URL)
    for kept in stored.load(storage, name).trials():
        assert kept.user_attrs["stamp"]["weights"] and kept.user_attrs["progress"] is None
    assert list_results(storage, name) == both
    page = to_html(make_report(storage, name))
    storage.close()
    assert all(model in page for model in SMALL) and "McNemar" in page and "data:image/png" in page


def test_each_network_sees_images_as_its_weights_declare(tmp_path: Path, files: dict[str, Path]) -> None:
    """Resize 256 for one, 232 for the other: two passes, each as torchvision alone has it."""
    names = (SMALL[1], "shufflenet_v2_x1_5")
    both = {names[0]: files[names[0]], names[1]: weights(names[1], tmp_path)}
    sizes = [get_model_weights(name).DEFAULT.transforms().resize_size for name in names]
    assert sizes == [[256], [232]]
    val = by_class(tmp_path / "val", 3)
    _, rows = compare(request(val, both))
    for row in rows:
        folder = ImageFolder(str(val), get_model_weights(row["model"]).DEFAULT.transforms())
        truth = torch.tensor([IDS.index(folder.classes[label]) for label in folder.targets])
        with torch.inference_mode():
            logits = torchvision_itself(row["model"], both[row["model"]], tmp_path / "hub")(torch.stack([image for image, _ in folder]))
        assert row["loss"] == pytest.approx(float(torch.nn.functional.cross_entropy(logits.double(), truth)), rel=1e-6)


def test_weights_that_give_no_number_fail_alone(tmp_path: Path, files: dict[str, Path]) -> None:
    state = torch.load(files[SMALL[1]])
    for name, value in state.items():
        if name.endswith("weight"):
            value.fill_(3e38)  # finite: sums overflow. NaN is refused when the file is read
    torch.save(state, tmp_path / "nan.pth")
    by_class(tmp_path / "val", 2)
    with pytest.raises(TunerError, match="shufflenet_v2_x0_5 gave a loss that is no number"):
        compare(request(tmp_path / "val", {SMALL[1]: tmp_path / "nan.pth", SMALL[0]: files[SMALL[0]]}, study="s"))
    ended = {t.params["model"]: t.state for t in optuna.load_study(study_name="s", storage=URL).trials}
    assert ended == {SMALL[0]: TrialState.COMPLETE, SMALL[1]: TrialState.FAIL}


def test_what_is_finished_is_run_again_only_where_something_changed(
    tmp_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    by_class(tmp_path / "val", 4)
    mine = {SMALL[1]: shutil.copy(files[SMALL[1]], tmp_path / "mine.pth")}

    def trials() -> int:
        return len(optuna.load_study(study_name="mine", storage=URL).trials)

    wanted = request(tmp_path / "val", mine, study="mine")
    compare(wanted)
    assert compare(wanted)[1][0]["trial"] == 0 and trials() == 1
    assert "finished before" in capsys.readouterr().err
    assert compare(replace(wanted, fresh=True))[1][0]["trial"] == 1 and trials() == 2
    weights(SMALL[1], tmp_path, seed=1).replace(tmp_path / "mine.pth")
    assert compare(wanted)[1][0]["trial"] == 2
    draw(tmp_path / "val" / IDS[0] / "9999.JPEG", 9)
    assert compare(wanted)[1][0]["trial"] == 3
    assert compare(wanted)[1][0]["images"] == 5 and trials() == 4
    storage = Storage(URL)
    assert [row["trial"] for row in list_results(storage, "mine")] == [3]
    storage.close()


def test_a_broken_image_is_named_and_counted(tuner: Tuner, tmp_path: Path, files: dict[str, Path]) -> None:
    by_class(tmp_path / "val", 5)
    whole = sorted((tmp_path / "val").rglob("*.JPEG"))[0]
    torn = tmp_path / "val" / IDS[207] / "torn.JPEG"
    torn.write_bytes(whole.read_bytes()[:300])
    (tmp_path / "val" / IDS[0] / "0000a.JPEG").write_bytes(b"")
    given = ("compare", "--data", "val", "--models", SMALL[1], *arguments({SMALL[1]: files[SMALL[1]]}), "--device", "cpu")
    done = tuner(*given, "--json", "--no-progress", "--batch-size", "2", "--picture", "cost.png")
    names = {f"{IDS[207]}/torn.JPEG", f"{IDS[0]}/0000a.JPEG"}
    assert all(name in done.stderr for name in names)
    (row,) = json.loads(done.stdout)
    assert row["images"] == 5 and set(row["broken"]) == names
    assert set(row) >= {"model", "top1", "top5", "loss", "parameters", "macs", "images_per_second", "ms_per_image", "peak_memory_mb"}
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")
    # The table of the same study, finished before, says it again.
    shown = tuner(*given)
    assert "2 broken images left out" in shown.stdout and SMALL[1] in shown.stdout and "finished before" in shown.stderr


def test_all_images_broken_is_an_error_and_leaves_no_trial(tmp_path: Path, files: dict[str, Path]) -> None:
    (tmp_path / IDS[3]).mkdir()
    (tmp_path / IDS[3] / "x.JPEG").write_bytes(b"x")
    with pytest.raises(TunerError, match=r"all 1 images .* are broken"):
        compare(request(tmp_path, files, study="none"))
    assert optuna.load_study(study_name="none", storage=URL).trials == []


def test_an_interrupted_comparison_goes_on_to_the_same_figures(
    tuner: Tuner, background: Callable[..., Background], tmp_path: Path, files: dict[str, Path]
) -> None:
    by_class(tmp_path / "val", 100)
    given = ("compare", "--data", "val", "--models", ",".join(SMALL), *arguments(files), "--batch-size", "2", "--device", "cpu")
    running = background(*given)
    running.wait_for(r": 2 of 100 images")
    running.process.send_signal(signal.SIGINT)
    assert running.end() == 130 and any("the same command goes on" in line for line in running.lines)
    storage = Storage("sqlite:///studies/tuner.db")
    (name,) = stored.list_comparisons(storage)
    waiting = stored.load(storage, name).trials()
    storage.close()
    assert [t.state for t in waiting] == [TrialState.WAITING] * 2
    done = waiting[0].user_attrs["progress"]["done"]
    assert 2 <= done < 100
    went_on = tuner(*given, "--json")
    assert f"{SMALL[0]} goes on after {done} images" in went_on.stderr
    rows = json.loads(went_on.stdout)
    assert [row["trial"] for row in sorted(rows, key=lambda r: r["trial"])] == [0, 1], "the same rows, not new ones"
    _, uninterrupted = compare(request(tmp_path / "val", files, batch_size=2))
    assert figures(rows) == figures(uninterrupted)


def test_the_row_of_a_killed_process_is_taken_over_and_that_of_a_living_one_is_not(tmp_path: Path, files: dict[str, Path]) -> None:
    by_class(tmp_path, 3)
    wanted = request(tmp_path, files, models=SMALL[1:], study="s")
    _, (row,) = compare(wanted)
    storage = Storage(URL)
    rows = stored.load(storage, "s")
    stamp = rows.trials()[0].user_attrs["stamp"]
    left = rows.take(SMALL[1], SMALL[1], stamp)
    living = f"{str(left.user_attrs['owner']).split(':')[0]}:1:"
    storage.optuna.set_trial_user_attr(left._trial_id, "owner", f"{living}t{WorkerId.of(1).ticks}:here")
    with pytest.raises(TunerError, match="being compared by another process"):
        compare(replace(wanted, fresh=True))
    storage.optuna.set_trial_user_attr(left._trial_id, "owner", f"{living}t1:here")  # its number was given to another process
    storage.close()
    _, (taken,) = compare(replace(wanted, fresh=True))
    assert taken["trial"] == left.number and figures([taken]) == figures([row])


def save_network(folder: Path, model: str, classes: int, source: str, size: int) -> str:
    """A network of ours as `tuner train` leaves it."""
    folder.mkdir()
    config = TrialConfig(model=model, width=0.0625)
    config = replace(config, data=replace(config.data, source=source, image_size=size))
    torch.manual_seed(0)
    torch.save(build_network(config, classes).state_dict(), folder / "weights.pt")
    (folder / "config.yaml").write_text(write_config(config, fingerprint=None, origin={}))
    return str(folder / "weights.pt")


def test_networks_of_ours_stand_in_one_table_with_the_figures_of_evaluate(tmp_path: Path) -> None:
    ours = [save_network(tmp_path / model, model, 10, "digits", 8) for model in ("mynet", "googlenet")]
    name, rows = compare(Request(data="digits", models=ours, storage=URL))
    assert name.startswith("compare-digits")
    for row in rows:
        alone = evaluate_file(Path(row["model"]))
        assert row["top1"] == pytest.approx(alone["test_accuracy"]) and row["loss"] == pytest.approx(alone["test_loss"], rel=1e-5)
        assert (row["images"], row["parameters"]) == (alone["images"], alone["parameters"])
    trials = optuna.load_study(study_name=name, storage=URL).trials
    assert {t.params["model"] for t in trials} == {"mynet (ours)", "googlenet (ours)"}
    with pytest.raises(UsageError, match="'resnet18' knows ImageNet's classes only"):
        compare(Request(data="digits", models=[ours[0], "resnet18"], storage=URL))
    with pytest.raises(UsageError, match="give its own images with --data folder:PATH"):
        compare(Request(data=str(tmp_path), models=[ours[0]], storage=URL))


def test_a_pretrained_network_joins_ours_within_the_folders_classes(tmp_path: Path) -> None:
    chosen = [0, 207, 999]
    for part in ("train", "test"):
        by_class(tmp_path / "set" / part, 12, tuple(chosen))
    folder = ImageFolder(str(tmp_path / "set" / "test"), get_model_weights(SMALL[1]).DEFAULT.transforms())
    assert folder.classes == [IDS[index] for index in chosen]
    images, truth = torch.stack([image for image, _ in folder]), torch.tensor(folder.targets)
    file = weights(SMALL[1], tmp_path)
    sharpened(SMALL[1], file, images, [5, 207, 999], tmp_path / "hub")  # class 5 would win, were it not left out
    source = f"folder:{tmp_path / 'set'}"
    mine = save_network(tmp_path / "mynet", "mynet", 3, source, 16)
    _, rows = compare(request(source, {SMALL[1]: file}, models=(mine, SMALL[1])))
    assert {row["model"] for row in rows} == {mine, SMALL[1]} and all(row["top5"] == 1.0 and row["images"] == 12 for row in rows)
    with torch.inference_mode():
        logits = torchvision_itself(SMALL[1], file, tmp_path / "hub")(images)[:, chosen]
    assert len(set(logits.argmax(1).tolist())) > 1, "these weights would hide a mistake"
    theirs = next(row for row in rows if row["model"] == SMALL[1])
    assert theirs["top1"] == float((logits.argmax(1) == truth).double().mean())
    assert theirs["loss"] == pytest.approx(float(torch.nn.functional.cross_entropy(logits, truth)), rel=1e-3)


def test_comparisons_are_listed_shown_and_deleted(tuner: Tuner, tmp_path: Path, files: dict[str, Path]) -> None:
    by_class(tmp_path / "val", 4)
    tuner("compare", "--data", "val", "--models", ",".join(SMALL), *arguments(files), "--study", "nets", "--no-progress")
    [row] = json.loads(tuner("studies", "--json").stdout)
    assert row["kind"] == "comparison" and sorted(row["models"]) == sorted(SMALL) and row["images"] == 4 and row["unfinished"] == 0
    assert "nets" in tuner("studies").stdout
    shown = json.loads(tuner("show", "nets", "--json").stdout)
    assert [network["model"] for network in shown["networks"]] == row["models"] and shown["unfinished"] == []
    text = tuner("show", "nets").stdout
    assert all(name in text for name in SMALL) and "4 images" in text
    assert "whole networks" in tuner("show", "nets", "--trial", "0", code=2).stderr
    study = optuna.load_study(study_name="nets", storage="sqlite:///studies/tuner.db")
    study.add_trial(optuna.trial.create_trial(state=TrialState.WAITING, user_attrs={"model": "alexnet", "stamp": {}}))
    assert "not finished: alexnet" in tuner("show", "nets").stdout
    assert "deleted comparison 'nets'" in tuner("delete", "nets", "--yes").stderr
    assert json.loads(tuner("studies", "--json").stdout) == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--data", "none"), "data 'none' does not exist"),
        (("--data", "val", "--models", "resnet81"), "no model 'resnet81' in torchvision"),
        (("--data", "val", "--models", "alexnet,alexnet"), "names 'alexnet' twice"),
        (("--data", "val", "--models", "alexnet", "--weights", "alexnet"), "--weights takes NAME=FILE"),
        (("--data", "val", "--models", "alexnet", "--weights", "vgg16=x.pth"), "'vgg16' is not among --models alexnet"),
        (("--data", "val", "--models", "alexnet", "--weights", "alexnet=x.pth"), "--weights alexnet=x.pth: there is no such file"),
        (("--data", "val", "--picture", "cost.pdf"), "--picture 'cost.pdf' must end in .png"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, args: tuple[str, ...], message: str) -> None:
    from click.testing import CliRunner

    from tuner.commands import main

    by_class(tmp_path / "val", 2)
    done = CliRunner().invoke(main, ["compare", *args])
    assert done.exit_code == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "studies").exists(), "something was written"


def test_without_a_network_one_line_names_the_file(tuner: Tuner, tmp_path: Path) -> None:
    by_class(tmp_path / "val", 2)
    env = {"TORCH_HOME": str(tmp_path / "torch"), "https_proxy": "http://127.0.0.1:1"}
    done = tuner("compare", "--data", "val", "--models", "resnet18", code=1, env=env)
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert len(errors) == 1 and "Traceback" not in done.stderr
    for part in ("resnet18-f37072fd.pth", str(tmp_path / "torch" / "hub" / "checkpoints"), "--weights resnet18=FILE"):
        assert part in errors[0]
    assert not (tmp_path / "studies").exists()
