"""The GPU path on a null CUDA device: all of it but the arithmetic."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Background
from tests.nullcuda import NullDevice
from tests.test_cluster import Cluster, cluster  # noqa: F401 - a fixture
from tests.test_made_by_0_1_0 import MADE
from tests.test_search import edit

Gpu = Callable[..., subprocess.CompletedProcess[str]]
Behind = Callable[..., Background]
PRECISIONS = pytest.mark.parametrize("precision", ["fp32", "bf16"])
CAPTURED = pytest.mark.parametrize("capture", [False, True], ids=["eager", "captured"])
BYTES = 2**30


@pytest.fixture
def gpu(null_device: NullDevice, tmp_path: Path) -> Gpu:
    """Runs `tuner ARGS` on the null device, as a process of its own."""

    def run(*args: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "ignore", "-m", "tuner", *args]
        done = subprocess.run(command, cwd=tmp_path, env=null_device.env(**env), capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture
def behind(null_device: NullDevice, background: Callable[..., Background]) -> Behind:
    """Starts `tuner ARGS` on the null device and leaves it running."""
    return lambda *args, **env: background(*args, env=null_device.env(**env))


@pytest.fixture
def study(small_study: Path) -> str:
    edit(small_study, width=0.125, space={"lr": [0.01, 0.02, 0.03], "batch_size": 32, "epochs": 2, "augment": "flip-crop"})
    return "small.yaml"


@pytest.fixture
def preloaded(null_device: NullDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process that is started from here on has the null device."""
    monkeypatch.setenv("TUNER_SELF_CHECK", "0")
    monkeypatch.setenv("LD_PRELOAD", str(null_device.library))


def show(gpu: Gpu, name: str = "small") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(gpu("show", name, "--json").stdout)["trials"]
    return found


# -- every command that touches a device


@pytest.mark.parametrize(
    "how",
    [["--no-capture"], ["--capture"], ["--no-capture", "--precision", "bf16"], ["--capture", "--precision", "bf16"]],
    ids=lambda how: " ".join(how),
)
def test_a_search_runs_on_a_gpu(gpu: Gpu, study: str, how: list[str]) -> None:
    done = gpu("search", study, "--gpu", "0", "--trials", "2", *how)
    assert "Study 'small' is finished: 2 of 2 trials." in done.stderr and "fail" not in done.stderr
    for trial in show(gpu):
        assert (trial["run"]["device"], trial["run"].get("captured", False)) == ("Null CUDA device", "--capture" in how)
        assert trial["run"]["peak_memory_mb"] > 0
        assert {"cuda", "cudnn"} <= trial["run"]["versions"].keys() and trial["run"]["fp32_convolutions"] == "tf32"


def test_two_gpus_have_a_worker_each_and_each_worker_its_own(gpu: Gpu, study: str) -> None:
    done = gpu("search", study, "--gpu", "0,1", "--trials", "3", "--no-capture", NULLCUDA_DEVICES="2")
    assert "3 of 3 trials" in done.stderr
    refused = gpu("search", study, "--gpu", "0,2", "--trials", "4", code=2, NULLCUDA_DEVICES="2")
    assert "GPU 2 is not there (GPUs here: 0 to 1)" in refused.stderr


def test_two_workers_share_a_gpu(gpu: Gpu, study: str) -> None:
    assert "3 of 3 trials" in gpu("search", study, "--gpu", "0", "--workers", "2", "--trials", "3").stderr


def test_a_search_that_is_stopped_goes_on_from_its_checkpoint(gpu: Gpu, behind: Behind, study: str, small_study: Path) -> None:
    edit(small_study, space={"lr": [0.01, 0.02, 0.03], "batch_size": 32, "epochs": 40})
    search = behind("search", study, "--gpu", "0", "--trials", "1", "--capture")
    search.wait_for(r"trial 0 epoch 2/40")
    os.kill(search.process.pid, signal.SIGINT)
    assert search.end() == 130
    done = gpu("search", study, "--gpu", "0", "--trials", "1", "--capture")
    assert re.search(r"trial 0 begins from epoch \d+", done.stderr)
    [trial] = show(gpu)
    assert trial["state"] == "COMPLETE" and len(trial["epochs"]) == 40 and "notes" not in trial["run"]


def test_a_killed_worker_s_trial_goes_on(gpu: Gpu, behind: Behind, study: str, small_study: Path) -> None:
    edit(small_study, space={"lr": [0.01, 0.02, 0.03], "batch_size": 32, "epochs": 40})
    search = behind("search", study, "--gpu", "0", "--trials", "1")
    search.wait_for(r"trial 0 epoch 2/40")
    search.workers()[0].kill()
    search.wait_for(r"worker died \(SIGKILL.*trial 0 back in the queue")
    assert search.end() == 0
    assert show(gpu)[0]["run"]["workers_lost"] == 1


def test_train_evaluate_compare_and_report_take_the_gpu(gpu: Gpu, study: str, tmp_path: Path) -> None:
    gpu("search", study, "--gpu", "0", "--trials", "1")
    gpu("best", "small", "--export", "config.yaml")
    trained = json.loads(gpu("train", "config.yaml", "--gpu", "0", "--json").stdout)
    assert len(trained["epochs"]) == 2
    evaluated = json.loads(gpu("evaluate", trained["weights"], "--device", "cuda:0", "--json").stdout)
    assert evaluated["parameters"] == trained["parameters"]
    gpu("report", "small", "--out", "report.md")
    assert (tmp_path / "report-pictures" / "confusion-matrix.png").exists()


def test_networks_are_compared_on_a_gpu(gpu: Gpu, study: str, tmp_path: Path) -> None:
    gpu("search", study, "--gpu", "0", "--trials", "1")
    for name, seed in (("a", 1), ("b", 2)):
        gpu("best", "small", "--export", f"{name}.yaml")
        text = (tmp_path / f"{name}.yaml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.yaml").write_text(re.sub(r"(?m)^seed: \d+", f"seed: {seed}", text), encoding="utf-8")
        gpu("train", f"{name}.yaml", "--gpu", "0")
    models = "trained/a/weights.pt,trained/b/weights.pt"
    # Without assertions: one of them sees that two counts of what was never computed differ.
    done = gpu("compare", "--data", "digits", "--models", models, "--device", "cuda:0", "--json", PYTHONOPTIMIZE="1")
    found = json.loads(done.stdout)
    assert [row["device"] for row in found] == ["cuda:0"] * 2 and all(row["peak_memory_mb"] > 0 for row in found)


def test_the_script_that_measures_a_gpu_runs(null_device: NullDevice, tmp_path: Path) -> None:
    """But for its checks: there are no values to check here."""
    script = ROOT / "benchmarks" / "gpu.sh"
    command = [str(script), "--quick", "--device", "cuda:0", "--out", str(tmp_path), "--only", "speed,workers,journal,search"]
    env = null_device.env(PYTHON=sys.executable, PYTHONWARNINGS="ignore")
    done = subprocess.run(["bash", *command], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    assert "Null CUDA device, cuda" in done.stdout
    sides = json.loads((tmp_path / "speed.json").read_text())["speed"]["comparisons"][0]["sides"]
    assert list(sides) == ["naive", "ours fp32", "ours fp32, captured", "ours bf16", "ours bf16, captured"]


@pytest.mark.cluster
@pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'optuna-tuner[ray]'")
@pytest.mark.parametrize("cluster", [({"num_cpus": 2, "num_gpus": 1}, [])], indirect=True)
def test_two_workers_of_a_cluster_share_a_gpu(preloaded: None, cluster: Cluster, gpu: Gpu, study: str) -> None:  # noqa: F811
    engine = ("--engine", "ray", "--address", cluster.address, "--gpus-per-worker", "0.5")
    done = gpu("search", study, "--trials", "3", *engine)
    assert "Study 'small' is finished: 3 of 3 trials." in done.stderr
    assert {trial["run"]["device"] for trial in show(gpu)} == {"Null CUDA device"}


def test_a_dry_run_times_steps_on_the_gpu(gpu: Gpu, study: str) -> None:
    for how in ([], ["--precision", "bf16", "--capture"]):
        assert "Real steps on cuda:0" in gpu("search", study, "--gpu", "0", "--dry-run", *how).stdout


def test_a_dry_run_says_what_does_not_fit(gpu: Gpu, study: str, small_study: Path) -> None:
    edit(small_study, width=0.125, image_size=32, train_images=800, space={"lr": [0.01, 0.02], "batch_size": [16, 512], "epochs": 2})
    for megabytes, said in ((900, "512 in 4 micro-batches"), (1300, "512 in 2 micro-batches")):
        assert said in gpu("search", study, "--gpu", "0", "--dry-run", NULLCUDA_MEMORY=str(megabytes * 2**20)).stdout
    done = gpu("search", study, "--gpu", "0", "--dry-run", code=1, NULLCUDA_MEMORY=str(300 * 2**20))
    assert "does not fit" in done.stdout
    assert "does not fit into the memory of cuda:0, even in 4 micro-batches: such trials are pruned; narrow the space" in done.stderr


def test_precisions_are_measured_on_the_gpu(gpu: Gpu, study: str) -> None:
    """And found different: there are no values to compare here."""
    done = gpu("search", study, "--gpu", "0", "--dry-run", "--trials", "10000")
    assert "measuring fp32 against bf16" in done.stderr and "precision fp32: bf16 was not as good" in done.stdout


def test_a_worker_joins_with_a_gpu(gpu: Gpu, behind: Behind, study: str, small_study: Path) -> None:
    edit(small_study, space={"lr": [0.01, 0.02, 0.03], "batch_size": 32, "epochs": 40})
    search = behind("search", study, "--gpu", "0", "--trials", "3", "--precision", "bf16")
    search.wait_for(r"trial 0 epoch 1/40")
    gpu("worker", "small", "--gpu", "0")
    assert search.end() == 0
    assert [trial["state"] for trial in show(gpu)] == ["COMPLETE"] * 3


# -- faults


def test_a_device_that_trains_wrongly_gets_no_trial(gpu: Gpu, study: str) -> None:
    done = gpu("search", study, "--gpu", "0", "--trials", "2", code=1, TUNER_SELF_CHECK="1")
    assert "mynet on cuda:0 is trained wrongly: gradients differ from the plain network's by" in done.stderr
    assert "Traceback" not in done.stderr and show(gpu) == []


def test_out_of_memory_prunes_the_trial_and_the_search_goes_on(gpu: Gpu, study: str, small_study: Path) -> None:
    start = [{"lr": 0.01, "widths": {"b5.n3x3*": 200.0}}]
    edit(small_study, start=start)
    done = gpu("search", study, "--gpu", "0", "--trials", "2", NULLCUDA_MEMORY=str(BYTES))
    first, second = show(gpu)
    assert (first["state"], first["run"]["outcome"]) == ("PRUNED", "out_of_memory"), first["run"]
    assert second["state"] == "COMPLETE" and "Traceback" not in done.stderr


def test_a_batch_that_does_not_fit_on_the_gpu_is_trained_in_micro_batches(gpu: Gpu, study: str, small_study: Path) -> None:
    """The batch takes 2.1 GiB, a quarter of it 0.6."""
    edit(small_study, width=0.125, image_size=32, train_images=800, space={"lr": [0.01, 0.02], "batch_size": 512, "epochs": 2})
    done = gpu("search", study, "--gpu", "0", "--trials", "1", NULLCUDA_MEMORY=str(900 * 2**20))
    [trial] = show(gpu)
    assert trial["state"] == "COMPLETE" and trial["run"]["outcome"] == "trained"
    assert trial["run"]["peak_memory_mb"] < 900 * 1.05 and any(
        note.startswith("too little memory for whole batches") for note in trial["run"]["notes"]
    )
    assert "trained in 4 micro-batches of up to 128 images" in done.stderr


def test_a_gpu_error_that_breaks_the_process_ends_the_worker_and_the_trial_goes_on(
    gpu: Gpu, behind: Behind, study: str, small_study: Path, tmp_path: Path
) -> None:
    edit(small_study, space={"lr": [0.01, 0.02, 0.03], "batch_size": 32, "epochs": 40})
    poison = tmp_path / "poison"
    poison.write_text("13000")  # launches: some epochs, and far fewer than the trial has
    search = behind("search", study, "--gpu", "0", "--trials", "2", NULLCUDA_POISON=str(poison))
    search.wait_for(r"trial 0 epoch 2/40")
    search.wait_for(r"GPU error: (CUDA error: an illegal memory access|cuDNN error)")
    search.wait_for(r"worker died \(its GPU failed\), trial 0 back in the queue")
    assert search.end() == 0
    first, second = show(gpu)
    assert [first["state"], second["state"]] == ["COMPLETE"] * 2
    assert (first["run"]["workers_lost"], second["run"]["workers_lost"]) == (1, 0)


@pytest.mark.parametrize(
    "said",
    [
        "CUDA out of memory. Tried to allocate 2 GiB",
        "GET was unable to find an engine to execute this computation",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "could not create a primitive",
        "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes",
    ],
)
def test_every_way_of_saying_out_of_memory_is_known(said: str) -> None:
    from tuner.training.memory import is_out_of_memory

    assert is_out_of_memory(RuntimeError(said)) and not is_out_of_memory(ValueError(said))


def test_why_there_is_no_gpu_is_said(tmp_path: Path, small_study: Path) -> None:
    """Of a PyTorch with CUDA, on this machine without it."""
    command = [sys.executable, "-m", "tuner", "search", "small.yaml", "--gpu", "0", "--trials", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}, check=False)
    assert done.returncode == 2 and "GPU 0 is not there (" in done.stderr and "use --device cpu" in done.stderr


@pytest.mark.parametrize(
    "change,said",
    [
        ("torch.version.cuda = None", "is a build for CPUs only"),
        ("fail('The NVIDIA driver on your system is too old (found version 11040). Please update')", "its driver is too old for CUDA"),
        ("fail('Found no NVIDIA driver on your system. Please check')", "no GPU is here"),
        (
            "fail('CUDA unknown error - this may be due to an incorrectly set up environment. Setting')",
            "no GPU is here that works: CUDA unknown",
        ),
    ],
)
def test_a_cpu_build_and_an_old_driver_are_told_from_no_gpu(change: str, said: str) -> None:
    code = f"""
import torch
def fail(text):
    def init():
        raise RuntimeError(text)
    torch.cuda.init = init
torch.cuda.is_available = lambda: False
{change}
from tuner.placement import parse_gpus
try:
    parse_gpus("0")
except Exception as error:
    print(error.message)
"""
    assert said in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("flags,units", [("fpu avx512f avx512_bf16 sse", True), ("fpu amx_bf16", True), ("fpu avx512f avx512bw", False)])
def test_bf16_is_for_a_cpu_that_has_units_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, units: bool) -> None:
    from tuner import placement
    from tuner.errors import UsageError

    facts = tmp_path / "cpuinfo"
    facts.write_text(f"processor : 0\nflags : {flags}\n")
    assert placement.has_bf16_units(facts) is units and not placement.has_bf16_units(tmp_path / "none")
    monkeypatch.setattr(placement, "has_bf16_units", lambda: units)
    options: dict[str, Any] = {"device": "cpu", "gpu": None, "workers": 1, "at_most": 1, "precision": "bf16"}
    if units:
        assert [each.precision for each in placement.choose_placements(**options)] == ["bf16"]
    else:
        with pytest.raises(UsageError, match="this CPU has no units for it"):
            placement.choose_placements(**options)


def test_a_configuration_in_bf16_is_trained_in_fp32_where_it_is_slow_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from tuner.retrain import retrain
    from tuner.training import evaluation

    text = (MADE / "config.yaml").read_text(encoding="utf-8")
    (tmp_path / "config.yaml").write_text(text.replace("precision: fp32", "precision: bf16"), encoding="utf-8")
    monkeypatch.setattr(evaluation, "has_bf16_units", lambda: False)
    figures = retrain(tmp_path / "config.yaml", tmp_path / "out")
    assert "bf16 is not for device cpu: trained in fp32" in capfd.readouterr().err
    assert figures["stamp"] == json.loads((MADE / "result.json").read_text(encoding="utf-8"))["stamp"], "the fp32 training, once"


# -- what a run does on a device


@PRECISIONS
def test_an_epoch_waits_for_the_device_at_its_end_only(null_device: NullDevice, precision: str) -> None:
    found = null_device.python(f"""
        run = make_run(precision="{precision}")
        epochs = run.epochs()
        next(epochs)
        counters.reset()
        next(epochs)
        waits = counters.get("syncs")
        step = run.step
        def stepped(*batch):
            counters.forbid_waits(False)
            step(*batch)
            counters.forbid_waits(True)
        run.step, means = stepped, run.sums.means
        run.sums.means = lambda images: (counters.forbid_waits(False), means(images))[1]
        next(epochs)
        tell(waits)""")
    assert found == 2, "the training's sums, and the validation's"


@PRECISIONS
def test_a_capture_holds_the_whole_step(null_device: NullDevice, precision: str) -> None:
    eager, captured, escaped, left = null_device.python(f"""
        eager, replayed = make_run(precision="{precision}"), make_run(precision="{precision}", capture=True)
        batch = eager.train.batch(torch.arange(16, device="cuda:0"), torch.Generator().manual_seed(0))
        for run in (eager, replayed):
            run.network.train()
        for _ in range(2):
            eager.step(*batch)
        counters.reset()
        eager.step(*batch)
        launches = counters.get("launches")
        counters.reset()
        replayed.step(*batch)
        captured, escaped = counters.get("captured"), counters.get("escaped")
        counters.reset()
        replayed.step(*batch)
        tell([launches, captured, escaped, counters.get("launches")])""")
    assert (captured, escaped, left) == (eager, 0, 3), "two copies and the graph are all that is left to launch"


@pytest.mark.parametrize("precision,most", [("fp32", 368), ("bf16", 532)])
def test_a_step_launches_no_more_than_it_has_to(null_device: NullDevice, precision: str, most: int) -> None:
    """MyNet at full width, batch 8. The host's time of a small step goes with the launches."""
    found = null_device.python(f"""
        run = make_run(precision="{precision}", width=1.0, batch_size=8, images=24, augment="none")
        run.network.train()
        batch = run.train.gather(torch.arange(8, device="cuda:0"), None)
        run.step(*batch)
        counters.reset()
        run.step(*batch)
        joined = sum(ran for name, (ran, _) in counters.list_all().items() if "CatArrayBatchedCopy_aligned" in name)
        tell([counters.get("launches"), joined])""")
    launches, joined = found
    assert launches <= most and joined == 9, "the branches of all nine blocks are joined by the fast kernel"


def test_the_command_that_counts_launches_runs(null_device: NullDevice, tmp_path: Path) -> None:
    del null_device  # it builds its own
    command = [sys.executable, "-m", "benchmarks.launches", "--quick", "--json", str(tmp_path / "found.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "found.json").read_text())["rows"]
    assert [row["precision"] for row in rows] == ["fp32", "bf16"] and all(row["launches"] > 100 for row in rows)


def test_a_second_gpu_is_used_alone(null_device: NullDevice) -> None:
    found = null_device.python(
        """
        for capture in (False, True):
            run = make_run(device="cuda:1", capture=capture)
            list(run.epochs())
            run.load_state(run.state())
        tell([counters.get("launches on 0"), counters.get("mallocs on 0"), counters.get("launches on 1")])""",
        NULLCUDA_DEVICES="2",
    )
    assert found[:2] == [0, 0] and found[2] > 0


@CAPTURED
def test_a_finished_run_leaves_no_memory_on_the_device(null_device: NullDevice, capture: bool) -> None:
    """Without the help of Python's collector of circles, which comes when it likes."""
    first, later, reserved = null_device.python(f"""
        from tuner.training.memory import give_back
        gc.disable()
        def trial():
            list(make_run(capture={capture}, augment="none").epochs())
            give_back("cuda:0")
            return torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
        trial()
        first = trial()
        later = [trial() for _ in range(4)][-1]
        tell([first[0], later[0], later[1] - first[1]])""")
    assert later == first and reserved == 0


def test_all_captures_of_a_process_share_one_side_stream(null_device: NullDevice) -> None:
    """For each stream that it sees cuBLAS keeps memory for ever."""
    found = null_device.python("""
        for _ in range(3):
            list(make_run(capture=True, augment="none").epochs())
        tell(counters.get("streams"))""")
    assert found == 1


def test_evaluation_takes_no_more_memory_than_training(null_device: NullDevice) -> None:
    train, evaluate = null_device.python("""
        from tuner.training.memory import reset_peak
        run = make_run(batch_size=8, width=0.25, images=16)
        run.train = make_part(16, size=128)
        large = make_part(500, size=128)
        reset_peak("cuda:0")
        run.val = None
        next(run.epochs())
        trained = torch.cuda.max_memory_allocated()
        reset_peak("cuda:0")
        run.evaluate(large)
        tell([trained, torch.cuda.max_memory_allocated()])""")
    assert evaluate < 2 * train


def test_work_on_a_gpu_is_set_to_repeat_itself(null_device: NullDevice) -> None:
    found = null_device.python("""
        list(make_run(augment="none").epochs())
        finds = [name for name in counters.list_all() if name.startswith("cudnnFind")]
        tell([torch.backends.cudnn.benchmark, torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.conv.fp32_precision,
              torch.backends.cuda.matmul.fp32_precision, os.environ["CUBLAS_WORKSPACE_CONFIG"], finds])""")
    assert found == [False, True, "tf32", "ieee", ":4096:8", []], "no algorithm is chosen by its time"


@PRECISIONS
def test_logits_are_fp32(null_device: NullDevice, precision: str) -> None:
    found = null_device.python(f"""
        from tuner.training.evaluation import cast_to
        run = make_run(precision="{precision}")
        images = run.train.batch(torch.arange(4, device="cuda:0"), torch.Generator())[0]
        evaluator = run.network.evaluator()
        evaluator.refresh()
        with cast_to(torch.device("cuda:0"), "{precision}"):
            tell([str(run.network(images).dtype), str(evaluator(images).dtype)])""")
    assert found == ["torch.float32"] * 2
