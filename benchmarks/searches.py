"""`tuner search`, `tuner best --export` and `tuner train` as a user runs them, with their wall times and accuracies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

QUICK_STUDY = """
model: mynet
width: 0.0625
image_size: 32
validation: 0.2
pruner: none
space:
  lr: {low: 1.0e-3, high: 1.0e-1, log: true}
  batch_size: 8
  epochs: 1
"""


def search(study: str, data: Path, where: list[str], *, trials: int, how: list[str], device: str, timeout: float) -> dict[str, Any]:
    """Wall seconds of the search and of the training after it; the best trial's validation accuracy and its test accuracy.

    `where` places the workers (`--gpu 0`), `how` is what else the search is told.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = ["--data", f"folder:{data}"]
        began = time.monotonic()
        _tuner(folder, "search", study, "--trials", str(trials), *where, *how, *spec, "--timeout", f"{timeout:.0f}s")
        searched = time.monotonic() - began
        called = Path(study).stem
        shown = json.loads(_tuner(folder, "show", called, "--json"))
        _tuner(folder, "best", called, "--export", "config.yaml")
        began = time.monotonic()
        trained = json.loads(_tuner(folder, "train", "config.yaml", "--out", "out", "--device", device, "--json", *spec))
        finished = [trial for trial in shown["trials"] if trial["state"] in ("COMPLETE", "PRUNED")]
        return {
            "study": called,
            "trials": len(finished),
            "search_seconds": searched,
            "train_seconds": time.monotonic() - began,
            "val_accuracy": trained["val_accuracy"],
            "test_accuracy": trained["test_accuracy"],
        }


def _tuner(folder: Path, *args: str) -> str:
    """Its stdout; what it says meanwhile goes to our stderr."""
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH")) if part)
    env = {"TUNER_CACHE": str(folder / "cache")} | os.environ | {"PYTHONPATH": path}
    env.pop("TUNER_STORAGE", None)
    command = [sys.executable, "-m", "tuner", *args]
    done = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout
