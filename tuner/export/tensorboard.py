"""A study as TensorBoard shows it: a run a trial, with its curves and its hyper-parameters."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ..errors import TunerError, UsageError
from ..study.study import Study
from ..study.trials import list_trials
from .tables import list_hyperparameters

CURVES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
EVENTS = "events.out.tfevents.*"  # as TensorBoard names its files


def write_runs(study: Study, folder: Path, *, force: bool = False) -> int:
    """Write a run for every trial that has an epoch, `trial-0007` for trial 7. How many.

    With `force` the runs that are there are replaced: TensorBoard would draw old and new points of one run together.
    Errors: UsageError without TensorBoard, and where the folder holds anything and `force` is not given.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError("--to tensorboard needs TensorBoard: pip install 'optuna-tuner[tensorboard]'") from None
    rows = [row for row in list_trials(study) if row.epochs]
    runs = {row.number: folder / f"trial-{row.number:04d}" for row in rows}
    try:
        if not force and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{str(folder)!r} is there already: give another --out, or --force")
        for old in (path for run in runs.values() for path in run.glob(EVENTS)):
            old.unlink()
        for row in rows:
            with _open(SummaryWriter, runs[row.number]) as writer:
                for epoch in row.epochs:
                    for name in dict.fromkeys((*CURVES, row.objective.key)):
                        writer.add_scalar(name, epoch[name], epoch["epoch"])
                value = {} if row.value is None or not math.isfinite(row.value) else {"value": row.value}
                writer.add_hparams(list_hyperparameters(row), value, run_name=".")
    except OSError as error:
        raise TunerError(f"cannot write {str(folder)!r}: {error.strerror}") from None
    return len(rows)


def _open(writer: Any, run: Path) -> Any:
    return writer(log_dir=str(run))
