"""What a disturbed search left in its storage, counted against what its logs said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tuner.study.storage import Storage
from tuner.study.tables import leases, trials

from .chaos_driver import Driver
from .chaos_journal import Journal


def counted(driver: Driver) -> dict[str, Any]:
    """Run the driver's plan. What was asked, done, survived; `figures` are the trials without their times."""
    plan = driver.plan
    began = time.monotonic()
    driver.run()
    wall = time.monotonic() - began
    shown = [sys.executable, "-m", "tuner", "show", "chaos", "--json"]
    answer = subprocess.run(shown, cwd=plan.folder, env=os.environ | plan.env, capture_output=True, text=True, check=False)
    assert not answer.returncode, answer.stderr
    rows = {row["number"]: row for row in json.loads(answer.stdout)["trials"]}
    storage = Storage(plan.database.url)
    with storage.engine.connect() as connection:
        deaths = connection.execute(sa.select(sa.func.sum(leases.c.deaths))).scalar_one()
        numbers = list(connection.execute(sa.select(trials.c.number)).scalars())
    storage.close()
    journal = driver.journal
    of_state: Callable[..., list[dict[str, Any]]] = lambda *states: [row for row in rows.values() if row["state"] in states]  # noqa: E731
    failed = [f"trial {row['number']}: {row['run'].get('reason')}" for row in of_state("FAIL")]
    finished = len(of_state("COMPLETE", "PRUNED"))
    twice = [n for n, times in Counter(numbers).items() if times > 1] + [n for n, times in journal.completions.items() if times > 1]
    return {
        "asked": plan.trials,
        "finished": finished,
        "failed": failed,
        "unexplained_failures": [text for text in failed if "its worker died 3 times" not in text],
        "claims": len(rows) + journal.resumed,  # seen by their first step
        "resumed": journal.resumed,
        "deaths": deaths,
        "paused": journal.paused,
        "taken_over_from_the_living": journal.taken_over,
        "false_deaths": max(0, journal.taken_over - driver.done["SIGSTOP"]),  # only who was stopped past his lease may lose a trial alive
        "lost": len(lost(journal, rows)),
        "counted_twice": len(twice),
        "checkpoints_damaged": len(damaged(plan.folder, rows)),
        "surplus": max(0, finished - plan.trials),
        "stale_left": len(of_state("RUNNING", "WAITING")),
        "differing": len(journal.differing),
        "events": dict(sorted(driver.done.items())),
        "events_left": len(driver.left),
        "gave_up": driver.gave_up,
        "training_seconds": round(journal.seconds, 1),
        "repeated_seconds": round(journal.repeated, 1),
        "repeated_share": round(journal.repeated / max(journal.seconds, 1e-9), 4),
        "wall_seconds": round(wall, 1),
        "figures": figures(rows),
    }


def lost(journal: Journal, rows: dict[int, dict[str, Any]]) -> list[str]:
    """Rows that were begun and epochs that were reported, and are not there any more as they were."""
    gone = [f"trial {number}" for number in journal.begun if number not in rows]
    for (number, epoch), figures in journal.epochs.items():
        curve = {e["epoch"]: e for e in rows.get(number, {}).get("epochs", [])}
        names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
        if epoch not in curve or tuple(f"{curve[epoch][name]:.4f}" for name in names) != figures:
            gone.append(f"trial {number} epoch {epoch}")
    return gone


def damaged(folder: Path, rows: dict[int, dict[str, Any]]) -> list[str]:
    """Kept checkpoints that are not those of their trial's last epoch, or whose weights are not as they were written."""
    found = []
    for path in folder.rglob("trial-*.json"):
        kept = json.loads(path.read_text())
        content = path.with_name(kept["weights"]).read_bytes()
        row = rows[int(path.stem.removeprefix("trial-"))]
        if kept["epoch"] != len(row["epochs"]) or zlib.crc32(content) != kept["crc32"]:
            found.append(path.name)
    return found


def figures(rows: dict[int, dict[str, Any]]) -> list[Any]:
    """What must be the same in two searches that are the same."""
    found = []
    for _, row in sorted(rows.items()):
        epochs = [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in row["epochs"]]
        found.append((row["number"], row["state"], row["value"], row["params"], epochs))
    return found
