"""Studies, checkpoints and files that version 0.1.0 made: they open, go on and train again.

`made_by_0_1_0/` holds what its commands left behind, width 0.01 on digits of 8x8 pixels: a finished study, one that was
interrupted after epoch 2 of trial 1, a comparison of two networks (all in one SQLite database, as SQL), the checkpoint of
the interrupted trial, and a configuration file with the result of its training.
"""

from __future__ import annotations

import json
import lzma
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Tuner

MADE = Path(__file__).parent / "made_by_0_1_0"
AT = ("--storage", "sqlite:///tuner.db")
ALONE = ("--workers", "1", "--device", "cpu")


def unpack(folder: Path) -> None:
    """Make the folder as it was left."""
    connection = sqlite3.connect(folder / "tuner.db")
    connection.executescript((MADE / "studies.sql").read_text(encoding="utf-8").replace("@FOLDER@", str(folder)))
    connection.close()
    checkpoints = folder / "checkpoints" / "interrupted"
    checkpoints.mkdir(parents=True)
    for file in MADE.iterdir():
        if file.suffix == ".xz":
            (checkpoints / file.stem).write_bytes(lzma.decompress(file.read_bytes()))
        elif file.name.startswith("trial-"):
            shutil.copy(file, checkpoints)
        elif file.suffix == ".yaml":
            shutil.copy(file, folder)


@pytest.fixture(autouse=True)
def project(tmp_path: Path) -> Path:
    unpack(tmp_path)
    return tmp_path


def shown(tuner: Tuner, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tuner("show", name, "--json", *AT).stdout)
    return found


def test_they_are_small() -> None:
    assert sum(file.stat().st_size for file in MADE.iterdir()) < 200_000


def test_a_finished_study_is_shown_as_it_was_and_draws_what_it_would_have_drawn(tuner: Tuner) -> None:
    before = shown(tuner, "finished")
    states = [trial["state"] for trial in before["trials"]]
    assert states == ["COMPLETE", "COMPLETE", "PRUNED", "PRUNED", "PRUNED", "COMPLETE", "PRUNED"]
    assert (before["slots"], before["best_trial"], before["best_value"]) == (7, 5, 0.73)
    text = " ".join(tuner("show", "finished", *AT).stdout.split())
    assert "same configuration as trial 0: took over its figures" in text
    assert "diverged: training loss is nan in epoch 1" in text
    assert "below the others" not in text, "what the state says already is not said twice"
    tuner("search", "finished.yaml", "--more", "1", *ALONE, *AT)
    after = shown(tuner, "finished")
    assert after["trials"][:7] == before["trials"]
    drawn = after["trials"][7]["params"]
    assert drawn == pytest.approx({"lr": 0.02151834345933897, "batch_size": 32, "epochs": 4, "widths.*.pool": 2.0})


def test_the_report_tells_how_each_of_its_trials_ended(tuner: Tuner, project: Path) -> None:
    tuner("report", "finished", "--out", "report.md", *AT)
    text = (project / "report.md").read_text(encoding="utf-8")
    assert "That is the configuration of trial 0, so its 43.00 % was taken over without training again." in text
    assert "It ended in its first epoch: diverged: training loss is nan in epoch 1." in text
    assert "It was pruned after epoch 1, at" in text and "below the others at that epoch." in text


def test_an_interrupted_trial_goes_on_from_its_checkpoint(tuner: Tuner) -> None:
    before = shown(tuner, "interrupted")["trials"][1]
    assert (before["state"], len(before["epochs"])) == ("WAITING", 2)
    done = tuner("search", "interrupted.yaml", *ALONE, *AT)
    assert "trial 1 begins from epoch 3" in done.stderr
    after = shown(tuner, "interrupted")["trials"][1]
    assert after["state"] == "COMPLETE" and "notes" not in after["run"]
    assert after["epochs"][:2] == before["epochs"]
    # The rest of its course, as 0.1.0 trained it; another CPU may round otherwise.
    assert after["epochs"][2]["train_loss"] == pytest.approx(1.9650, abs=0.01)


def test_a_configuration_file_trains_to_its_figures(tuner: Tuner) -> None:
    result = json.loads(tuner("train", "config.yaml", "--json", "--device", "cpu").stdout)
    before = json.loads((MADE / "result.json").read_text(encoding="utf-8"))
    assert result["parameters"] == before["parameters"]
    losses, theirs = ([e["train_loss"] for e in each["epochs"]] for each in (result, before))
    # Another CPU rounds otherwise, and that grows by the epoch: an AMD EPYC (family 25, model 17) is off by 0.002, 0.023 and
    # 0.011, and fails here. Without AVX-512 it is up to 0.17, as another seed would be.
    assert losses[0] == pytest.approx(theirs[0], abs=0.01) and losses[1:] == pytest.approx(theirs[1:], abs=0.02)
    assert result["stamp"] == before["stamp"], "so a training that 0.1.0 began or ended is known"


def test_a_training_that_was_finished_is_only_told_again(tuner: Tuner, project: Path) -> None:
    (project / "kept").mkdir()
    shutil.copy(MADE / "result.json", project / "kept")
    (project / "kept" / "weights.pt").touch()
    done = tuner("train", "config.yaml", "--out", "kept", "--device", "cpu")
    assert "already holds this configuration" in done.stderr and "test accuracy 0.7688" in done.stdout


def test_a_comparison_is_shown_as_it_was_and_takes_another_network(tuner: Tuner) -> None:
    before = shown(tuner, "comparison")
    assert [(row["model"], round(row["top1"], 4)) for row in before["networks"]] == [("a/weights.pt", 0.7688), ("c/weights.pt", 0.6156)]
    assert before["networks"][0]["next"]["wins"] == 83
    tuner("train", "config.yaml", "--device", "cpu")
    tuner("compare", "--data", "digits", "--models", "trained/config/weights.pt", "--study", "comparison", "--device", "cpu", *AT)
    assert {row["model"] for row in shown(tuner, "comparison")["networks"]} == {"a/weights.pt", "c/weights.pt", "trained/config/weights.pt"}
