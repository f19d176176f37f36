"""What goes wrong in a real search, and what is left of it: a reason on the trial, and the total all the same."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from tests.conftest import Background, Tuner
from tests.test_search import edit, figures, longer, shown  # noqa: F401 - a fixture
from tuner.study.storage import Storage
from tuner.study.tables import leases, trials
from tuner.study.worker_id import WorkerId

Start = Callable[..., Background]
# A supervisor for which the first death of a worker ends its trial.
DIES_THREE_TIMES = """
import os, signal, sys
from pathlib import Path
if "--multiprocessing-fork" in sys.orig_argv:
    from tuner.data.resident import Resident
    gather = Resident.gather
    def die(self, *rows):
        deaths = len(list(Path().glob("death-*")))
        if deaths < 3:
            Path(f"death-{deaths}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return gather(self, *rows)
    Resident.gather = die
"""
FIRST_DEATH = "from tuner.study import leases; leases.MOST_CRASHES = 1; from tuner.commands import main; main(prog_name='tuner')"


def holder(search: Background, folder: Path, number: int) -> psutil.Process:
    """The worker that trains the trial."""
    storage = Storage(f"sqlite:///{folder}/studies/tuner.db")
    query = sa.select(leases.c.owner).join(trials, trials.c.trial_id == leases.c.trial_id).where(trials.c.number == number)
    with storage.engine.connect() as connection:
        pid = WorkerId.parse(connection.execute(query).scalar_one()).pid
    storage.close()
    return next(worker for worker in search.workers() if worker.pid == pid)


def test_a_worker_that_wakes_after_its_lease_ran_out_changes_nothing(
    tuner: Tuner,
    background: Start,
    longer: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    edit(longer, sampler="random")  # what is drawn does not depend on which trial ended first
    command = ("search", "small.yaml", "--trials", "4", "--workers", "2")
    search = background(*command, env={"TUNER_LEASE_SECONDS": "1"})
    search.wait_for(r"trial 0 epoch 3/8")
    sleeper = holder(search, tmp_path, 0)
    sleeper.suspend()
    search.wait_for(r"trial 0 begins from epoch")
    search.wait_for(r"trial 0 complete")
    sleeper.resume()
    search.wait_for(r"trial 0 was taken over by another worker")
    assert search.end() == 0
    facts = shown()
    assert sum("trial 0 complete" in line for line in search.lines) == 1
    assert facts["trials"][0]["run"]["workers_lost"] == 1
    kept = json.loads(next(Path("studies/checkpoints").glob("small-*/trial-00000.json")).read_text())
    assert kept["epoch"] == 8
    tuner(*command, "--storage", f"sqlite:///{tmp_path}/through.db")
    assert figures(shown("small", "--storage", f"sqlite:///{tmp_path}/through.db")) == figures(facts)


def test_the_third_death_in_one_trial_without_a_further_epoch_is_a_fail_and_its_slot_is_free_again(
    tuner: Tuner, small_study: Path, tmp_path: Path
) -> None:
    (tmp_path / "dies").mkdir()
    (tmp_path / "dies/sitecustomize.py").write_text(DIES_THREE_TIMES)
    env = {"PYTHONPATH": str(tmp_path / "dies"), "TUNER_SELF_CHECK": "0"}  # it shall die in the trial
    done = tuner("search", "small.yaml", "--trials", "1", "--workers", "1", env=env)
    assert len(re.findall(r"worker died \(SIGKILL.*trial 0 back in the queue", done.stderr)) == 2
    assert re.search(r"worker died \(SIGKILL.*trial 0 its worker died 3 times while training it", done.stderr)
    first, other = shown()["trials"]
    assert first["state"] == "FAIL" and first["run"]["reason"] == "its worker died 3 times while training it"
    assert first["epochs"] == [] and first["run"]["workers_lost"] == 3
    assert other["state"] == "COMPLETE"


def test_a_search_in_which_every_trial_kills_its_worker_ends_with_that_reason(
    background: Start,
    longer: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = subprocess.Popen

    def popen(command: list[str], **options: object) -> subprocess.Popen[str]:
        return real([*command[:2], "-c", FIRST_DEATH, *command[4:]], **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(subprocess, "Popen", popen)
    search = background("search", "small.yaml", "--trials", "9", "--workers", "1")
    for number in range(3):
        search.wait_for(rf"trial {number} epoch 1/8")
        search.workers()[0].kill()
    assert search.end() == 1
    assert "3 trials in a row failed the same way: its worker died" in search.lines[-1]


def test_workers_that_die_again_and_again_end_the_search_with_the_reason(tuner: Tuner, small_study: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/sitecustomize.py").write_text(
        "import os, signal, sys\nif '--multiprocessing-fork' in sys.orig_argv:\n    os.kill(os.getpid(), signal.SIGBUS)\n"
    )
    done = tuner("search", "small.yaml", "--trials", "3", "--workers", "2", code=1, env={"PYTHONPATH": str(tmp_path / "broken")})
    assert "Error: workers die again and again without finishing an epoch (SIGBUS)" in done.stderr
    assert "Traceback" not in done.stderr
    assert tuner("search", "small.yaml", "--trials", "3", "--workers", "2").returncode == 0


def test_out_of_memory_is_pruned_with_its_reason_and_the_search_goes_on(
    tmp_path: Path,
    small_study: Path,
) -> None:
    huge = {"lr": 0.01, "batch_size": 32, "epochs": 1, "widths": {"b5.n3x3*": 20000.0}}
    edit(small_study, start=[huge])

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (64 * 2**30, 64 * 2**30))

    command = [sys.executable, "-m", "tuner", "search", "small.yaml", "--trials", "2", "--workers", "1"]
    done = subprocess.run(command, cwd=tmp_path, preexec_fn=limit, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    first, second = shown()["trials"]
    assert first["state"] == "PRUNED" and first["run"]["reason"].startswith("out of memory: ") and first["epochs"] == []
    assert second["state"] == "COMPLETE"
    assert "Traceback" not in done.stderr


def test_a_batch_that_does_not_fit_is_trained_in_micro_batches_by_a_new_process(tmp_path: Path, small_study: Path, tuner: Tuner) -> None:
    """A real limit: workers may take 1.6 GB more than they have before their first step. The batch needs 2, a quarter of it 0.6."""
    edit(small_study, width=0.125, image_size=32, train_images=800, space={"lr": [0.01, 0.02], "batch_size": 512, "epochs": 1})
    (tmp_path / "limited").mkdir()
    (tmp_path / "limited/sitecustomize.py").write_text(
        """
import sys
if "--multiprocessing-fork" in sys.orig_argv:
    import resource
    from tuner.training.run import Run
    whole = Run.__init__
    def limited(self, *args, **options):
        whole(self, *args, **options)
        pages = int(open("/proc/self/statm").read().split()[0])
        limit = pages * resource.getpagesize() + 1_600 * 10**6
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    Run.__init__ = limited
"""
    )
    done = tuner("search", "small.yaml", "--trials", "1", "--workers", "1", env={"PYTHONPATH": str(tmp_path / "limited")})
    [trial] = shown()["trials"]
    # Where no memory is left the C library may end a process itself, which it says; no worker is lost to anything else.
    aborted = done.stderr.count("cannot allocate memory for thread-local data: ABORT")
    assert trial["state"] == "COMPLETE" and trial["run"]["workers_lost"] == aborted, done.stderr
    assert "out of memory: back in the queue, for a new process and 2 micro-batches" in done.stderr
    assert "too little memory for whole batches" in trial["run"]["notes"][0]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full_of_checkpoints_fails_the_trials_with_that_reason(
    tuner: Tuner,
    background: Start,
    longer: Path,  # noqa: F811
    small_disk: Path,
) -> None:
    command = ("search", "small.yaml", "--trials", "3", "--workers", "1", "--checkpoints", str(small_disk))
    search = background(*command)
    search.wait_for(r"trial 0 epoch 2/8")
    free = os.statvfs(small_disk)
    (small_disk / "other").write_bytes(bytes(free.f_bavail * free.f_bsize))
    search.wait_for(r"trial 0 fail: OSError: .*No space left on device")
    assert search.end() == 1
    assert "3 trials in a row failed the same way: OSError: " in search.lines[-1] and "Traceback" not in "".join(search.lines)
    failed = shown()["trials"]
    assert [t["state"] for t in failed] == ["FAIL"] * 3
    assert "checkpoint.py" in failed[0]["run"]["traceback"] and len(failed[0]["epochs"]) >= 2
    (small_disk / "other").unlink()
    tuner(*command)
    assert [t["state"] for t in shown()["trials"]].count("COMPLETE") == 3


def test_a_disk_too_full_for_the_database_is_waited_for(tuner: Tuner, background: Start, longer: Path, small_disk: Path) -> None:  # noqa: F811
    env = {"TUNER_STORAGE": f"sqlite:///{small_disk}/study.db"}
    checkpoints = str(longer.parent / "elsewhere")
    edit(
        longer, space={"lr": {"low": 0.001, "high": 0.1, "log": True}, "epochs": 200, "batch_size": 64}
    )  # more than SQLite's log has room for
    search = background("search", "small.yaml", "--trials", "1", "--workers", "1", "--checkpoints", checkpoints, env=env)
    search.wait_for(r"trial 0 epoch 2/200")
    free = os.statvfs(small_disk)
    other = small_disk / "other"
    other.write_bytes(bytes(free.f_bavail * free.f_bsize))
    search.wait_for(r"database away \(.*full\): waiting for it")
    other.unlink()
    search.wait_for(r"database back")
    assert search.end() == 0
    found = json.loads(tuner("show", "small", "--json", env=env).stdout)  # by a process of its own, which leaves no file open on the disk
    assert [t["state"] for t in found["trials"]] == ["COMPLETE"]


def test_eight_searches_at_once_on_an_empty_database_reach_the_exact_total(background: Start, small_study: Path, url: str) -> None:
    edit(small_study, space={"lr": {"low": 0.001, "high": 0.1, "log": True}, "epochs": 1, "batch_size": 64})
    env = {"TUNER_STORAGE": url}
    searches = [background("search", "small.yaml", "--trials", "12", "--workers", "1", env=env) for _ in range(8)]
    assert [search.end() for search in searches] == [0] * 8
    found = shown("small", "--storage", url)["trials"]
    assert [t["number"] for t in found] == list(range(12))
    assert [t["state"] for t in found] == ["COMPLETE"] * 12
    said = "".join(line for search in searches for line in search.lines)
    assert all(said.count(f"trial {number} complete") == 1 for number in range(12))
    assert all(search.process.returncode != -signal.SIGKILL for search in searches)
