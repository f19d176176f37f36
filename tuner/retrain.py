"""A configuration trained outright: the trial's figures again, then the test accuracy, once."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from shlex import quote
from typing import Any

import torch

from .config.trial_config import TrialConfig, read_config, write_config
from .console.text import Say, print_json, say, say_nothing
from .console.text import open_console as console
from .data import load
from .data.parts import Parts
from .errors import Interrupted, TunerError, UsageError
from .signals import catch_signals
from .study.test_accuracy import record_test
from .training import checkpoint
from .training.checkpoint_writer import CheckpointWriter
from .training.cuda_graph import choose_recorder
from .training.evaluation import choose_precision
from .training.memory import is_out_of_memory
from .training.run import Diverged, Run, Stopped
from .training.score import Score

RESULT = "result.json"
WEIGHTS = "weights.pt"


def retrain(
    path: Path,
    folder: Path,
    *,
    all_data: bool = False,
    source: str | None = None,
    storage: str | None = None,
    device: str = "cpu",
    capture: bool | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Train the configuration in a file and test it once; everything it makes goes to `folder`.

    After an interrupted call it goes on after the last finished epoch; after a finished one it only returns the figures again.
    The test accuracy is written to the study where the configuration came from, where `storage` has it.
    Returns the figures: `epochs`, `val_accuracy`, `test_accuracy` and what they belong to.
    Errors: UsageError for the file, TunerError where the data is not the trial's or the run diverges, Interrupted.
    """
    config, origin, fingerprint = read_config(path)
    if source is not None:
        config = replace(config, data=replace(config.data, source=source))
    tell = say if progress else say_nothing
    if (precision := choose_precision(config.precision, device)) != config.precision:
        tell(f"{config.precision} is not for device {device}: trained in {precision}, so the trial's figures do not come again exactly")
        config = replace(config, precision=precision)
    dataset = load(config.data, progress=tell)
    if fingerprint is not None and fingerprint != dataset.fingerprint:
        raise TunerError(
            f"data {config.data.source!r} is not what {path} was found on (fingerprint {dataset.fingerprint}, "
            f"the file says {fingerprint}): give the same images with --data, or remove the line from the file"
        )
    stamp = _stamp(config, dataset.fingerprint, all_data)
    result = folder / RESULT
    if result.exists() and (found := _finished(result, stamp)) is not None:
        tell(f"{folder} already holds this configuration, trained and tested; remove the folder to do it again")
        return found
    _try_folder(folder)
    with catch_signals() as stop, _tell_faults(path, folder, config, device):
        parts = Parts(dataset, config.data, device)
        run = Run(
            config,
            parts.everything(config.augment) if all_data else parts.train(config.augment),
            None if all_data else parts.val(),
            classes=parts.classes,
            device=device,
            stop=stop.is_set,
            recorder=choose_recorder(device, capture),
        )
        going_on = _resume(run, folder / "checkpoint", stamp, tell)
        try:
            with CheckpointWriter(folder / "checkpoint", uid=stamp) as writer:
                try:
                    for score in run.epochs():
                        _tell_of(score if score.epoch <= going_on else writer.commit(), config, tell)
                        if score.epoch > going_on:
                            writer.begin(run, score)
                finally:
                    _tell_of(writer.commit(), config, tell)
        except Stopped:
            raise Interrupted(f"interrupted after epoch {len(run.curve)} of {config.epochs}: the same command goes on") from None
        if run.captured is not None and run.captured.refusal:
            tell(f"steps were not replayed from a CUDA graph: {run.captured.refusal}")
        test_loss, test_accuracy = run.evaluate(parts.test())
        outcome: dict[str, Any] = {
            "config": str(path),
            "model": config.model,
            "parameters": run.parameters,
            "epochs": [asdict(score) for score in run.curve],
            "val_accuracy": run.curve[-1].val_accuracy,
            "test_loss": test_loss,
            "test_accuracy": test_accuracy,
            "test_images": len(parts.test()),
            "seconds": sum(score.seconds for score in run.curve),
            "trial": {name: origin.get(name) for name in ("study", "trial", "validation_accuracy")},
            "all_data": all_data,
            "stamp": stamp,
        }
        written = write_config(config, fingerprint=dataset.fingerprint, origin=origin, classes=dataset.classes)
        _keep(folder, run, written, outcome)
    looked = {"accuracy": test_accuracy, "images": outcome["test_images"], "all_data": all_data}
    record_test(storage, origin, dataset.fingerprint, **looked, by="train", say=tell)
    return outcome


def _try_folder(folder: Path) -> None:
    """Make the folder and a file in it, before anything is trained for it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"--out {str(folder)!r} cannot be written to: {error.strerror}: give another --out") from None


@contextmanager
def _tell_faults(path: Path, folder: Path, config: TrialConfig, device: str) -> Iterator[None]:
    """From the first image on the device to the last file in the folder: what goes wrong is a line with its remedy."""
    try:
        yield
    except Diverged as fault:
        raise TunerError(f"{path}: diverged, {fault}: a smaller lr may help") from None
    except OSError as error:
        remedy = "make room there, and the same command goes on after the last whole epoch"
        raise TunerError(f"--out {str(folder)!r} cannot be written to: {error.strerror}: {remedy}") from None
    except (RuntimeError, MemoryError) as fault:
        if not is_out_of_memory(fault):
            raise
        raise TunerError(f"{path}: out of memory on {device}: micro_batches: {2 * config.micro_batches} in the file may fit") from None


def _keep(folder: Path, run: Run, config: str, outcome: dict[str, Any]) -> None:
    """Write what the folder is for. `result.json` comes last: it says that the files beside it belong to it."""
    buffer = io.BytesIO()
    torch.save(run.weights(), buffer)
    (folder / RESULT).unlink(missing_ok=True)  # of another training
    result = json.dumps(outcome, indent=2) + "\n"
    for name, content in ((WEIGHTS, buffer.getvalue()), ("config.yaml", config.encode()), (RESULT, result.encode())):
        partial = folder / f"{name}.{os.getpid()}.tmp"
        try:
            partial.write_bytes(content)
            partial.replace(folder / name)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    checkpoint.remove(folder / "checkpoint")


def show(figures: dict[str, Any], folder: Path, *, as_json: bool) -> None:
    """Print what `retrain` returned."""
    if as_json:
        print_json({**figures, "weights": str(folder / WEIGHTS)})
        return
    lines = [f"{figures['model']}, {figures['parameters']:,} parameters, {len(figures['epochs'])} epochs in {figures['seconds']:.1f} s"]
    trial = figures["trial"]
    if figures["val_accuracy"] is not None:
        line = f"validation accuracy {figures['val_accuracy']:.4f}"
        if trial["trial"] is not None and trial["validation_accuracy"] is not None:
            same = trial["validation_accuracy"] == figures["val_accuracy"]
            word = "exactly as" if same else f"not {trial['validation_accuracy']:.4f} as"
            line += f", {word} in trial {trial['trial']} of study {trial['study']}"
            line += "" if same else " (another device, thread count or version?)"
        lines.append(line)
    lines.append(f"test accuracy {figures['test_accuracy']:.4f} on {figures['test_images']:,} images")
    for line in lines:
        console().print(line, highlight=False)
    say(f"wrote {folder / WEIGHTS}, {folder / RESULT} (the curves) and {folder / 'config.yaml'}")
    say(f"next: tuner evaluate {quote(str(folder / WEIGHTS))}")


def _resume(run: Run, path: Path, stamp: str, tell: Say) -> int:
    try:
        if checkpoint.load(path, run, uid=stamp):
            tell(f"going on after epoch {len(run.curve)}")
            return len(run.curve)
    except checkpoint.CheckpointError as fault:
        tell(f"{fault}: trained again from the start")
    return 0


def _tell_of(score: Score | None, config: TrialConfig, tell: Say) -> None:
    """Say an epoch's figures, once its checkpoint counts."""
    if score is not None:
        held_out = "" if score.val_accuracy is None else f", val loss {score.val_loss:.4f} accuracy {score.val_accuracy:.4f}"
        figures = f"train loss {score.train_loss:.4f} accuracy {score.train_accuracy:.4f}{held_out}"
        tell(f"epoch {score.epoch}/{config.epochs}: {figures}, {score.seconds:.1f} s")


def _finished(result: Path, stamp: str) -> dict[str, Any] | None:
    try:
        found = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("stamp") == stamp and (result.parent / WEIGHTS).exists() else None


def _stamp(config: TrialConfig, fingerprint: str, all_data: bool) -> str:
    """What a finished or interrupted training in a folder must agree on to be this one."""
    plain = config.identity()
    plain["data"] = {**plain["data"], "source": fingerprint}
    return hashlib.sha256(json.dumps([plain, all_data], sort_keys=True).encode()).hexdigest()[:32]
