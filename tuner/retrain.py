"""A configuration trained outright: the trial's figures again, then the test accuracy, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from .config.exported import CHANGED, change, note_change
from .config.facts import RESULT
from .config.named_code import name_trained_code
from .config.objective import ACCURACY, OBJECTIVES
from .config.trial_config import TrialConfig, read_config, read_data_record, write_config
from .console.text import Say, say, say_nothing
from .console.training import show_steps
from .data import load
from .data.parts import Parts
from .errors import Interrupted, TunerError, UsageError
from .signals import catch_signals
from .study.test_accuracy import record_test
from .training import checkpoint
from .training.checkpoint_writer import CheckpointWriter
from .training.cuda_graph import choose_recorder
from .training.evaluation import choose_precision
from .training.folder import find_finished, find_others, keep_training, stamp_training, try_folder
from .training.memory import is_out_of_memory
from .training.run import Diverged, Run, Stopped
from .training.score import Score
from .training.weights_file import describe_machine, make_weights_file


def retrain(
    path: Path,
    folder: Path,
    *,
    all_data: bool = False,
    epochs: int | None = None,
    train_images: str | None = None,
    threads: int | None = None,
    accept_changed_code: bool = False,
    source: str | None = None,
    storage: str | None = None,
    device: str = "cpu",
    capture: bool | None = None,
    progress: bool = True,
    force: bool = False,
) -> dict[str, Any]:
    """Train the configuration in a file and test it once; everything it makes goes to `folder`, with `force` over another training.

    `epochs`, `threads`, and `train_images`, a number or `all`, replace what the file says. A configuration that is not as it was exported
    is no longer its trial's, but for its threads: the figures of both are not compared, and its look at the test images is written down
    as that.
    After an interrupted call it goes on after the last finished epoch; after a finished one it only returns the figures again.
    The test accuracy is written to the study where the configuration came from, where `storage` has it.
    Returns the figures: `epochs`, `val_accuracy`, `test_accuracy`, those of the objective (`value`, `test_value`) and what they belong to.
    Errors: UsageError for the file, TunerError where the data is not the trial's or the run diverges, Interrupted.
    """
    config, origin, fingerprint = read_config(path)
    code = name_trained_code(config.model, config.code, path.parent, str(path), accept=accept_changed_code)
    if code is not None and code.digest != config.code:
        origin |= {} if config.code is None else {"code_was": config.code}
        config = replace(config, code=code.digest)
    if source is not None:
        config = replace(config, data=replace(config.data, source=source))
    given, config = config, change(config, epochs=epochs, train_images=train_images, threads=threads)
    origin = note_change(config, origin, by_option=replace(config, threads=given.threads) != given)
    wanted = read_data_record(path).code if source is None else None
    images = name_trained_code(config.data.source, wanted, path.parent, str(path), accept=accept_changed_code)
    tell = say if progress else say_nothing
    if (precision := choose_precision(config.precision, device)) != config.precision:
        tell(f"{config.precision} is not for device {device}: trained in {precision}, so the trial's figures do not come again exactly")
        config = replace(config, precision=precision)
    if origin.get(CHANGED):
        tell(
            f"this is not the configuration of trial {origin.get('trial')} of study {origin.get('study')} any more: its figures are its own"
        )
    until = _find_last(path, config, origin) if all_data else None
    dataset = load(config.data, progress=tell)
    if fingerprint is not None and fingerprint != dataset.fingerprint:
        raise TunerError(
            f"data {config.data.source!r} is not what {path} was found on (fingerprint {dataset.fingerprint}, "
            f"the file says {fingerprint}): give the same images with --data, or remove the line from the file"
        )
    stamp = stamp_training(config, dataset.fingerprint, all_data)
    result = folder / RESULT
    if result.exists() and (found := find_finished(result, stamp)) is not None:
        tell(f"{folder} already holds this configuration, trained and tested; remove the folder to do it again")
        return found
    try_folder(folder)
    if not force and (others := find_others(folder, config, stamp)):
        raise UsageError(f"{folder} holds another training ({', '.join(others)}): give another --out, or --force to replace it")
    with (
        catch_signals() as stop,
        _tell_faults(path, folder, config, device),
        show_steps(config, until or config.epochs, shown=progress) as view,
        CheckpointWriter(folder / "checkpoint", uid=stamp) as writer,
    ):

        def begin_step(epoch: int, step: int, steps: int) -> None:
            view.step(epoch, step, steps)
            if writer.written:  # the epoch before counts, and is told of, as soon as it is on the disk
                _tell_of(writer.commit(), config, view.say)

        parts = Parts(dataset, config.data, device)
        run = Run(
            config,
            parts.everything(config.augment) if all_data else parts.train(config.augment),
            None if all_data else parts.val(),
            classes=parts.classes,
            device=device,
            stop=stop.is_set,
            stepping=begin_step,
            recorder=choose_recorder(device, capture),
        )
        going_on = _resume(run, folder / "checkpoint", stamp, view.say)
        try:
            for score in run.epochs():
                _tell_of(score if score.epoch <= going_on else writer.commit(), config, view.say)
                if score.epoch > going_on:
                    writer.begin(run, score)
                if score.epoch == until:
                    break
        except Stopped:
            raise Interrupted(f"interrupted after epoch {len(run.curve)} of {config.epochs}: the same command goes on") from None
        finally:
            _tell_of(writer.commit(), config, view.say)
        if run.captured is not None and run.captured.refusal:
            view.say(f"steps were not replayed from a CUDA graph: {run.captured.refusal}")
        run.take_counted()
        tested, objective = run.evaluate(parts.test()), OBJECTIVES[config.objective]
        value = run.counted.read(objective)
        outcome: dict[str, Any] = {
            "config": str(path),
            "model": config.model,
            "parameters": run.parameters,
            "epochs": [score.to_dict() for score in run.curve],
            "val_accuracy": run.counted.val_accuracy,
            "objective": config.objective,
            "value": value,
            "kept_epoch": run.counted.epoch,
            "test_loss": tested.loss,
            "test_accuracy": tested.accuracy,
            "test_value": {**tested._asdict(), **run.further}[objective.figure],
            "test_images": len(parts.test()),
            "seconds": sum(score.seconds for score in run.curve),
            "trial": {
                **{name: origin.get(name) for name in ("study", "trial", "validation_accuracy")},
                "value": origin.get(objective.origin),
                CHANGED: origin.get(CHANGED, False),
            },
            "all_data": all_data,
            **({} if config.code is None else {"code": config.code, "code_was": origin.get("code_was")}),
            "stamp": stamp,
        }
        known: dict[str, Any] = {"fingerprint": dataset.fingerprint, "classes": dataset.classes, "origin": origin}
        known["data_code"] = None if images is None else images.digest
        written = write_config(config, **known)
        weights = make_weights_file(
            run.weights(),
            config,
            **known,
            provenance={
                "made_by": "tuner train",
                **{name: outcome[name] for name in ("val_accuracy", "test_accuracy", "all_data", "stamp")},
                **({} if objective is ACCURACY else {objective.key: value}),
                "epochs": len(run.curve),
                **describe_machine(device),
            },
        )
        keep_training(folder, weights, written, outcome)
    looked = {"accuracy": tested.accuracy, "images": outcome["test_images"], "all_data": all_data}
    record_test(storage, origin, dataset.fingerprint, **looked, by="train", say=tell)
    return outcome


def _find_last(path: Path, config: TrialConfig, origin: dict[str, Any]) -> int | None:
    """The epoch to stop after without a validation part: the trial's best, where that is what counts. None for the last."""
    if config.value == "last":
        return None
    epoch = origin.get("epoch")
    if not isinstance(epoch, int) or not 1 <= epoch <= config.epochs:
        raise UsageError(
            f"{path}: value: best chooses an epoch by the validation part, which --all-data trains on: "
            f"name the epoch to stop after under origin (epoch: 1 to {config.epochs}), or remove value"
        )
    return epoch


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
        objective = OBJECTIVES[config.objective]
        held_out = "" if score.val_accuracy is None else f", val loss {score.val_loss:.4f} accuracy {score.val_accuracy:.4f}"
        if held_out and objective.key not in ("val_loss", "val_accuracy"):
            held_out += f" {objective.title} {score.read(objective):.4f}"
        figures = f"train loss {score.train_loss:.4f} accuracy {score.train_accuracy:.4f}{held_out}"
        tell(f"epoch {score.epoch}/{config.epochs}: {figures}, {score.seconds:.1f} s")
