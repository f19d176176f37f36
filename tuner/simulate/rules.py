"""Pruners as a replay asks them: after each epoch, and when a worker is free."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from typing import Any, Protocol, cast

import optuna
from optuna.pruners import BasePruner
from optuna.trial import TrialState

from ..config.pruners import PRUNERS
from ..config.study_config import StudyConfig
from ..errors import UsageError, nearest
from ..study.audit import find_audited
from ..study.promotion import SMALLEST_ERROR, Promotion, find_promoted, find_raced
from ..study.pruners import make_promotion, make_pruner
from .light_study import LightStudy


class Step(Enum):
    """What becomes of a trial after an epoch."""

    GO = "go on"
    STOP = "stop for good"
    PAUSE = "pause"


class Rule(Protocol):
    """The pruning side of one search. Trials are numbered in the order in which they begin; epochs count from 1."""

    def begin(self, trial: int) -> None:
        """A new trial begins."""

    def choose(self, *, more: bool) -> int | None:
        """A worker is free: the paused trial to go on with, or None. `more` says that a new trial may begin."""

    def report(self, trial: int, epoch: int, error: float) -> Step:
        """After an epoch that is not the last one."""

    def complete(self, trial: int, error: float) -> None:
        """After the last one."""


MakeRule = Callable[[int, int], Rule]  # from the longest training's epochs, and a seed


class Nothing:
    """Every trial is trained to its end."""

    def begin(self, trial: int) -> None: ...

    def choose(self, *, more: bool) -> int | None:
        return None

    def report(self, trial: int, epoch: int, error: float) -> Step:
        return Step.GO

    def complete(self, trial: int, error: float) -> None: ...


class Stopping(Nothing):
    """A pruner of Optuna's, its own code."""

    def __init__(self, pruner: BasePruner, epochs: int, seed: int) -> None:
        self._pruner = pruner
        self._epochs = epochs
        self._study = LightStudy(f"replay {seed}")

    def begin(self, trial: int) -> None:
        self._study.add_trial()

    def report(self, trial: int, epoch: int, error: float) -> Step:
        row = self._study.trials[trial]
        row.report(epoch, error)
        if not self._pruner.prune(cast(optuna.Study, self._study), cast(optuna.trial.FrozenTrial, row)):
            return Step.GO
        self._study.end_trial(trial, TrialState.PRUNED)
        return Step.STOP

    def complete(self, trial: int, error: float) -> None:
        self._study.trials[trial].report(self._epochs, error)
        self._study.end_trial(trial, TrialState.COMPLETE)


class Promoting:
    """Pause and promote, as a search does it: promotions, and new trials, until there are neither; then the race; then the
    audit, and the race again as far as what that found makes it worth while.

    What is kept is what a study's rows hold.
    """

    def __init__(self, rule: Promotion, seed: int = 0) -> None:
        self.rule = rule
        self.best: dict[int, list[float]] = {}
        self.final: dict[int, float] = {}
        self.paused: dict[int, int] = {}
        self.racing = False
        self._audited: set[int] = set()
        self._seed = seed

    def begin(self, trial: int) -> None:
        self.best[trial] = []

    def choose(self, *, more: bool) -> int | None:
        chosen = None if self.racing else find_promoted(self.rule, self.best, self.paused)
        if chosen is None and not more and self.paused:
            self.racing = True
            searched = {trial: error for trial, error in self.final.items() if trial not in self._audited}
            audited = {trial: error for trial, error in self.final.items() if trial in self._audited}
            if (chosen := find_raced(self.rule, self.best, searched, self.paused, audited=audited)) is not None:
                self._audited.discard(chosen)
            elif (chosen := find_audited(self.rule, self.best, self.paused, seed=self._seed)) is not None:
                self._audited.add(chosen)
        if chosen is not None:
            del self.paused[chosen]
        return chosen

    def report(self, trial: int, epoch: int, error: float) -> Step:
        self._keep(trial, error)
        if epoch not in (self.rule.levels if self.racing else self.rule.rungs):
            return Step.GO
        self.paused[trial] = epoch
        return Step.PAUSE

    def complete(self, trial: int, error: float) -> None:
        self.final[trial] = self._keep(trial, error)

    def _keep(self, trial: int, error: float) -> float:
        logarithm, curve = math.log(max(error, SMALLEST_ERROR)), self.best[trial]
        curve.append(min(logarithm, curve[-1]) if curve else logarithm)
        return logarithm


# The shipped studies' own options before they promoted; the other pruners as Optuna has them.
USUAL: Mapping[str, Mapping[str, Any]] = {"median": {"n_startup_trials": 5, "n_warmup_steps": 2}}


def find_rule(name: str, options: Mapping[str, Any] | None = None, *, val_images: int | None = None) -> MakeRule:
    """A pruner by its name in study files. `val_images` is how many images the errors are shares of, where it is known.

    Errors: UsageError for an unknown one, and for options that it does not take.
    """
    if name not in PRUNERS:
        raise UsageError(f"no pruner {name!r}: {nearest(name, PRUNERS)}")
    given = USUAL.get(name, {}) if options is None else options
    if not (PRUNERS[name].prunes or PRUNERS[name].pauses):
        return lambda epochs, seed: Nothing()

    def make(epochs: int, seed: int) -> Rule:
        config = StudyConfig(pruner=(name, dict(given)), fixed={"epochs": epochs})
        rule = make_promotion(config)
        return Stopping(make_pruner(config), epochs, seed) if rule is None else Promoting(replace(rule, val_images=val_images), seed)

    return make
