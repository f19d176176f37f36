"""What becomes of each epoch of a trial: its checkpoint counts, then it is reported, then the pruner is asked."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from ..config.trial_config import TrialConfig
from ..training.checkpoint_writer import CheckpointWriter
from ..training.run import Run
from ..training.score import Score
from .budget import OutOfBudget, TrialBudget
from .events import EpochReported, Event
from .leased_trial import LeasedTrial
from .watch import Watch


class BelowOthers(Exception):
    """The study's pruner ends the trial; the text says at which epoch and behind what."""


class Paused(Exception):
    """The study's pruner leaves the trial where it is for now; the text says where it stands."""


class Reporter:
    """Takes the epochs of one trial. An epoch is reported as soon as its checkpoint is written, which is beside the next one.

    `note` is told once what is to be known of the trial; `collect_facts` gives what is stored with a pause, from its reason and the
    run. Errors of every call: BelowOthers, Paused, OutOfBudget, those of a leased trial's writes, and those of writing the checkpoint.
    """

    def __init__(
        self,
        trial: LeasedTrial,
        config: TrialConfig,
        writer: CheckpointWriter,
        watch: Watch,
        say: Callable[[Event], None],
        note: Callable[[str], None],
        collect_facts: Callable[[str, Run | None], dict[str, Any]],
        budget: TrialBudget | None = None,
    ) -> None:
        self._trial = trial
        self._config = config
        self._writer = writer
        self._watch = watch
        self._say = say
        self._note = note
        self._collect_facts = collect_facts
        self._budget = budget or TrialBudget(trial, config)
        # The run asks us before each step: held here, it would be a cycle, and a device's memory stay until it is collected.
        self._run: Callable[[], Run | None] = lambda: None

    def follow(self, run: Run) -> None:
        """Train the run to its end. The epochs that it has already are reported too, and the last of them judged."""
        trained = len(run.curve)
        self._run = weakref.ref(run)
        self._watch.rest()
        try:
            for score in run.epochs():
                if score.epoch <= trained:
                    self._report(score, new=False, judged=score.epoch == trained)
                else:
                    self._watch.end_epoch()
                    self.settle()
                    self._writer.begin(run, score)
                    if run.captured is not None and run.captured.refusal:
                        self._note(f"steps are not replayed from a CUDA graph: {run.captured.refusal}")
        except Exception:
            self.settle()  # what ends the trial in one epoch takes nothing from the one before
            raise
        self.settle()

    def look(self) -> None:
        """Between two steps: report the epoch before where its checkpoint is written by now."""
        if self._writer.written:
            self.settle()

    def settle(self) -> None:
        """Report what is not reported yet, once its checkpoint is written."""
        self._watch.begin("checkpoint")
        score = self._writer.commit(self._prove)
        self._watch.rest()
        if score is not None:
            self._report(score, new=True, judged=True)

    def _prove(self) -> None:
        self._watch.rest()
        self._trial.prove()
        self._watch.begin("checkpoint")

    def _report(self, score: Score, *, new: bool, judged: bool) -> None:
        with self._trial.study.storage.visit():
            self._trial.report(score)
            self._say(EpochReported(number=self._trial.lease.number, epochs=self._config.epochs, score=score, new=new))
            lacking = self._budget.note() if judged else None
            if score.epoch >= self._config.epochs:
                self._trial.study.storage.linger()  # it ends next
                return
            if not judged:
                return
            if (reason := self._trial.pause(score.epoch, lambda reason: self._collect_facts(reason, self._run()))) is not None:
                raise Paused(reason)
            below = self._trial.should_prune()
        if below:
            where = "above" if self._trial.study.objective.minimized else "below"
            raise BelowOthers(f"{where} the others at epoch {score.epoch}: {self._trial.describe_standing(score)}")
        if lacking is not None:
            raise OutOfBudget(lacking)
