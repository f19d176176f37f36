"""The main job with real processes and real signals: search, stop, go on, see the best, train it."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import yaml
from click.testing import CliRunner

from tests.conftest import Background, Tuner
from tuner.commands import main

Start = Callable[..., Background]


def shown(study: str = "small", *args: str) -> dict[str, Any]:
    """What `tuner show --json` prints, in this process."""
    done = CliRunner().invoke(main, ["show", study, "--json", *args], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def figures(facts: dict[str, Any]) -> list[Any]:
    """What must be the same in two searches that are the same: everything but times."""
    rows = []
    for trial in facts["trials"]:
        epochs = [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in trial["epochs"]]
        rows.append((trial["number"], trial["state"], trial["value"], trial["params"], epochs))
    return rows


def edit(study: Path, **changes: Any) -> None:
    study.write_text(yaml.safe_dump({**yaml.safe_load(study.read_text()), **changes}))


@functools.cache
def search_undisturbed(text: str, trials: int, workers: int) -> list[Any]:
    """The figures of this study's search when nothing happens to it; searched once, however many tests ask."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "small.yaml").write_text(text)
        command = [sys.executable, "-m", "tuner", "search", "small.yaml", "--trials", str(trials), "--workers", str(workers)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return figures(shown("small", "--storage", f"sqlite:///{folder}/studies/tuner.db"))


@pytest.fixture
def longer(small_study: Path) -> Path:
    """Trials of 8 epochs, so that there is something to interrupt."""
    edit(small_study, space={**yaml.safe_load(small_study.read_text())["space"], "epochs": 8})
    return small_study


def test_a_search_reaches_its_total_and_says_so_and_more_adds_to_it(tuner: Tuner, small_study: Path) -> None:
    first = tuner("search", "small.yaml", "--trials", "3", "--workers", "2")
    assert "Best of study small" in first.stdout
    assert "Study 'small' is finished: 3 of 3 trials." in first.stderr
    facts = shown()
    assert [t["state"] for t in facts["trials"]] == ["COMPLETE"] * 3
    for trial in facts["trials"]:
        assert [e["epoch"] for e in trial["epochs"]] == list(range(1, trial["params"]["epochs"] + 1))
        assert trial["value"] == trial["epochs"][-1]["val_accuracy"]
        assert all({"train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds"} <= e.keys() for e in trial["epochs"])
        run = trial["run"]
        assert run["reason"] == "trained to its last epoch" and run["threads"] >= 1 and run["parameters"] > 0
        assert run["images_per_second"] > 0 and run["peak_memory_mb"] > 0 and run["versions"]["torch"] == torch.__version__
    again = tuner("search", "small.yaml", "--trials", "3")
    assert "is finished: 3 of 3 trials. To go on: tuner search small --more" in again.stderr
    tuner("search", "small.yaml", "--more", "1", "--workers", "1")
    assert len(shown()["trials"]) == 4


@pytest.mark.parametrize("number,group", [(signal.SIGINT, False), (signal.SIGINT, True), (signal.SIGTERM, False)])
def test_interrupted_and_gone_on_with_it_is_the_same_search(
    tuner: Tuner, background: Start, longer: Path, number: int, group: bool
) -> None:
    one = ("--trials", "3", "--workers", "1")
    search = background("search", "small.yaml", *one)
    search.wait_for(r"trial 0 epoch 3/8")
    search_at = search.process.pid
    workers = search.workers()
    os.killpg(search_at, number) if group else os.kill(search_at, number)
    assert search.end() == 130
    assert "interrupted" in search.lines[-1] and "the same command goes on" in search.lines[-1]
    assert not any(worker.is_running() for worker in workers)
    halfway = shown()
    assert [t["state"] for t in halfway["trials"]] == ["WAITING"]
    done = len(halfway["trials"][0]["epochs"])
    assert 3 <= done < 8

    gone_on = tuner("search", "small.yaml", *one)
    assert f"trial 0 begins from epoch {done + 1}" in gone_on.stderr
    resumed = shown()
    assert [t["state"] for t in resumed["trials"]] == ["COMPLETE"] * 3

    assert figures(resumed) == search_undisturbed(longer.read_text(), trials=3, workers=1)


def test_a_killed_worker_s_trial_goes_on_in_the_same_row_with_the_figures_it_would_have_had(background: Start, longer: Path) -> None:
    search = background("search", "small.yaml", "--trials", "3", "--workers", "1")
    search.wait_for(r"trial 0 epoch 3/8")
    [worker] = search.workers()
    worker.kill()
    search.wait_for(r"worker died \(SIGKILL.*trial 0 back in the queue")
    search.wait_for(r"trial 0 begins from epoch")
    assert search.end() == 0
    facts = shown()
    assert facts["trials"][0]["run"]["workers_lost"] == 1
    assert figures(facts) == search_undisturbed(longer.read_text(), trials=3, workers=1)


def test_no_worker_outlives_its_supervisor(tuner: Tuner, background: Start, longer: Path) -> None:
    search = background("search", "small.yaml", "--trials", "4", "--workers", "2")
    search.wait_for(r"trial \d epoch 2/8")
    workers = search.workers()
    assert len(workers) == 2
    workers[1].suspend()  # even one that is stopped
    os.kill(search.process.pid, signal.SIGKILL)
    gone, alive = psutil.wait_procs(workers, timeout=60)
    assert len(gone) == 2 and not alive
    tuner("search", "small.yaml", "--trials", "4", "--workers", "2")
    facts = shown()
    assert [t["state"] for t in facts["trials"]] == ["COMPLETE"] * 4


def test_best_exports_what_train_repeats_bit_for_bit_and_evaluate_confirms(tuner: Tuner, background: Start, longer: Path) -> None:
    tuner("search", "small.yaml", "--trials", "3", "--workers", "2")
    best = json.loads(tuner("best", "--export", "config.yaml", "--json").stdout)
    table = tuner("best")
    assert "Best of study small" in table.stdout and "format: 1" in table.stdout

    training = background("train", "config.yaml")
    training.wait_for(r"epoch 3/8")
    os.kill(training.process.pid, signal.SIGINT)
    assert training.end() == 130
    result = json.loads(tuner("train", "config.yaml", "--json").stdout)
    trial = [{k: v for k, v in e.items() if k != "seconds"} for e in best["epochs"]]
    assert [{k: v for k, v in e.items() if k != "seconds"} for e in result["epochs"]] == trial
    assert result["val_accuracy"] == best["value"]

    weights = torch.load(Path(result["weights"]), weights_only=True)["state_dict"]
    assert list(weights)[:2] == ["pre_layers.0.weight", "pre_layers.0.bias"]
    assert {"a3.b2.3.weight", "b5.b3.7.num_batches_tracked", "linear.bias"} <= weights.keys()
    evaluated = json.loads(tuner("evaluate", result["weights"], "--json").stdout)
    assert (evaluated["test_accuracy"], evaluated["test_loss"]) == (result["test_accuracy"], result["test_loss"])
    assert "already holds this configuration" in tuner("train", "config.yaml").stderr

    everything = json.loads(tuner("train", "config.yaml", "--all-data", "--out", "all", "--json").stdout)
    assert everything["val_accuracy"] is None and everything["test_accuracy"] > 0


def test_report_a_s_own_checkpoint_is_evaluated(tuner: Tuner, small_study: Path) -> None:
    """Its author saves what its code wraps; the names are its own."""
    tuner("search", "small.yaml", "--trials", "1", "--workers", "1")
    tuner("best", "--export", "c.yaml")
    result = json.loads(tuner("train", "c.yaml", "--json").stdout)
    weights = torch.load(Path(result["weights"]), weights_only=True)["state_dict"]
    torch.save({"net": {f"module.{name}": tensor for name, tensor in weights.items()}, "acc": 87.2, "epoch": 6}, "report.pth")
    found = json.loads(tuner("evaluate", "report.pth", "--config", "c.yaml", "--json").stdout)
    assert found["test_accuracy"] == result["test_accuracy"]
    unknown = tuner("evaluate", "report.pth", "--data", "digits", "--image-size", "8", code=2).stderr
    assert "nothing says which image size, normalisation and classes report.pth" in unknown and "--config FILE" in unknown
    Path("bad.pth").write_bytes(b"no weights")
    assert "holds no weights" in tuner("evaluate", "bad.pth", code=2).stderr
    torch.save({"fc.weight": torch.zeros(2, 2)}, "other.pth")
    assert "weights of none of our networks (mynet, googlenet)" in tuner("evaluate", "other.pth", code=2).stderr
    assert "tells 10 classes apart" in _two_classes(tuner, result["weights"])


def _two_classes(tuner: Tuner, weights: str) -> str:
    from PIL import Image

    for part in ("train", "test"):
        for name in ("a", "b"):
            folder = Path("two") / part / name
            folder.mkdir(parents=True)
            for index in range(2):
                Image.new("RGB", (8, 8), (index * 50, 0, 0)).save(folder / f"{index}.png")
    return tuner("evaluate", weights, "--data", "folder:two", code=2).stderr


def test_a_diverging_trial_is_pruned_with_its_reason_and_the_search_goes_on(tuner: Tuner, small_study: Path) -> None:
    edit(small_study, start=[{"lr": 1e9, "batch_size": 32, "epochs": 3}], space={"lr": {"low": 0.001, "high": 1e10, "log": True}})
    tuner("search", "small.yaml", "--trials", "2", "--workers", "1")
    first, second = shown()["trials"]
    assert first["state"] == "PRUNED" and first["run"]["reason"].startswith("diverged: ") and "epoch" in first["run"]["reason"]
    assert second["state"] in ("COMPLETE", "PRUNED")


def test_the_same_failure_three_times_in_a_row_ends_the_search_with_its_reason(tuner: Tuner, small_study: Path) -> None:
    Path("studies").mkdir()
    Path("studies/checkpoints").write_text("a file where a folder must be")
    done = tuner("search", "small.yaml", "--trials", "9", "--workers", "1", code=1)
    assert "3 trials in a row failed the same way: " in done.stderr and "Not a directory" in done.stderr
    assert "Traceback" not in done.stderr
    trials = shown()["trials"]
    assert [t["state"] for t in trials] == ["FAIL"] * 3
    assert tuner("best", code=3).stderr.startswith("Error: study 'small' has no COMPLETE trial yet")


def test_a_corrupt_checkpoint_is_trained_again_from_the_start_and_said_so(tuner: Tuner, background: Start, longer: Path) -> None:
    search = background("search", "small.yaml", "--trials", "1", "--workers", "1")
    search.wait_for(r"trial 0 epoch 4/8")
    os.kill(search.process.pid, signal.SIGINT)
    search.end()
    before = shown()["trials"][0]["epochs"]
    [weights] = Path("studies/checkpoints").glob("small-*/*.pt")
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 0xFF
    weights.write_bytes(content)
    done = tuner("search", "small.yaml", "--trials", "1", "--workers", "1")
    assert "trained again from the start" in done.stderr
    [trial] = shown()["trials"]
    assert "trained again from the start" in trial["run"]["notes"][0]
    strip = [{k: v for k, v in e.items() if k != "seconds"} for e in trial["epochs"]]
    assert strip[: len(before)] == [{k: v for k, v in e.items() if k != "seconds"} for e in before]


def test_the_best_keep_their_weights_and_the_others_their_curves(tuner: Tuner, small_study: Path) -> None:
    tuner("search", "small.yaml", "--trials", "4", "--workers", "2", "--keep", "2")
    trials = sorted(shown()["trials"], key=lambda t: (-t["value"], t["number"]))
    kept = {int(path.stem.split("-")[1]) for path in Path("studies/checkpoints").glob("small-*/*.json")}
    assert kept == {t["number"] for t in trials[:2]}
    assert all(t["epochs"] for t in trials)


def test_a_duplicate_takes_over_the_figures_and_an_exhausted_space_ends_the_search(tuner: Tuner, small_study: Path) -> None:
    edit(small_study, space={"lr": [0.01, 0.02], "epochs": 1}, sampler="random")
    done = tuner("search", "small.yaml", "--trials", "30", "--workers", "1")
    assert "every configuration of its space was tried" in done.stderr
    trials = shown()["trials"]
    assert len({t["params"]["lr"] for t in trials}) == 2 and len(trials) < 30
    for trial in trials:
        if "same_as" in trial["run"]:
            twin = trials[trial["run"]["same_as"]]
            assert trial["epochs"] == twin["epochs"] and trial["value"] == twin["value"]


def test_target_and_timeout_end_a_search_cleanly(tuner: Tuner, background: Start, small_study: Path, longer: Path) -> None:
    done = tuner("search", "small.yaml", "--trials", "9", "--workers", "1", "--target", "0.01")
    assert "reaches the target 0.01" in done.stderr
    assert shown()["trials"][0]["state"] == "COMPLETE"
    edit(longer, space={"lr": 0.01, "epochs": 100000})
    timed = tuner("search", "small.yaml", "--storage", "sqlite:///t.db", "--workers", "1", "--timeout", "8s")
    assert "the time given with --timeout is over" in timed.stderr
    [row] = shown("small", "--storage", "sqlite:///t.db")["trials"]
    assert row["state"] == "WAITING"


def test_stop_lets_running_trials_finish(tuner: Tuner, background: Start, longer: Path) -> None:
    search = background("search", "small.yaml", "--trials", "50", "--workers", "2")
    search.wait_for(r"trial 1 epoch 1/8")
    tuner("stop", "small")
    assert search.end() == 0
    facts = shown()
    assert {t["state"] for t in facts["trials"]} == {"COMPLETE"} and len(facts["trials"]) < 50
    assert "stopped by `tuner stop`" in "".join(search.lines)


def test_a_worker_joins_with_nothing_but_the_storage(tuner: Tuner, background: Start, longer: Path) -> None:
    search = background("search", "small.yaml", "--trials", "5", "--workers", "1")
    search.wait_for(r"trial 0 epoch 1/8")
    joined = tuner("worker", "small", "--workers", "1")
    assert search.end() == 0
    assert "trial" in joined.stderr
    assert [t["state"] for t in shown()["trials"]] == ["COMPLETE"] * 5


def test_a_trial_told_from_outside_is_dropped_and_the_next_one_taken(background: Start, longer: Path, tmp_path: Path) -> None:
    import optuna

    search = background("search", "small.yaml", "--trials", "2", "--workers", "1")
    search.wait_for(r"trial 0 epoch 2/8")
    rdb = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/studies/tuner.db")
    optuna.load_study(study_name="small", storage=rdb).tell(0, 0.123)
    rdb.engine.dispose()
    search.wait_for(r"trial 0 was ended by another tool")
    assert search.end() == 0
    facts = shown()
    assert facts["trials"][0]["value"] == 0.123 and facts["trials"][1]["state"] == "COMPLETE"


def test_a_study_deleted_in_mid_search_ends_the_search_with_a_line(tuner: Tuner, background: Start, longer: Path) -> None:
    search = background("search", "small.yaml", "--trials", "50", "--workers", "1")
    search.wait_for(r"trial 0 epoch 2/8")
    tuner("delete", "small", "--yes")
    assert search.end() == 1
    assert "Traceback" not in "".join(search.lines) and "the study was deleted meanwhile" in search.lines[-1]


def test_the_password_of_a_storage_shows_nowhere(tuner: Tuner, background: Start, longer: Path, postgres: str) -> None:
    import sqlalchemy as sa

    secret = "hunter2secret"
    given = {"password": secret, "sslpassword": secret, "passfile": f"/{secret}"}
    url = sa.make_url(postgres).update_query_dict(given).render_as_string(hide_password=False)
    assert url.count(secret) == 3
    env = {"TUNER_STORAGE": url, "PGPASSWORD": secret, "TUNER_PUBLISH": "1"}
    search = background("search", "small.yaml", "--trials", "2", "--workers", "2", env=env)
    search.wait_for(r"trial \d epoch 1/8")
    family = [psutil.Process(search.process.pid), *psutil.Process(search.process.pid).children(recursive=True)]
    assert len(family) >= 3
    for process in family:
        assert secret not in " ".join(process.cmdline())
    assert search.end() == 0
    said = "".join(search.lines)
    for args in (("show", "small"), ("show", "small", "--json"), ("best", "--export", "c.yaml"), ("studies",), ("best", "--json")):
        done = tuner(*args, env=env)
        said += done.stdout + done.stderr
    tuner("report", "small", "--out", "report.md", env=env)
    said += Path("c.yaml").read_text() + Path("report.md").read_text() + "".join(map(str, read_all(url)))
    assert secret not in said
    assert "password=***" in Path("report.md").read_text(), "the storage is named"
    broken = sa.make_url(url).set(port=1, host="127.0.0.1", query=given).render_as_string(hide_password=False)
    failed = tuner("studies", code=1, env={"TUNER_STORAGE": broken})
    assert "does not open" in failed.stderr and secret not in failed.stderr


def read_all(url: str) -> list[Any]:
    """Every row of every table of a database."""
    import sqlalchemy as sa

    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.NullPool)
    metadata = sa.MetaData()
    with engine.connect() as connection:
        metadata.reflect(connection)
        return [row for table in metadata.sorted_tables for row in connection.execute(sa.select(table))]


def test_the_terminal_view_is_drawn_on_a_terminal(tmp_path: Path, small_study: Path) -> None:
    """A pseudo-terminal of 80 columns: the view fits, and nothing of it is left behind."""
    import pty
    import sys

    main, side = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "tuner", "search", "small.yaml", "--trials", "2", "--workers", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=side, stderr=side, env=os.environ | {"TERM": "xterm-256color"})
    os.close(side)
    said = b""
    while True:
        try:
            chunk = os.read(main, 65536)
        except OSError:
            break
        if not chunk:
            break
        said += chunk
    os.close(main)
    assert process.wait() == 0
    text = said.decode(errors="replace")
    assert "worker" in text and "curve" in text and "of 2 trials" in text and "Best of study small" in text


def test_a_worker_that_waits_joins_every_search_until_it_is_told_to_end(tuner: Tuner, background: Start, longer: Path) -> None:
    edit(longer, space={**yaml.safe_load(longer.read_text())["space"], "epochs": 40}, pruner="none")
    waiting = background("worker", "--wait", "--workers", "1")
    waiting.wait_for("no study in .* yet.*: waiting for it")  # not even a database
    tuner("search", "small.yaml", "--trials", "1", "--workers", "1")
    waiting.wait_for("waiting for searches in")
    tuner("search", "small.yaml", "--trials", "4", "--workers", "1", "--no-progress")
    waiting.wait_for("joining study 'small'")
    waiting.wait_for("Study 'small' is finished: 4 of 4 trials")
    waiting.wait_for("waiting for searches in")
    os.kill(waiting.process.pid, signal.SIGTERM)
    assert waiting.end() == 130 and "no trial was being trained" in waiting.lines[-1]
    assert [t["state"] for t in shown()["trials"]] == ["COMPLETE"] * 4


def test_a_target_that_is_reached_already_trains_nothing(tuner: Tuner, small_study: Path) -> None:
    tuner("search", "small.yaml", "--trials", "1", "--workers", "1")
    done = tuner("search", "small.yaml", "--trials", "9", "--workers", "1", "--target", "0.01")
    assert "of trial 0 reaches the target 0.01" in done.stderr and "Best of study small" in done.stdout
    assert len(shown()["trials"]) == 1


def test_a_row_that_another_tool_runs_is_named_with_what_mends_it(tuner: Tuner, small_study: Path, tmp_path: Path) -> None:
    import optuna

    tuner("search", "small.yaml", "--trials", "1", "--workers", "1")
    rdb = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/studies/tuner.db")
    optuna.load_study(study_name="small", storage=rdb).ask()
    rdb.engine.dispose()
    done = tuner("search", "small.yaml", "--trials", "3", "--workers", "1", code=1)
    assert "only 2 of 3 trials are finished, 1 RUNNING without a worker of tuner: `tuner repair small`" in done.stderr
    tuner("repair", "small", "--yes")
    assert "finished: 3 of 3 trials" in tuner("search", "small.yaml", "--trials", "3", "--workers", "1").stderr


def test_a_search_whose_total_was_changed_by_another_says_so(tuner: Tuner, background: Start, longer: Path) -> None:
    search = background("search", "small.yaml", "--trials", "40", "--workers", "1")
    search.wait_for(r"trial 0 epoch 1/8")
    tuner("search", "small.yaml", "--trials", "12", "--workers", "1")
    assert search.end() == 0
    assert "is now 12, and no longer --trials 40: a later command set it" in "".join(search.lines)
