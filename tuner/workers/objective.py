"""Where a leased trial becomes a training run, and a training run's end becomes a trial's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from ..config.trial_config import TrialConfig
from ..data.parts import Parts
from ..placement import Placement
from ..study.front import find_front_rows
from ..study.lease import EndedByOtherTool, Lease, LeaseLost
from ..study.objectives import read_accuracy
from ..study.outcome import Outcome
from ..study.pausing import PausingLeases
from ..study.study import Study
from ..study.trials import find_best, list_trials
from ..training import checkpoint, memory
from ..training.checkpoint_writer import CheckpointWriter
from ..training.cuda_graph import choose_recorder
from ..training.run import Run
from .budget import OutOfBudget, TrialBudget
from .draws import CannotDraw
from .ending import Ending, collect_facts, judge, name_ending
from .events import Event, Message, TrialEnded, TrialStarted
from .foresight import Foresight, look_ahead
from .latency import check_latency
from .leased_trial import LeasedTrial
from .pace import Pace
from .reporter import BelowOthers, Paused, Reporter
from .watch import Watch, share

SendEvent = Callable[[Event], None]


class HeapFull(Exception):
    """Memory ran out on the CPU: this process's heap is in pieces, and only a new one has room again."""


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
    Errors: those of the storage itself; DeviceLost and HeapFull, after which the process has to end. With DeviceLost the
    trial is still leased.
    """
    trial = LeasedTrial(study, lease)
    heap_full = False
    try:
        try:
            ending, heap_full = _bring_to_end(trial, parts, placement, stop, say, make_run, make_writer, watch or _watch_nothing())
        except CannotDraw as fault:
            ending = _fail(trial, Ending(outcome=Outcome.ERROR, reason=f"cannot be drawn: {fault}"))
        except Exception as fault:  # before its training or after it
            ending = _fail(trial, replace(judge(fault, placement.device), outcome=Outcome.ERROR))
        say(TrialEnded(number=lease.number, outcome=ending.outcome, reason=ending.reason, value=ending.value))
        if heap_full:
            raise HeapFull
    except LeaseLost as lost:
        say(TrialEnded(number=lease.number, outcome=Outcome.TAKEN_OVER, reason=str(lost)))
    except EndedByOtherTool as ended:
        study.leases.drop(lease)
        _discard(study, lease.number)
        say(TrialEnded(number=lease.number, outcome=Outcome.ENDED_BY_OTHER_TOOL, reason=str(ended)))
    finally:
        memory.give_back(placement.device)


def _bring_to_end(
    trial: LeasedTrial,
    parts: Parts,
    placement: Placement,
    stop: Callable[[], bool],
    say: SendEvent,
    make_run: Callable[..., Run],
    make_writer: Callable[..., CheckpointWriter],
    watch: Watch,
) -> tuple[Ending, bool]:
    """Configure, train and end the trial. Returns its ending, and whether the heap is full."""
    study = trial.study
    config = trial.configure(threads=placement.threads, precision=placement.precision)
    with study.storage.visit():
        other = None if trial.reported else trial.find_duplicate(config)
        budget = TrialBudget(trial, config)
        lacking = budget.begin() if other is None else None
    parts = parts.split_by(config.data.seed)
    if other is not None:
        trial.take_over(other)
        return Ending(outcome=Outcome.SAME_AS, value=read_accuracy(other), reason=f"same configuration as trial {other.number}"), False
    path, notes = study.checkpoint_path(trial.lease.number), trial.notes
    if trial.code_was is not None:
        _note(f"the file of its network was changed, SHA-256 before: {trial.code_was}", notes, trial, say)
    if lacking is not None:
        study.leases.requeue(trial.lease)
        return Ending(outcome=Outcome.STOPPED, reason=lacking), False
    foresight = look_ahead(study, parts, placement.device)
    attempt = partial(_train, trial, notes, path, parts, placement, stop, say, make_run, make_writer, watch, foresight, budget)
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
    if ending.outcome is Outcome.PAUSED:  # its rows say so already
        return ending, heap_full
    if ending.outcome is Outcome.STOPPED:
        study.leases.requeue(trial.lease)
        return ending, heap_full
    trial.finish(TrialState[ending.outcome.state], facts, value=ending.value, infeasible=ending.infeasible, violation=ending.violation)
    if ending.outcome is Outcome.ERROR:
        _discard(study, trial.lease.number)
    return ending, heap_full


def _fail(trial: LeasedTrial, ending: Ending) -> Ending:
    """End the trial with a fault that its training does not see to."""
    trial.fail(name_ending(ending, trial))
    _discard(trial.study, trial.lease.number)
    return ending


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
    budget: TrialBudget,
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
        return ending, collect_facts(ending, notes, trial, config, run, placement)
    if config.micro_batches > 1:
        pieces = f"{config.micro_batches} micro-batches of up to {-(-config.batch_size // config.micro_batches)} images"
        _note(f"too little memory for whole batches: trained in {pieces}, which BatchNorm sees one at a time", notes, trial, say)

    def collect_pause(reason: str, run: Run | None) -> dict[str, Any]:
        return collect_facts(Ending(outcome=Outcome.PAUSED, reason=reason), notes, trial, config, run, placement)

    def note(text: str) -> None:
        _note(text, notes, trial, say)

    try:
        with make_writer(path, uid=trial.study.uid) as writer:
            reporter = Reporter(trial, config, writer, watch, say, note, collect_pause, budget)
            pace = Pace(number, config, say)

            def begin_step() -> bool:
                reporter.look()
                watch.step()
                return stop()

            watch.begin("start of training")
            check_latency(trial, config, parts.classes, placement)
            memory.reset_peak(placement.device)
            run = make_run(
                config,
                parts.train(config.augment),
                parts.val(),
                classes=parts.classes,
                device=placement.device,
                stop=begin_step,
                stepping=pace.step,
                evaluating=lambda: watch.begin("evaluation"),
                recorder=choose_recorder(placement.device, placement.capture),
            )
            trained = _resume(run, path, trial, notes, say)
            say(TrialStarted(number=number, config=config, epoch=trained, taken=trial.lease.taken))
            reporter.follow(run)
        ending = Ending(outcome=Outcome.TRAINED, value=run.counted.read(trial.study.objective), reason="trained to its last epoch")
    except Paused as paused:
        ending = Ending(outcome=Outcome.PAUSED, reason=str(paused))
    except OutOfBudget as lacking:
        ending = Ending(outcome=Outcome.STOPPED, reason=str(lacking))
    except BelowOthers as below:
        ending = Ending(outcome=Outcome.BELOW_OTHERS, reason=str(below))
    except Exception as fault:
        ending = judge(fault, placement.device)
    return ending, collect_facts(ending, notes, trial, config, run, placement)


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


def _discard(study: Study, number: int) -> None:
    """Remove a checkpoint that nobody needs. If it cannot be removed, that is no reason to end a search."""
    with contextlib.suppress(OSError):
        checkpoint.remove(study.checkpoint_path(number))


def tidy(study: Study, keep: int) -> None:
    """Leave the checkpoints of the best `keep` trials, of a front that is searched, and of unfinished ones that may go on.

    The others keep their curves only.
    """
    found: set[int] = set()
    with contextlib.suppress(OSError):  # a folder that is not read today is tidied after the next trial
        found = study.files.numbers()
    if len(found) > keep:
        if isinstance(study.leases, PausingLeases):
            for number in found & study.retry(study.leases.find_hopeless):
                _discard(study, number)
        finished = {trial.number for trial in study.finished_trials()}
        front = list_trials(study) if study.config.cost is not None else []
        worth = [*find_best(study, keep, copies=False), *find_front_rows(front, study.config.cost or "")]
        for number in (found & finished) - {row.number for row in worth}:
            _discard(study, number)


def _note(note: str, notes: list[str], trial: LeasedTrial, say: SendEvent) -> None:
    """Say once what is to be known of a trial, and keep it for its facts."""
    if note not in notes:
        notes.append(note)
        say(Message(text=f"trial {trial.lease.number}: {note}"))
