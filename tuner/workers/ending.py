"""How a trial ended, and what is written with it: its reason, and what it cost."""

from __future__ import annotations

import contextlib
import traceback
from dataclasses import dataclass
from typing import Any

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DataError, SQLAlchemyError

from ..config.trial_config import TrialConfig
from ..errors import Interrupted, TunerError
from ..models.own_code import find_line
from ..placement import Placement
from ..study.lease import EndedByOtherTool, LeaseLost
from ..study.outcome import Outcome
from ..study.retry import StorageAway
from ..study.sizes import find_size
from ..study.storage import NotOpen, read_first_line
from ..training import memory
from ..training.provenance import name_device, name_fp32_convolutions, read_commit, read_device_versions, read_versions
from ..training.run import Diverged, Run, Stopped
from .latency import TooSlow
from .leased_trial import LeasedTrial


class DeviceLost(Exception):
    """A GPU error after which nothing works in this process any more; the text is the error."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a trial ended. `infeasible` names a fault that the sampler should learn from, and `violation` says how great it is."""

    outcome: Outcome
    reason: str
    value: float | None = None
    infeasible: str | None = None
    violation: float = 1.0
    trace: str | None = None


def judge(fault: Exception, device: str) -> Ending:
    """The ending of a trial that met a fault, wherever between its claim and its end.

    What is not the trial's own is raised again: a lost lease, a stop while the database was away, the database itself.
    A GPU that is lost is DeviceLost.
    """
    if isinstance(fault, (LeaseLost, EndedByOtherTool, StorageAway, NotOpen, Interrupted)) or _is_storage_s(fault):
        raise fault
    match fault:
        case Stopped():
            return Ending(outcome=Outcome.STOPPED, reason="stopped: back in the queue")
        case Diverged():
            return Ending(outcome=Outcome.DIVERGED, reason=f"diverged: {fault}", infeasible="diverged")
        case TooSlow():
            return Ending(outcome=Outcome.TOO_SLOW, reason=str(fault), infeasible="milliseconds", violation=fault.excess - 1)
        case TunerError():
            return Ending(outcome=Outcome.ERROR, reason=fault.message)
    if memory.is_out_of_memory(fault):
        reason = f"out of memory: {read_first_line(fault)[:200]}"
        return Ending(outcome=Outcome.OUT_OF_MEMORY, reason=reason, infeasible="memory")
    if memory.is_lost(device):
        raise DeviceLost(read_first_line(fault)[:500]) from None
    line = find_line(fault)  # of a network of the user's own
    reason = f"{'' if line is None else f'{line}: '}{type(fault).__name__}: {read_first_line(fault)}"[:500]
    trace = "".join(traceback.format_exception(fault, limit=-8))
    return Ending(outcome=Outcome.ERROR, reason=reason, trace=trace)


def _is_storage_s(fault: Exception) -> bool:
    """Whether the database fails, and not what the trial wrote to it."""
    cause = fault.__cause__ if isinstance(fault, StorageInternalError) else fault
    return isinstance(cause, SQLAlchemyError) and not isinstance(cause, DataError)


def collect_facts(
    ending: Ending, notes: list[str], trial: LeasedTrial, config: TrialConfig, run: Run | None, placement: Placement
) -> dict[str, Any]:
    """What stands on the trial beside its curve: why it ended, and what it cost."""
    facts = name_ending(ending, trial) | trial.cost
    if notes:
        facts["notes"] = notes
    seconds = [score["seconds"] for score in trial.curve]
    if run is not None:
        facts |= {"parameters": run.parameters} | _find_macs(config, run)
        if seconds:
            facts["images_per_second"] = round(len(run.train) * len(seconds) / sum(seconds), 1)
        if run.captured is not None:
            facts["captured"] = not run.captured.refusal
    return facts | {
        "epoch_seconds": [round(s, 4) for s in seconds],
        "peak_memory_mb": memory.read_peak(placement.device),
        "device": name_device(placement.device),
        "fp32_convolutions": name_fp32_convolutions(placement.device),
        "threads": config.threads,
        "versions": {**read_versions(), **read_device_versions(placement.device)},
        "commit": read_commit(),
    }


def _find_macs(config: TrialConfig, run: Run) -> dict[str, int]:
    """Multiply-adds of one image; nothing where they cannot be counted: that is no reason to end a trial otherwise."""
    with contextlib.suppress(Exception):
        return {"macs": find_size(config, run.classes)["macs"]}
    return {}


def name_ending(ending: Ending, trial: LeasedTrial) -> dict[str, Any]:
    """The least that is written with an ending: what can be said of a trial that was not trained."""
    facts: dict[str, Any] = {"reason": ending.reason, "outcome": ending.outcome, "workers_lost": trial.lease.crashes}
    if ending.trace:
        facts["traceback"] = ending.trace
    return facts
