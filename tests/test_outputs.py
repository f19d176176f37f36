"""What commands write: the weights that a search kept, and never over what something else left."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from tests.test_retrain import CONFIG, write
from tuner.commands import main
from tuner.evaluate import evaluate_file
from tuner.study.storage import Storage
from tuner.study.studies import load
from tuner.study.trials import list_trials
from tuner.training import checkpoint

SMALL = """
{model: mynet, width: 0.0625, data: digits, train_images: 200, image_size: 8, validation: 0.2, pruner: none,
 space: {lr: {low: 0.001, high: 0.1, log: true}, batch_size: 32, epochs: 1}}
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A study of three trials, the weights of two of them kept."""
    base = tmp_path_factory.mktemp("searched")
    (base / "small.yaml").write_text(SMALL)
    at = f"sqlite:///{base}/tuner.db"
    args = ["search", "small.yaml", "--trials", "3", "--workers", "1", "--keep", "2", "--device", "cpu", "--no-publish", "--storage", at]
    subprocess.run([sys.executable, "-m", "tuner", *args], cwd=base, check=True, capture_output=True)
    return at


def run(*args: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, args)
    assert done.exit_code == code, f"exit {done.exit_code}\n{done.stdout}\n{done.stderr}"
    return done


def best_of(url: str, *args: str, code: int = 0) -> Result:
    return run("best", "small", "--storage", url, *args, code=code)


def numbers(url: str) -> tuple[str, str, str]:
    """The best trial, the other whose weights are kept, and the one whose are not."""
    storage = Storage(url)
    study = load(storage, "small")
    best = json.loads(best_of(url, "--json").stdout)["number"]
    rest = [row.number for row in list_trials(study) if row.number != best]
    other, lost = sorted(rest, key=lambda number: not study.files.has(number))
    assert study.files.has(other) and not study.files.has(lost)
    storage.close()
    return str(best), str(other), str(lost)


def test_the_kept_weights_of_a_trial_are_had_without_training(url: str, tmp_path: Path) -> None:
    done = run("best", "--storage", url, "--weights", "best.pt", "--export", "best.yaml", "--json")
    best = json.loads(done.stdout)
    assert f"trial {best['number']} of study small, which was searched last" in done.stderr
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
    _, _, lost = numbers(url)
    failed = best_of(url, "--trial", lost, "--weights", "lost.pt", code=1).stderr
    assert f"the weights of trial {lost} are not kept here" in failed and not Path("lost.pt").exists()
    assert f"`tuner best small --trial {lost} --export config.yaml`, then `tuner train config.yaml`" in failed


def test_weights_go_over_those_of_the_same_trial_only(url: str) -> None:
    best, other, _ = numbers(url)
    best_of(url, "--weights", "w.pt")
    before = Path("w.pt").read_bytes()
    best_of(url, "--weights", "w.pt")
    refused = best_of(url, "--trial", other, "--weights", "w.pt", "--export", "new.yaml", code=2).stderr
    assert f"--weights 'w.pt' is there already, and is not the weights of trial {other} of study small" in refused
    assert "--force" in refused and Path("w.pt").read_bytes() == before and not Path("new.yaml").exists()
    best_of(url, "--trial", other, "--weights", "w.pt", "--force")
    assert torch.load("w.pt", weights_only=True)["tuner"]["provenance"]["trial"] == int(other) != int(best)
    Path("w.pt").write_bytes(b"something else")
    best_of(url, "--weights", "w.pt", code=2)


def test_a_configuration_goes_over_what_its_study_exports_again_only(url: str) -> None:
    _, other, _ = numbers(url)
    best_of(url, "--trial", other, "--export", "c.yaml")
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
