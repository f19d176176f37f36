"""Where a claimed trial becomes a training run, and a training run's end becomes a trial's."""

from __future__ import annotations

import contextlib
import platform
import resource
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.trial import TrialState

from . import __version__, checkpoint
from .claimed import ClaimedTrial
from .config import TrialConfig
from .data.parts import Parts
from .errors import Interrupted, TunerError
from .places import Place
from .study.claim import Claim, EndedOutside, LeaseLost
from .study.patience import StorageAway
from .study.record import Record
from .study.storage import first_line
from .study.trials import USUAL, best
from .train import Diverged, Run, Stopped

TRAINED, BELOW = USUAL
Say = Callable[..., None]  # say(kind, **facts): what the supervisor is told


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a trial ended. `infeasible` names a fault that the sampler should learn from; WAITING is back in the queue."""

    state: TrialState
    reason: str
    value: float | None = None
    infeasible: str | None = None
    trace: str | None = None


def train_trial(record: Record, claim: Claim, parts: Parts, place: Place, *, stop: Callable[[], bool], say: Say) -> None:
    """Train one claimed trial to its end, and write there why it ended. A trial's own faults end the trial only.

    Errors: those of a storage that stays away.
    """
    trial = ClaimedTrial(record, claim)
    path = checkpoint_path(record, claim.number)
    try:
        config = trial.configure(threads=place.threads, precision=place.precision)
        other = None if trial.reported else trial.duplicate(config)
        if other is not None:
            trial.take_over(other)
            ending = Ending(state=TrialState.COMPLETE, value=other.value, reason=f"same configuration as trial {other.number}")
        else:
            ending, facts = _train(trial, config, path, parts, place, stop, say)
            if ending.state is TrialState.WAITING:
                record.ledger.requeue(claim)
            else:
                trial.finish(ending.state, facts, value=ending.value, infeasible=ending.infeasible)
                if ending.state is TrialState.FAIL:
                    _discard(path)
        say("end", number=claim.number, state=ending.state.name, value=ending.value, reason=ending.reason)
    except LeaseLost as lost:
        say("end", number=claim.number, state="LOST", value=None, reason=str(lost))
    except EndedOutside as ended:
        record.ledger.drop(claim)
        _discard(path)
        say("end", number=claim.number, state="OUTSIDE", value=None, reason=str(ended))


def _train(
    trial: ClaimedTrial, config: TrialConfig, path: Path, parts: Parts, place: Place, stop: Callable[[], bool], say: Say
) -> tuple[Ending, dict[str, Any]]:
    """The heart: train, checkpoint, report, prune. Returns the ending and the facts to write with it."""
    run: Run | None = None
    notes: list[str] = []
    try:
        if place.device.startswith("cuda"):
            torch.cuda.init()  # type: ignore[no-untyped-call]  # statistics exist only once CUDA does
            torch.cuda.reset_peak_memory_stats(place.device)
        run = Run(
            config,
            parts.train(config.augment),
            parts.val(),
            classes=parts.classes,
            device=place.device,
            stop=stop,
            capture=place.capture,
        )
        trained = _resume(run, path, trial, notes, say)
        say("begin", number=trial.claim.number, config=config.to_dict(), epoch=trained, epochs=config.epochs)
        for score in run.epochs():
            if score.epoch > trained:
                checkpoint.save(path, run, study=trial.record.uid, allowed=trial.prove)
            trial.report(score)
            say(
                "epoch",
                number=trial.claim.number,
                epoch=score.epoch,
                epochs=config.epochs,
                score=trial.curve[-1],
                new=score.epoch > trained,
            )
            if score.epoch >= trained and score.epoch < config.epochs and trial.should_prune():
                ending = Ending(state=TrialState.PRUNED, reason=f"{BELOW} {score.epoch}")
                break
        else:
            ending = Ending(state=TrialState.COMPLETE, value=run.curve[-1].val_accuracy, reason=TRAINED)
    except Stopped:
        ending = Ending(state=TrialState.WAITING, reason="stopped: back in the queue")
    except Diverged as fault:
        ending = Ending(state=TrialState.PRUNED, reason=f"diverged: {fault}", infeasible="diverged")
    except (LeaseLost, EndedOutside, StorageAway, Interrupted):
        raise
    except TunerError as fault:
        ending = Ending(state=TrialState.FAIL, reason=fault.message)
    except Exception as fault:
        if _out_of_memory(fault):
            ending = Ending(state=TrialState.PRUNED, reason=f"out of memory: {first_line(fault)[:200]}", infeasible="memory")
        else:
            reason = f"{type(fault).__name__}: {first_line(fault)}"[:500]
            ending = Ending(state=TrialState.FAIL, reason=reason, trace=traceback.format_exc(limit=-8))
    return ending, _facts(ending, notes, trial, config, run, place)


def _resume(run: Run, path: Path, trial: ClaimedTrial, notes: list[str], say: Say) -> int:
    """Load the trial's checkpoint if there is one. Returns its epoch, 0 where the trial begins anew."""
    if not trial.claim.taken_up:
        checkpoint.remove(path)
        return 0
    try:
        if checkpoint.load(path, run, study=trial.record.uid):
            return len(run.curve)
        lacking = "no checkpoint was found" if trial.reported else ""
    except checkpoint.CheckpointError as fault:
        lacking = str(fault)
    if lacking:
        notes.append(f"{lacking}: trained again from the start")
        say("say", text=f"trial {trial.claim.number}: {notes[-1]}")
    return 0


def _discard(path: Path) -> None:
    """Remove a checkpoint that nobody needs. If it cannot be removed, that is no reason to end a search."""
    with contextlib.suppress(OSError):
        checkpoint.remove(path)


def checkpoint_path(record: Record, number: int) -> Path:
    """Where a trial's checkpoint is: a name without an ending, for weights and JSON beside them."""
    return record.checkpoints / f"trial-{number:05d}"


def tidy(record: Record, keep: int) -> None:
    """Leave the checkpoints of the best `keep` trials and of unfinished ones; the others keep their curves only."""
    found = {int(path.stem.removeprefix("trial-")) for path in record.checkpoints.glob("trial-*.json")}
    if len(found) > keep:
        finished = {trial.number for trial in record.finished_trials()}
        for number in (found & finished) - {row.number for row in best(record, keep)}:
            _discard(checkpoint_path(record, number))


def _out_of_memory(fault: Exception) -> bool:
    if isinstance(fault, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    return isinstance(fault, RuntimeError) and ("can't allocate memory" in str(fault) or "out of memory" in str(fault))


def _facts(ending: Ending, notes: list[str], trial: ClaimedTrial, config: TrialConfig, run: Run | None, place: Place) -> dict[str, Any]:
    """What stands on the trial beside its curve: why it ended, and what it cost."""
    facts: dict[str, Any] = {"reason": ending.reason}
    if notes:
        facts["notes"] = notes
    if ending.trace:
        facts["traceback"] = ending.trace
    seconds = [score["seconds"] for score in trial.curve]
    if run is not None:
        facts["parameters"] = run.parameters
        if seconds:
            facts["images_per_second"] = round(len(run.train) * len(seconds) / sum(seconds), 1)
    facts |= {
        "epoch_seconds": [round(s, 4) for s in seconds],
        "peak_memory_mb": peak_memory(place.device),
        "device": _device_name(place.device),
        "threads": config.threads,
        "workers_lost": trial.claim.deaths,
        "versions": versions(),
        "commit": commit(),
    }
    return facts


def peak_memory(device: str) -> float:
    """MB: of this trial on a GPU, of the worker's whole life on a CPU."""
    if device.startswith("cuda"):
        return round(torch.cuda.max_memory_allocated(device) / 1e6, 1)
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


@cache
def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{device} ({platform.machine()})"


@cache
def versions() -> dict[str, str]:
    return {"tuner": __version__, "torch": torch.__version__, "optuna": optuna.__version__, "python": platform.python_version()}


@cache
def commit() -> str | None:
    """The commit of our own source, where it runs from a checkout."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return None
    done = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
