"""One trial in a worker's hands: every write of it proves the lease first."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

import optuna
from optuna.trial import FrozenTrial, TrialState

from .config import TrialConfig
from .metrics import Score
from .space import seed_of, suggest
from .study.claim import Claim, lease_seconds
from .study.record import Record

T = TypeVar("T")


class ClaimedTrial:
    """What a training run says to its trial. Errors of every write: LeaseLost, EndedOutside."""

    def __init__(self, record: Record, claim: Claim) -> None:
        self.record = record
        self.claim = claim
        self.curve: list[dict[str, Any]] = []
        self._frozen: FrozenTrial | None = None  # as it stood when it was configured, and what was reported since
        self._study: optuna.Study | None = None
        self._stored_curve = 0  # epochs of it that the storage has
        self._proved = time.time()

    @property
    def reported(self) -> bool:
        """Whether the storage has any epoch of this trial."""
        return self._frozen is not None and bool(self._frozen.intermediate_values)

    @property
    def storage(self) -> optuna.storages.BaseStorage:
        return self.record.storage.optuna

    def study(self) -> optuna.Study:
        """Optuna's study, made once, and anew over a storage whose cache was dropped."""
        if self._study is None or self._study._storage is not self.storage:
            self._study = self.record.study()
        return self._study

    def frozen(self) -> FrozenTrial:
        return self.storage.get_trial(self.claim.trial_id)

    def configure(self, *, threads: int, precision: str) -> TrialConfig:
        """The trial's configuration: as recorded, or drawn now, all parameters in one transaction."""
        study_config = self.record.config
        # Points that are counted off (grid, quasi Monte Carlo) are drawn under the study's lock.
        alone = study_config.sampler[0] in ("grid", "qmc")

        def draw() -> TrialConfig:
            self.storage.get_all_trials(self.record.ledger.study_id, deepcopy=False)  # the cache must know the row
            trial = optuna.Trial(self.study(), self.claim.trial_id)
            stored = trial.user_attrs.get("config")
            if stored is not None:
                self._frozen = self.frozen()
                return TrialConfig.from_dict(stored, f"trial {self.claim.number}")
            config = suggest(
                trial,
                study_config,
                trial.user_attrs.get("set", {}),
                seed=seed_of(study_config.seed, "trial", self.claim.number),
                threads=threads,
                precision=precision,
            )
            trial.set_user_attr("config", config.to_dict())
            self._frozen = self.frozen()
            return config

        return self._write(draw, alone=alone)

    def report(self, score: Score) -> None:
        """Keep the epoch's figures with the trial, unless it has them: a repeated report changes nothing."""
        value = score.val_accuracy
        assert value is not None, "a trial is scored on its validation part"
        assert self._frozen is not None, "configure comes first"
        self.curve.append(asdict(score))
        if score.epoch in self._frozen.intermediate_values:
            return

        def put() -> None:
            self.storage.set_trial_intermediate_value(self.claim.trial_id, score.epoch, value)
            self.storage.set_trial_user_attr(self.claim.trial_id, "curve", self.curve)

        self._write(put)
        self._frozen.intermediate_values[score.epoch] = value
        self._stored_curve = len(self.curve)

    def should_prune(self) -> bool:
        """What the study's pruner says of the last epoch reported."""
        study, frozen = self.study(), self._frozen
        assert frozen is not None, "configure comes first"
        name = self.record.config.pruner[0]
        if name == "none":
            return False
        if name in ("sha", "hyperband"):  # these keep their rungs on the trial
            return self._write(lambda: bool(study.pruner.prune(study, self.frozen())))
        return self.record.ledger.patience(lambda: bool(study.pruner.prune(study, frozen)))

    def finish(self, state: TrialState, facts: dict[str, Any], *, value: float | None = None, infeasible: str | None = None) -> None:
        """End the trial with its reason and its costs. `infeasible` names why no sampler should go there again."""

        def end() -> None:
            self.storage.set_trial_user_attr(self.claim.trial_id, "run", facts)
            if self.curve and len(self.curve) != self._stored_curve:
                self.storage.set_trial_user_attr(self.claim.trial_id, "curve", self.curve)
            if infeasible is not None:
                optuna.Trial(self.study(), self.claim.trial_id).set_constraint(infeasible, 1.0)
            self.study().tell(self.claim.number, value, state=state)

        self.record.ledger.finish(self.claim, end)

    def duplicate(self, config: TrialConfig) -> FrozenTrial | None:
        """A COMPLETE trial of the very same configuration, but for its seed and its number of threads."""
        assert self._frozen is not None, "configure comes first"
        wanted = _essence(config.to_dict())
        for other in self.record.finished_trials():
            # What was drawn is compared first: in a study of thousands few configurations are looked at whole.
            if other.state is TrialState.COMPLETE and other.params == self._frozen.params and other.number != self.claim.number:
                theirs = other.user_attrs.get("config")
                if theirs is not None and _essence(theirs) == wanted:
                    return other
        return None

    def take_over(self, other: FrozenTrial) -> None:
        """End as a COMPLETE trial with the figures of another."""
        curve, run = other.user_attrs.get("curve", []), other.user_attrs.get("run", {})

        def copy() -> None:
            for step, value in other.intermediate_values.items():
                self.storage.set_trial_intermediate_value(self.claim.trial_id, step, value)
            self.storage.set_trial_user_attr(self.claim.trial_id, "config", other.user_attrs["config"])
            self.storage.set_trial_user_attr(self.claim.trial_id, "curve", curve)
            facts = {**run, "reason": f"same configuration as trial {other.number}: took over its figures", "same_as": other.number}
            self.storage.set_trial_user_attr(self.claim.trial_id, "run", facts)
            self.study().tell(self.claim.number, other.value, state=TrialState.COMPLETE)

        self.record.ledger.finish(self.claim, copy)

    def prove(self) -> None:
        """That the trial is still ours, asked only where somebody could have taken it: one woken late must not write files either."""
        if abs(time.time() - self._proved) > lease_seconds() / 2:
            self._write(lambda: None)

    def _write(self, call: Callable[[], T], *, alone: bool = False) -> T:
        began = time.time()
        result = self.record.ledger.write(self.claim, call, alone=alone)
        self._proved = began
        return result


def _essence(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in ("seed", "threads")}
