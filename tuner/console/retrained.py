"""What `tuner train` prints at its end: its figures, beside those of the trial that they came from."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

from ..config.facts import BESIDE, RESULT, WEIGHTS
from ..config.objective import ACCURACY, OBJECTIVES
from .text import open_console, print_json, say


def show_trained(figures: dict[str, Any], folder: Path, *, as_json: bool) -> None:
    """Print what `retrain` returned."""
    if as_json:
        print_json({**figures, "weights": str(folder / WEIGHTS)})
        return
    objective = OBJECTIVES[figures.get("objective", ACCURACY.name)]
    lines = [f"{figures['model']}, {figures['parameters']:,} parameters, {len(figures['epochs'])} epochs in {figures['seconds']:.1f} s"]
    if (kept := figures.get("kept_epoch", len(figures["epochs"]))) != len(figures["epochs"]):
        best = "highest" if objective is ACCURACY else "best"
        lines.append(f"kept are the weights of epoch {kept}, the first of the {best} validation {objective.title}")
    value = figures.get("value", figures["val_accuracy"])
    if value is not None:
        lines.append(f"validation {objective.title} {value:.4f}{_compare(value, figures['trial'])}")
    beside = "" if objective is ACCURACY else f", {objective.title} {figures['test_value']:.4f}"
    lines.append(f"test accuracy {figures['test_accuracy']:.4f}{beside} on {figures['test_images']:,} images")
    for line in lines:
        open_console().print(line, highlight=False)
    say(f"wrote {folder / WEIGHTS}, {folder / RESULT} (the curves) and {folder / BESIDE}")
    say(f"next: tuner evaluate {quote(str(folder / WEIGHTS))}")


def _compare(value: float, trial: dict[str, Any]) -> str:
    """The value beside that of the trial; empty where the configuration came from none."""
    theirs = trial.get("value", trial["validation_accuracy"])
    if trial["trial"] is None or theirs is None:
        return ""
    word = "exactly as" if theirs == value else f"not {theirs:.4f} as"
    same = "" if theirs == value else " (another device, thread count or version?)"
    return f", {word} in trial {trial['trial']} of study {trial['study']}{same}"
