"""A study's trials and their epochs as plain rows, under the names that the field knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..config.hyperparameters import name_width
from ..config.trial_config import TrialConfig
from ..study.study import Study
from ..study.trials import TrialRow, list_trials

COSTS = ("parameters", "macs", "milliseconds", "images_per_second", "peak_memory_mb", "device")
EPOCH = ("number", "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds")
Row = dict[str, Any]


def list_trial_rows(study: Study) -> list[Row]:
    """One row a trial, by number, all with the same keys; None where a trial has no such value.

    `params_NAME` is what the trial drew, or its start row set; `config_NAME` the rest of its configuration; `epochs` how many it trained.
    """
    every = list_trials(study)
    times = list_times(study)
    drawn = list(dict.fromkeys([*study.config.space, *(name for row in every for name in row.params)]))
    configs = {row.number: flatten_config(row.config) for row in every if row.config is not None}
    fixed = [name for name in dict.fromkeys(name for config in configs.values() for name in config) if name not in drawn]
    return [
        {
            "number": row.number,
            "state": row.state,
            "value": row.value,
            "outcome": None if row.outcome is None else str(row.outcome),
            "reason": row.reason or None,
            **dict(zip(("datetime_start", "datetime_complete"), times[row.number], strict=True)),
            "epochs": len(row.epochs),
            "seconds": row.seconds,
            **{name: row.run.get(name) for name in COSTS},
            **{f"params_{name}": row.params.get(name) for name in drawn},
            **{f"config_{name}": configs.get(row.number, {}).get(name) for name in fixed},
        }
        for row in every
    ]


def list_epoch_rows(study: Study) -> list[Row]:
    """One row an epoch of every trial; shares are fractions."""
    rows = [{"number": row.number, **epoch} for row in list_trials(study) for epoch in row.epochs]
    names = dict.fromkeys([*EPOCH, *(name for row in rows for name in row)])
    return [{name: row.get(name) for name in names} for row in rows]


def list_records(study: Study) -> list[Row]:
    """One record a trial with all that is known of it, its epochs and its configuration within."""
    times = list_times(study)
    return [
        {
            **row.to_dict(),
            "outcome": None if row.outcome is None else str(row.outcome),
            **dict(zip(("datetime_start", "datetime_complete"), times[row.number], strict=True)),
            "config": None if row.config is None else {k: v for k, v in row.config.to_dict().items() if k not in row.absent},
        }
        for row in list_trials(study)
    ]


def list_times(study: Study) -> Mapping[int, tuple[str | None, str | None]]:
    """When each trial began and ended, by its number, as ISO 8601 in the local time of whoever trained it."""
    return {trial.number: (_write_time(trial.datetime_start), _write_time(trial.datetime_complete)) for trial in study.frozen_trials()}


def _write_time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def flatten_config(config: TrialConfig) -> Row:
    """A configuration without maps in it: `widths.PATTERN`, `data.source`; the format's number is left out."""
    plain = config.to_dict()
    widths, data = plain.pop("widths"), plain.pop("data")
    plain.pop("format")
    normalize = data.pop("normalize")
    flat = {f"data.{name}": value for name, value in {**data, **normalize}.items()}
    return {**plain, **{name_width(pattern): factor for pattern, factor in widths.items()}, **flat}


def list_hyperparameters(row: TrialRow) -> Row:
    """What a trial was trained with, drawn or fixed, by hyper-parameter: single values only."""
    flat = {} if row.config is None else flatten_config(row.config)
    return {
        name: value
        for name, value in {**flat, **row.params}.items()
        if name not in row.absent and isinstance(value, (bool, int, float, str))
    }
