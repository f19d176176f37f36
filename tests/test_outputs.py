"""What commands write: the weights that a search kept, and never over what something else left."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from tests import fabricated
from tests.test_retrain import CONFIG, write
from tuner.commands import main
from tuner.config.data_config import DataConfig
from tuner.data import load as load_data
from tuner.evaluate import evaluate_file
from tuner.report.blocks import Heading, Report
from tuner.report.write import is_report
from tuner.report.write import write as write_report
from tuner.study.storage import Storage
from tuner.study.studies import load
from tuner.study.trials import list_trials
from tuner.training import checkpoint
from tuner.training.run import build_network

SPACE = {
    "model": "mynet",
    "width": 0.0625,
    "data": "digits",
    "image_size": 8,
    "pruner": "none",
    "space": {"lr": {"low": 0.001, "high": 0.1, "log": True}, "batch_size": 32, "epochs": 1},
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A study of three trials, of which the better two have a checkpoint."""
    at = f"sqlite:///{tmp_path_factory.mktemp('searched')}/tuner.db"
    storage = Storage(at, make=True)
    study = fabricated.study(storage, SPACE, name="small", data=load_data(DataConfig(source="digits", image_size=8)).fingerprint)
    fabricated.add(study, [fabricated.trial(study, {"lr": 0.01 * (n + 1)}, [0.5 + 0.1 * n], number=n) for n in range(3)])
    for row in list_trials(study)[1:]:
        assert row.config is not None
        state = {"weights": build_network(row.config, 10).state_dict(), "optimizer": {}, "curve": row.epochs}
        checkpoint.write(study.checkpoint_path(row.number), row.config, state, uid=study.uid).commit(lambda: None)
    storage.close()
    return at


def run(*args: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, args)
    assert done.exit_code == code, f"exit {done.exit_code}\n{done.stdout}\n{done.stderr}"
    return done


def best_of(url: str, *args: str, code: int = 0) -> Result:
    return run("best", "small", "--storage", url, *args, code=code)


def test_the_kept_weights_of_a_trial_are_had_without_training(url: str, tmp_path: Path) -> None:
    done = run("best", "--storage", url, "--weights", "best.pt", "--export", "best.yaml", "--json")
    best = json.loads(done.stdout)
    assert best["number"] == 2 and "trial 2 of study small, which was searched last" in done.stderr
    assert "wrote best.pt; next: tuner predict best.pt IMAGE..." in done.stderr
    storage = Storage(url)
    study = load(storage, "small")
    row = list_trials(study)[best["number"]]
    assert row.config is not None
    content = torch.load("best.pt", weights_only=True)
    kept = checkpoint.read(study.checkpoint_path(row.number), row.config, uid=study.uid)
    assert kept is not None and kept["weights"].keys() == content["state_dict"].keys()
    assert all(torch.equal(value, content["state_dict"][name]) for name, value in kept["weights"].items())
    made = content["tuner"]["provenance"]
    assert (made["made_by"], made["study"], made["trial"]) == ("tuner search", "small", best["number"])
    assert made["val_accuracy"] == best["value"] and made["epochs"] == 1 and made["device"].startswith("cpu")
    assert content["tuner"]["configuration"]["data"]["fingerprint"] == study.data
    assert evaluate_file(tmp_path / "best.pt")["images"] == 359
    storage.close()


def test_weights_that_are_not_kept_are_a_line_that_says_how_to_train_them(url: str) -> None:
    failed = best_of(url, "--trial", "0", "--weights", "lost.pt", code=1).stderr
    assert "the weights of trial 0 are not kept here" in failed and not Path("lost.pt").exists()
    assert "`tuner best small --trial 0 --export config.yaml`, then `tuner train config.yaml`" in failed


def test_weights_go_over_those_of_the_same_trial_only(url: str) -> None:
    best_of(url, "--weights", "w.pt")
    before = Path("w.pt").read_bytes()
    best_of(url, "--weights", "w.pt")
    refused = best_of(url, "--trial", "1", "--weights", "w.pt", "--export", "new.yaml", code=2).stderr
    assert "--weights 'w.pt' is there already, and is not the weights of trial 1 of study small" in refused
    assert "--force" in refused and Path("w.pt").read_bytes() == before and not Path("new.yaml").exists()
    best_of(url, "--trial", "1", "--weights", "w.pt", "--force")
    assert torch.load("w.pt", weights_only=True)["tuner"]["provenance"]["trial"] == 1
    Path("w.pt").write_bytes(b"something else")
    best_of(url, "--weights", "w.pt", code=2)


def test_a_configuration_goes_over_what_its_study_exports_again_only(url: str) -> None:
    best_of(url, "--trial", "1", "--export", "c.yaml")
    best_of(url, "--export", "c.yaml")  # the other trial's is had again whenever it is asked for
    text = Path("c.yaml").read_text()
    for theirs in (text.replace("momentum: 0.9", "momentum: 0.8"), text.replace("study: small", "study: mine"), "name: a study", ""):
        Path("c.yaml").write_text(theirs)
        refused = best_of(url, "--export", "c.yaml", code=2).stderr
        assert "--export 'c.yaml' is there already, and is not as study small exports it: give another name, or --force" in refused
        assert Path("c.yaml").read_text() == theirs
    best_of(url, "--export", "c.yaml", "--force")
    assert Path("c.yaml").read_text() == text


def test_a_training_goes_over_its_own_folder_only(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", replace(CONFIG, epochs=1))
    train = ("train", "c.yaml", "--device", "cpu")
    run(*train, "--all-data")
    before = {file.name: file.read_bytes() for file in Path("trained/c").iterdir()}
    refused = run(*train, code=2).stderr
    assert "trained/c holds another training (result.json, weights.pt): give another --out, or --force to replace it" in refused
    assert {file.name: file.read_bytes() for file in Path("trained/c").iterdir()} == before
    assert "already holds this configuration" in run(*train, "--all-data").stderr
    Path("trained/c/result.json").unlink()
    run(*train, "--all-data")  # its own weights say whose they are
    for name, content in (("weights.pt", b"bare"), ("config.yaml", b"mine")):
        shutil.rmtree("trained/c")
        Path("trained/c").mkdir()
        Path("trained/c", name).write_bytes(content)
        assert f"trained/c holds another training ({name})" in run(*train, code=2).stderr
    Path("trained/c/config.yaml").write_text(path.read_text())
    run(*train)
    assert json.loads(Path("trained/c/result.json").read_text())["all_data"] is False
    run(*train, "--all-data", "--force")
    assert torch.load("trained/c/weights.pt", weights_only=True)["tuner"]["provenance"]["all_data"] is True


@pytest.mark.parametrize("name", ["r.html", "r.md"])
def test_a_report_goes_over_one_of_the_same_study_only(name: str) -> None:
    mine, theirs = (Report(title=f"Study <{each}>", subtitle="", blocks=[]) for each in ("mine", "theirs"))
    write_report(mine, Path(name))
    assert is_report(replace(mine, subtitle="later", blocks=[Heading(text="more")]), Path(name))
    assert not is_report(theirs, Path(name))
    Path(name).write_text("my own notes")
    assert not is_report(mine, Path(name))


def test_the_command_refuses_a_file_that_is_no_report_of_the_study(url: str) -> None:
    Path("r.md").write_text("# My own notes\n")
    refused = run("report", "small", "--storage", url, "--out", "r.md", code=2).stderr
    assert "--out 'r.md' is there already, and is not a report of Study small: give another name, or --force" in refused
    assert Path("r.md").read_text() == "# My own notes\n" and not Path("r-pictures").exists()
    done = run("report", "--storage", url, "--out", "r.md", "--force").stderr
    assert (
        "Study small, which was searched last" in done and "wrote r.md" in done and Path("r.md").read_text().startswith("# Study small\n")
    )


def test_a_picture_goes_over_one_of_the_same_kind_and_study_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from tuner.report.pictures import style
    from tuner.report.pictures.owner import read_owner

    drawn = style.make_figure(1, 1)
    drawn.add_subplot().plot([0, 1])
    png = style.to_png(drawn)
    monkeypatch.setattr("tuner.simulate.run.simulate", lambda *args, **options: [])
    monkeypatch.setattr("tuner.simulate.run.make_table", lambda *args, **options: "")
    monkeypatch.setattr("tuner.simulate.run.describe", lambda *args, **options: [])
    monkeypatch.setattr("tuner.simulate.picture.draw_costs", lambda rows: png)
    monkeypatch.setattr("tuner.compare.run.compare", lambda request: (request.study, []))
    monkeypatch.setattr("tuner.compare.table.print_rows", lambda *args: None)
    monkeypatch.setattr("tuner.report.pictures.compared.draw_accuracy_against_cost", lambda rows: png)
    for _ in range(2):
        run("simulate", "--picture", "p.png")
    assert read_owner(Path("p.png")) == "simulation of recorded curves"
    with Image.open("p.png") as signed, Image.open(io.BytesIO(png)) as bare:
        assert signed.tobytes() == bare.tobytes() and signed.info["dpi"] == bare.info["dpi"]
    compare = ("compare", "--data", "digits", "--picture", "p.png", "--study")
    refused = run(*compare, "고양이", code=2).stderr
    assert "--picture 'p.png' is there already, and is not a comparison: give another name, or --force" in refused
    run(*compare, "고양이", "--force")
    run(*compare, "고양이")
    assert "is not comparison dogs" in run(*compare, "dogs", code=2).stderr
    assert "is not a simulation of recorded curves" in run("simulate", "--picture", "p.png", code=2).stderr
    assert read_owner(Path("p.png")) == "comparison 고양이"
    for content in (png, b"no picture"):
        Path("p.png").write_bytes(content)
        run("simulate", "--picture", "p.png", code=2)
        run(*compare, "고양이", code=2)
        assert Path("p.png").read_bytes() == content


def test_what_commands_write_by_default_is_ignored_by_git(tmp_path: Path) -> None:
    """And what README and the pages call such files."""
    shutil.copy(Path(__file__).parent.parent / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    names = ["trained/config/weights.pt", "studies/tuner.db", "studies/checkpoints/a/b", "studies/artifacts/a", "best.yaml", "config.yaml"]
    names += ["best.pt", "report.html", "report.md", "report-pictures/loss.png"]
    default = next(each.default for each in main.commands["report"].params if each.name == "out")
    done = subprocess.run(["git", "check-ignore", *names, str(default)], capture_output=True, text=True, check=False)
    assert done.stdout.split() == [*names, str(default)]
