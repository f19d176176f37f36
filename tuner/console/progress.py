"""The facts of a running search: what each worker trains, how well, and how long it will take; and the same as plain lines."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..config.conditions import When, holds, sort_by_condition
from ..config.hyperparameters import DEFAULTS, name_option, name_width
from ..config.objective import Objective
from ..config.trial_config import TrialConfig
from ..placement import Placement
from ..study.forecast import count_classes, list_points
from ..study.lease import Counts
from ..study.outcome import Outcome
from ..study.study import Study
from ..study.trials import find_best
from ..workers.events import EpochReported, Event, Message, NothingLeft, StepsTaken, TrialEnded, TrialStarted, Waiting, WorkerDied
from .text import format_duration, format_params, say
from .time_left import TimeLeft

LAST = 3  # finished trials that are remembered
# Why a paused trial goes on, in words.
TAKEN = {"promotion": "", "race": ", in the race to the end,", "audit": ", to check the pruner,", "time": ", as the time runs out,"}


@dataclass
class WorkerRow:
    """What one worker does: the trial that it trains, or a status."""

    trial: int | None = None
    epoch: int = 0
    epochs: int = 0
    steps: StepsTaken | None = None  # of an epoch that is not whole yet
    values: list[float] = field(default_factory=list)
    config: str = ""
    status: str = "starting"

    @property
    def trained(self) -> float:
        """Epochs, and the part of the one that is being trained."""
        return max(self.epoch, self.steps.epoch - 1 + self.steps.step / self.steps.steps) if self.steps is not None else self.epoch

    @property
    def place(self) -> str:
        """`3/6`, or `4/6 45%` within an epoch."""
        if self.steps is None or self.trained <= self.epoch:
            return f"{self.epoch}/{self.epochs}"
        return f"{self.steps.epoch}/{self.epochs} {self.steps.step / self.steps.steps:.0%}"


@dataclass(frozen=True, kw_only=True)
class FinishedRow:
    """A trial that ended while we looked; `value` is the objective's where it is COMPLETE, `best` the best one then."""

    trial: int
    state: str
    values: Sequence[float]
    config: str
    value: float | None
    best: float | None


class Progress:
    """The facts of a running search, from its workers' events; its subclasses show them, and this one nothing."""

    shows = False

    def __init__(self, study: Study, placements: Sequence[Placement], counts: Counts) -> None:
        self.name = study.name
        self.plan, self.seed = study.plan, study.config.seed
        self.names = tuple(study.config.drawn)
        self.conditions = study.config.conditions
        self.objective = study.objective
        self.placements = placements
        self.rows = [WorkerRow() for _ in placements]
        self.finished: deque[FinishedRow] = deque(maxlen=LAST)
        self.standing = counts
        self.began = time.monotonic()
        self._time_left = TimeLeft(len(placements), count_classes(study), list_points(study, quickly=True) if self.shows else [])
        top = find_best(study)
        self.best: tuple[int, float] | None = (top[0].number, float(top[0].value or 0)) if top else None

    def event(self, worker: int, event: Event) -> None:
        """Take in what a worker said."""
        match event:
            case TrialStarted(number=number, config=config, epoch=epoch):
                if self.shows:
                    self._time_left.begin(number, config, time.monotonic())
                shown = _short_config(config, self.names, self.conditions)
                if self.plan is not None:
                    shown = self.plan.describe(self.seed, config) or shown
                self.rows[worker] = WorkerRow(trial=number, epoch=epoch, epochs=config.epochs, config=shown, status="training")
            case EpochReported(number=number, score=score, epochs=epochs, new=new):
                self._time_left.epoch(number, score.epoch, score.seconds, new=new)
                row = self.rows[worker]
                row.epoch, row.epochs = score.epoch, epochs
                row.values.append(score.read(self.objective) or 0.0)
            case StepsTaken():
                self.rows[worker].steps = event
            case TrialEnded():
                self._count_end(event, self.rows[worker])
                self.rows[worker] = WorkerRow(status="claiming")
            case Waiting():
                self.rows[worker] = WorkerRow(status="waiting for other workers' trials")
            case NothingLeft():
                self.rows[worker] = WorkerRow(status="done")
            case WorkerDied():
                self.rows[worker] = WorkerRow(status="starting again")

    def _count_end(self, event: TrialEnded, row: WorkerRow) -> None:
        if event.outcome.state in ("COMPLETE", "PRUNED"):
            self._time_left.end(event.number, time.monotonic())
        if event.value is not None and (self.best is None or self.objective.is_better(event.value, self.best[1])):
            self.best = (event.number, event.value)
        if event.outcome.state in ("COMPLETE", "PRUNED", "FAIL"):
            own = row if row.trial == event.number else WorkerRow()  # not of a trial that another worker lost
            best = None if self.best is None else self.best[1]
            ended = FinishedRow(
                trial=event.number,
                state=event.outcome.state.lower(),
                values=own.values,
                config=own.config,
                value=event.value,
                best=best,
            )
            self.finished.append(ended)

    def counts(self, counts: Counts) -> None:
        self.standing = counts

    def say(self, line: str) -> None:
        """A remark that stays on the screen."""

    def left(self) -> str:
        """Time left by what the trials of this search cost; nothing until one has ended. What a budget leaves is never exceeded.

        Where trials pause, nobody knows which go on: then only a budget says how long it can be.
        """
        counts = self.standing
        within = None if counts.budget is None else max(0.0, counts.budget - counts.spent) / max(1, len(self.placements))
        trained = {row.trial: row.trained for row in self.rows if row.trial is not None and row.epochs}
        seconds = None if counts.rungs else self._time_left.estimate(counts.n_trials - counts.finished, trained)
        if seconds is not None and (within is None or seconds <= within):
            return f"about {format_duration(seconds)} left"
        return "" if within is None else f"at most about {format_duration(within)} left"

    def summary(self) -> str:
        counts = self.standing
        parts = [f"{counts.finished} of {counts.n_trials} trials", f"{counts.pruned} pruned"]
        if counts.rungs:
            parts[1] = f"{counts.paused} paused, {counts.promoted} promoted"
        if counts.fail:
            parts.append(f"{counts.fail} failed")
        if counts.budget is not None:
            parts.append(f"{format_duration(counts.spent)} of {format_duration(counts.budget)} spent")
        if self.best is not None:
            parts.append(f"best {self.best[1]:.4f} (trial {self.best[0]})")
        return ", ".join(parts)

    def describe_rungs(self) -> str:
        """How many trials pause at each epoch; nothing where none does."""
        at = ", ".join(f"{count} at epoch {epoch}" for epoch, count in self.standing.rungs.items())
        return f"paused are {at}" if at else ""


class PlainProgress(Progress):
    """One line an event, for logs and pipes; an epoch is printed once, however often its trial is resumed."""

    shows = True

    def __init__(self, study: Study, placements: Sequence[Placement], counts: Counts) -> None:
        super().__init__(study, placements, counts)
        self._told: dict[int, set[int]] = {}  # epochs by trial; those of an earlier search count as told
        self._summed_up = (counts.finished, counts.fail, self.best)

    def event(self, worker: int, event: Event) -> None:
        super().event(worker, event)
        match event:
            case TrialStarted(number=number, epoch=epoch, taken=taken):
                self._told.setdefault(number, set(range(1, epoch + 1)))
                again = f" from epoch {epoch + 1}" if epoch else ""
                begins = f"goes on{TAKEN[taken]}" if taken else "begins"
                say(f"trial {number} {begins}{again}: {self.rows[worker].config}")
            case EpochReported(number=number, score=score):
                told = self._told.setdefault(number, set())
                if score.epoch not in told:
                    told.add(score.epoch)
                    say(_epoch_line(event, self.objective))
            case _:
                if text := remark(event, self.objective):
                    say(text)

    def counts(self, counts: Counts) -> None:
        super().counts(counts)
        standing = (counts.finished, counts.fail, self.best)  # the database may know of an end before its worker has said the value
        if standing != self._summed_up:
            self._summed_up = standing
            say("; ".join(part for part in (self.summary(), self.describe_rungs(), self.left()) if part))

    def say(self, line: str) -> None:
        say(line)


def remark(event: Event, objective: Objective) -> str:
    """The line that an event leaves behind, if any."""
    match event:
        case Message(text=text) | WorkerDied(text=text):
            return text
        case TrialEnded(outcome=Outcome.TAKEN_OVER | Outcome.ENDED_BY_OTHER_TOOL, reason=reason):
            return reason
        case TrialEnded(number=number, outcome=Outcome.PAUSED, reason=reason):
            return f"trial {number} {reason}"
        case NothingLeft(settled=int(settled)) if settled:
            return f"{settled} paused trials are left where they are: none of them is likely enough to be the best"
        case TrialEnded(number=number, outcome=outcome, reason=reason, value=float(value)):
            note = "" if outcome.is_usual else f" ({reason})"
            return f"trial {number} complete: validation {objective.title} {value:.4f}{note}"
        case TrialEnded(number=number, outcome=outcome, reason=reason):
            return f"trial {number} {outcome.state.lower()}: {reason}"
    return ""


def _epoch_line(event: EpochReported, objective: Objective) -> str:
    score = event.score
    beside = "" if objective.key in ("val_loss", "val_accuracy") else f" {objective.title} {score.read(objective):.4f}"
    return (
        f"trial {event.number} epoch {score.epoch}/{event.epochs}: "
        f"train loss {score.train_loss:.4f} accuracy {score.train_accuracy:.4f}, "
        f"val loss {score.val_loss:.4f} accuracy {score.val_accuracy:.4f}{beside}, {score.seconds:.1f} s"
    )


def _short_config(config: TrialConfig, searched: Sequence[str], conditions: Mapping[str, When]) -> str:
    """What the study searches, with the trial's values."""
    values = {name: getattr(config, name) for name in DEFAULTS}
    values |= {name_width(pattern): factor for pattern, factor in config.widths.items()}
    values |= {name_option(option): value for option, value in config.network.items()}
    for name in sort_by_condition(conditions):
        if not holds(conditions[name], values):
            values.pop(name, None)
    shown = [name for name in searched if name in values] or ["model", "lr", "batch_size", "epochs"]
    return format_params({name: values[name] for name in shown})
