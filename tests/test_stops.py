"""Clean stops, and which deaths count against a trial."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Background
from tests.test_failures import longer, shown  # noqa: F401

Start = Callable[..., Background]


@pytest.fixture(autouse=True)
def _hears_hangups() -> Iterator[None]:
    """Tests that run under nohup would hand on that SIGHUP is ignored."""
    kept = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, kept)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_to_all_of_its_processes_is_a_clean_stop(
    background: Start,
    longer: Path,  # noqa: F811
    number: signal.Signals,
) -> None:
    search = background("search", "small.yaml", "--trials", "2", "--workers", "1")
    search.wait_for(r"trial 0 epoch 2/8")
    os.killpg(search.process.pid, number)
    assert search.end() == 130
    assert "the same command goes on" in search.lines[-1]
    assert not [line for line in search.lines if "worker died" in line]
    [trial] = shown()["trials"]
    assert trial["state"] == "WAITING" and len(trial["epochs"]) >= 2


def test_a_closed_pipe_on_stderr_is_a_clean_stop(background: Start, longer: Path) -> None:  # noqa: F811
    search = background("search", "small.yaml", "--trials", "2", "--workers", "1")
    search.wait_for(r"trial 0 epoch 2/8")
    workers = search.workers()
    assert search.process.stderr is not None
    search.process.stderr.close()
    assert search.process.wait() == 130
    assert not any(each.is_running() for each in workers)
    [trial] = shown()["trials"]
    assert trial["state"] == "WAITING" and len(trial["epochs"]) >= 2


def test_a_search_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    code = (
        "import os, signal; from tuner.signals import catch_signals, end_cleanly\n"
        "with end_cleanly(), catch_signals() as stop:\n"
        "    os.kill(os.getpid(), signal.SIGHUP); print(stop.is_set())\n"
        "    os.kill(os.getpid(), signal.SIGUSR1); print(stop.is_set())\n"
    )
    done = subprocess.run(["nohup", sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_before_the_command_sees_to_it_is_one_line(background: Start, number: signal.Signals) -> None:
    worker = background("worker", "--wait")
    worker.wait_for(r"waiting for it")
    worker.process.send_signal(number)
    assert worker.end() == 130 and "Traceback" not in "".join(worker.lines)
    code = "import os, click; from tuner.commands import main\n@main.command()\ndef end():\n    os.kill(os.getpid(), %d)\nmain()"
    done = subprocess.run([sys.executable, "-c", code % number, "end"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "interrupted: the same command starts again\n")


def test_a_trial_that_goes_on_after_every_death_is_trained_to_its_end(
    background: Start,
    longer: Path,  # noqa: F811
) -> None:
    search = background("search", "small.yaml", "--trials", "1", "--workers", "1")
    for epoch in range(1, 5):
        search.wait_for(rf"trial 0 epoch {epoch}/8")
        search.workers()[0].kill()
        search.wait_for(r"worker died \(SIGKILL.*trial 0 back in the queue")
    assert search.end() == 0
    [trial] = shown()["trials"]
    assert trial["state"] == "COMPLETE" and len(trial["epochs"]) == 8
    assert trial["run"]["workers_lost"] == 4
