"""Where a leased trial becomes a training run, and a training run's end becomes a trial's."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from ..config.trial_config import TrialConfig
from ..data.parts import Parts
from ..errors import Interrupted, TunerError
from ..placement import Placement
from ..study.lease import EndedByOtherTool, Lease, LeaseLost
from ..study.outcome import Outcome
from ..study.pausing import PausingLeases
from ..study.retry import StorageAway
from ..study.storage import read_first_line
from ..study.study import Study
from ..study.trials import find_best
from ..training import checkpoint, memory
from ..training.checkpoint_writer import CheckpointWriter
from ..training.cuda_graph import choose_recorder
from ..training.provenance import name_device, name_fp32_convolutions, read_commit, read_device_versions, read_versions
from ..training.run import Diverged, Run, Stopped
from .events import Event, Message, TrialEnded, TrialStarted
from .foresight import Foresight, look_ahead
from .leased_trial import CannotDraw, LeasedTrial
from .reporter import BelowOthers, Paused, Reporter
from .watch import Watch, share

SendEvent = Callable[[Event], None]


class DeviceLost(Exception):
    """A GPU error after which nothing works in this process any more; the text is the error."""


class HeapFull(Exception):
    """Memory ran out on the CPU: this process's heap is in pieces, and only a new one has room again."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a trial ended. `infeasible` names a fault that the sampler should learn from."""

    outcome: Outcome
    reason: str
    value: float | None = None
    infeasible: str | None = None
    trace: str | None = None


def train_trial(
    study: Study,
    lease: Lease,
    parts: Parts,
    placement: Placement,
    *,
    stop: Callable[[], bool],
    say: SendEvent,
    make_run: Callable[..., Run] = Run,
    make_writer: Callable[..., CheckpointWriter] = CheckpointWriter,
    watch: Watch | None = None,
) -> None:
    """Train one leased trial to its end, and store with it why it ended. A trial's own faults end the trial only.

    `watch` is told of every step.
    Errors: those of a storage that stays away; DeviceLost and HeapFull, after which the process has to end. With DeviceLost the
    trial is still leased.
    """
    trial = LeasedTrial(study, lease)
    path = study.checkpoint_path(lease.number)
    try:
        heap_full = False
        try:
            with study.storage.visit():
                config = trial.configure(threads=placement.threads, precision=placement.precision)
                other = None if trial.reported else trial.find_duplicate(config)
        except CannotDraw as fault:
            reason = f"cannot be drawn: {fault}"
            trial.fail({"reason": reason, "outcome": Outcome.ERROR, "workers_lost": lease.crashes})
            say(TrialEnded(number=lease.number, outcome=Outcome.ERROR, reason=reason, value=None))
            return
        if other is not None:
            trial.take_over(other)
            ending = Ending(outcome=Outcome.SAME_AS, value=other.value, reason=f"same configuration as trial {other.number}")
        else:
            seen = watch or _watch_nothing()
            foresight = look_ahead(study, parts, placement.device)
            attempt = partial(_train, trial, trial.notes, path, parts, placement, stop, say, make_run, make_writer, seen, foresight)
            ending, facts = attempt(config)
            heap_full = ending.outcome is Outcome.OUT_OF_MEMORY and placement.device == "cpu"
            while ending.outcome is Outcome.OUT_OF_MEMORY and (smaller := trial.split_batches(config)) is not None:
                config = smaller
                if heap_full:
                    reason = f"out of memory: back in the queue, for a new process and {config.micro_batches} micro-batches"
                    ending = Ending(outcome=Outcome.STOPPED, reason=reason)
                else:
                    memory.give_back(placement.device)
                    ending, facts = attempt(config)
            if ending.outcome is Outcome.PAUSED:
                pass  # its rows say so already
            elif ending.outcome is Outcome.STOPPED:
                study.leases.requeue(lease)
            else:
                trial.finish(TrialState[ending.outcome.state], facts, value=ending.value, infeasible=ending.infeasible)
                if ending.outcome is Outcome.ERROR:
                    _discard(path)
        say(TrialEnded(number=lease.number, outcome=ending.outcome, reason=ending.reason, value=ending.value))
        if heap_full:
            raise HeapFull
    except LeaseLost as lost:
        say(TrialEnded(number=lease.number, outcome=Outcome.TAKEN_OVER, reason=str(lost)))
    except EndedByOtherTool as ended:
        study.leases.drop(lease)
        _discard(path)
        say(TrialEnded(number=lease.number, outcome=Outcome.ENDED_BY_OTHER_TOOL, reason=str(ended)))
    finally:
        memory.give_back(placement.device)


def _train(
    trial: LeasedTrial,
    notes: list[str],
    path: Path,
    parts: Parts,
    placement: Placement,
    stop: Callable[[], bool],
    say: SendEvent,
    make_run: Callable[..., Run],
    make_writer: Callable[..., CheckpointWriter],
    watch: Watch,
    foresight: Foresight | None,
    config: TrialConfig,
) -> tuple[Ending, dict[str, Any]]:
    """Train to an end, epoch by epoch. Returns the ending and the facts to write with it.

    What surely does not fit into memory is not tried.
    """
    run: Run | None = None
    number = trial.lease.number
    if foresight is not None and foresight.is_hopeless(config):
        reason = f"out of memory: {foresight.describe(config)}"
        ending = Ending(outcome=Outcome.OUT_OF_MEMORY, reason=reason, infeasible="memory")
        return ending, _collect_facts(ending, notes, trial, config, run, placement)
    if config.micro_batches > 1:
        pieces = f"{config.micro_batches} micro-batches of up to {-(-config.batch_size // config.micro_batches)} images"
        _note(f"too little memory for whole batches: trained in {pieces}, which BatchNorm sees one at a time", notes, trial, say)

    def collect_facts(reason: str, run: Run | None) -> dict[str, Any]:
        return _collect_facts(Ending(outcome=Outcome.PAUSED, reason=reason), notes, trial, config, run, placement)

    def note(text: str) -> None:
        _note(text, notes, trial, say)

    try:
        with make_writer(path, uid=trial.study.uid) as writer:
            reporter = Reporter(trial, config, writer, watch, say, note, collect_facts)

            def begin_step() -> bool:
                reporter.look()
                watch.step()
                return stop()

            watch.begin("start of training")
            memory.reset_peak(placement.device)
            run = make_run(
                config,
                parts.train(config.augment),
                parts.val(),
                classes=parts.classes,
                device=placement.device,
                stop=begin_step,
                evaluating=lambda: watch.begin("evaluation"),
                recorder=choose_recorder(placement.device, placement.capture),
            )
            trained = _resume(run, path, trial, notes, say)
            say(TrialStarted(number=number, config=config, epoch=trained, taken=trial.lease.taken))
            reporter.follow(run)
        ending = Ending(outcome=Outcome.TRAINED, value=run.curve[-1].val_accuracy, reason="trained to its last epoch")
    except Paused as paused:
        ending = Ending(outcome=Outcome.PAUSED, reason=str(paused))
    except BelowOthers as below:
        ending = Ending(outcome=Outcome.BELOW_OTHERS, reason=str(below))
    except Stopped:
        ending = Ending(outcome=Outcome.STOPPED, reason="stopped: back in the queue")
    except Diverged as fault:
        ending = Ending(outcome=Outcome.DIVERGED, reason=f"diverged: {fault}", infeasible="diverged")
    except (LeaseLost, EndedByOtherTool, StorageAway, Interrupted):
        raise
    except TunerError as fault:
        ending = Ending(outcome=Outcome.ERROR, reason=fault.message)
    except Exception as fault:
        if memory.is_out_of_memory(fault):
            reason = f"out of memory: {read_first_line(fault)[:200]}"
            ending = Ending(outcome=Outcome.OUT_OF_MEMORY, reason=reason, infeasible="memory")
        elif memory.is_lost(placement.device):
            raise DeviceLost(read_first_line(fault)[:500]) from None
        else:
            reason = f"{type(fault).__name__}: {read_first_line(fault)}"[:500]
            ending = Ending(outcome=Outcome.ERROR, reason=reason, trace=traceback.format_exc(limit=-8))
    return ending, _collect_facts(ending, notes, trial, config, run, placement)


def _watch_nothing() -> Watch:
    return Watch(share(), stall=0, timeout=None)


def _resume(run: Run, path: Path, trial: LeasedTrial, notes: list[str], say: SendEvent) -> int:
    """Load the trial's checkpoint if there is one. Returns its epoch, 0 where the trial begins anew."""
    if not trial.lease.resumed and not trial.reported:
        checkpoint.remove(path)
        return 0
    try:
        if checkpoint.load(path, run, uid=trial.study.uid):
            return len(run.curve)
        lacking = "no checkpoint was found" if trial.reported else ""
    except checkpoint.CheckpointError as fault:
        lacking = str(fault)
    if lacking:
        _note(f"{lacking}: trained again from the start", notes, trial, say)
    return 0


def _discard(path: Path) -> None:
    """Remove a checkpoint that nobody needs. If it cannot be removed, that is no reason to end a search."""
    with contextlib.suppress(OSError):
        checkpoint.remove(path)


def tidy(study: Study, keep: int) -> None:
    """Leave the checkpoints of the best `keep` trials and of unfinished ones that may go on; the others keep their curves only."""
    found = study.files.numbers()
    if len(found) > keep:
        if isinstance(study.leases, PausingLeases):
            for number in found & study.retry(study.leases.find_hopeless):
                _discard(study.checkpoint_path(number))
        finished = {trial.number for trial in study.finished_trials()}
        for number in (found & finished) - {row.number for row in find_best(study, keep, copies=False)}:
            _discard(study.checkpoint_path(number))


def _note(note: str, notes: list[str], trial: LeasedTrial, say: SendEvent) -> None:
    """Say once what is to be known of a trial, and keep it for its facts."""
    if note not in notes:
        notes.append(note)
        say(Message(text=f"trial {trial.lease.number}: {note}"))


def _collect_facts(
    ending: Ending, notes: list[str], trial: LeasedTrial, config: TrialConfig, run: Run | None, placement: Placement
) -> dict[str, Any]:
    """What stands on the trial beside its curve: why it ended, and what it cost."""
    facts: dict[str, Any] = {"reason": ending.reason, "outcome": ending.outcome}
    if notes:
        facts["notes"] = notes
    if ending.trace:
        facts["traceback"] = ending.trace
    seconds = [score["seconds"] for score in trial.curve]
    if run is not None:
        facts["parameters"] = run.parameters
        if seconds:
            facts["images_per_second"] = round(len(run.train) * len(seconds) / sum(seconds), 1)
        if run.captured is not None:
            facts["captured"] = not run.captured.refusal
    facts |= {
        "epoch_seconds": [round(s, 4) for s in seconds],
        "peak_memory_mb": memory.read_peak(placement.device),
        "device": name_device(placement.device),
        "fp32_convolutions": name_fp32_convolutions(placement.device),
        "threads": config.threads,
        "workers_lost": trial.lease.crashes,
        "versions": {**read_versions(), **read_device_versions(placement.device)},
        "commit": read_commit(),
    }
    return facts
