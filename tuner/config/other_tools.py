"""Search spaces of other tools, known by their keys, and how they are written here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError

WANDB = {"method", "metric", "program", "early_terminate", "command", "run_cap"}  # beside `parameters`
ULTRALYTICS = {
    "lr0",
    "lrf",
    "warmup_epochs",
    "warmup_momentum",
    "box",
    "cls",
    "dfl",
    "hsv_h",
    "hsv_s",
    "hsv_v",
    "mosaic",
    "mixup",
    "fliplr",
}


def refuse_other_tools(plain: Mapping[str, Any], where: str) -> None:
    """UsageError for a W&B sweep or an Ultralytics space, which says what its keys are called here."""
    if "parameters" in plain and "space" not in plain:
        what = "a W&B sweep" if WANDB & plain.keys() else "a space of another tool"
        raise UsageError(
            f"{where} is {what}, not a study file: write `space` for `parameters`, `lr` for `learning_rate`, `low` and `high` for "
            "`min` and `max`, a list for `values`, the value itself for `value`, `log: true` for `log_uniform_values`; "
            "`method` is `sampler`, `early_terminate` is `pruner`, `metric` is `objective`"
        )
    known = ULTRALYTICS & plain.keys()
    if known and "space" not in plain and not {"model", "start"} & plain.keys():
        raise UsageError(
            f"{where} is an Ultralytics space ({', '.join(sorted(known))}), not a study file: "
            "write `lr: {low: ..., high: ..., log: true}` under `space` for `lr0: [..., ...]`, "
            "likewise `momentum` and `weight_decay`; the others have no counterpart here"
        )
