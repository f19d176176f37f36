"""A trial that a worker holds the lease of: every write of it proves the lease first."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..config.pruners import PRUNERS
from ..config.samplers import SAMPLERS, SamplerSpec
from ..config.trial_config import TrialConfig
from ..study.facts import read_facts, write_facts, write_run
from ..study.finished import OptunaStudy
from ..study.frozen import read_trial
from ..study.lease import FORGIVEN, Lease, read_lease_seconds
from ..study.objectives import make_values
from ..study.outcome import Outcome
from ..study.pausing import PausingLeases
from ..study.search_space import count_configurations, put_on_steps
from ..study.study import Study
from ..training.score import Score
from .draws import Drawn, draw, name_faults

T = TypeVar("T")
MOST_MICRO_BATCHES = 4


class LeasedTrial:
    """A trial, as the worker that holds its lease reads and writes it. Errors of every write: LeaseLost, EndedByOtherTool."""

    def __init__(self, study: Study, lease: Lease) -> None:
        self.study = study
        self.lease = lease
        self.curve: list[dict[str, Any]] = []
        self._frozen: FrozenTrial | None = None  # as it stood when it was configured, and what was reported since
        self._facts: dict[str, Any] = {}  # as they stood then
        self._optuna_study: OptunaStudy | None = None
        self._stored_curve = 0  # epochs of it that the storage has
        self._proved = study.retry.clock()
        self.code_was: str | None = None  # the digest of the network's file before it was changed
        self._forgiven = False  # whether the crashes before this lease are

    @property
    def reported(self) -> bool:
        """Whether the storage has any epoch of this trial."""
        return self._frozen is not None and bool(self._frozen.intermediate_values)

    @property
    def notes(self) -> list[str]:
        """What was noted of the trial before it paused."""
        return list(self._facts.get("run", {}).get("notes", []))

    @property
    def storage(self) -> optuna.storages.BaseStorage:
        return self.study.storage.optuna

    def optuna_study(self) -> OptunaStudy:
        """Optuna's study, made once, and anew over a storage whose cache was dropped."""
        if self._optuna_study is None or self._optuna_study._storage is not self.storage:
            self._optuna_study = self.study.optuna_study(carried=True)
        return self._optuna_study

    def frozen(self) -> FrozenTrial:
        with self.study.storage.connect() as connection:
            return read_trial(connection, self.lease.trial_id)

    def configure(self, *, threads: int, precision: str) -> TrialConfig:
        """The trial's configuration: as stored, or drawn now, and stored with all parameters in one transaction.

        No connection is held while a sampler draws: where a study has many trials, that takes a second of a core. But points of a
        sequence or of a finite space are drawn under the study's lock, so that no two workers draw the same.
        Errors: CannotDraw for a row that another tool filled with what the space does not hold, or a sampler that fails.
        """
        sampler = SAMPLERS[self.study.config.sampler[0]]
        finite = count_configurations(self.study.config) is not None and bool(self.study.config.drawn)

        def sample(frozen: FrozenTrial, seen: optuna.Study) -> Drawn:
            return draw(self.study, seen, frozen, self._facts.get("set", {}), threads=threads, precision=precision)

        def draw_alone() -> TrialConfig:
            frozen, found = self._read_stored()
            return found or self._store(sample(frozen, self.optuna_study()))

        if finite or sampler.sequence:
            return self._write(name_faults(draw_alone), alone=True)
        with self.study.storage.visit():
            frozen, found = self._write(name_faults(self._read_stored))
            if found is not None:
                return found
            seen = self.study.retry(lambda: self._read_for(sampler))
        drawn = self.study.retry(name_faults(lambda: sample(frozen, seen)))
        return self._write(name_faults(lambda: self._store(drawn)))

    def _read_stored(self) -> tuple[FrozenTrial, TrialConfig | None]:
        """The trial as it stands, and the configuration that it has already."""
        frozen = self.frozen()
        [self._facts] = read_facts(self.study.storage, self.study.leases.study_id, [frozen])
        if "config" not in self._facts:
            return frozen, None
        self._frozen = frozen
        return frozen, self._with_code_of_today(TrialConfig.from_dict(self._facts["config"], f"trial {self.lease.number}"))

    def _read_for(self, sampler: SamplerSpec) -> optuna.Study:
        """The study as the sampler is to see it, with what it asks for read already."""
        seen = self.optuna_study().read_once()
        seen.finished()
        if sampler.learns:
            seen.running()
        return seen

    def _store(self, drawn: Drawn) -> TrialConfig:
        drawn.drawing.store()
        self._put(config=drawn.config.to_dict(), **({"cost": drawn.cost} if drawn.cost else {}))
        self._facts["cost"] = drawn.cost
        self._frozen = self.frozen()
        self.study.storage.linger()  # whether it is to be trained is asked next
        return drawn.config

    @property
    def cost(self) -> dict[str, Any]:
        """What is known of the cost of its network, by the names of `config/limits.py`, and of how many draws it is the last."""
        return dict(self._facts.get("cost", {}))

    def keep_latency(self, milliseconds: float) -> None:
        """Store what was measured with the trial."""
        self._facts["cost"] = {**self.cost, "milliseconds": milliseconds}
        self._write(lambda: self._put(cost=self.cost))

    def _with_code_of_today(self, config: TrialConfig) -> TrialConfig:
        """Where the user accepted another file of his network, the trial goes on with that, and says so."""
        code = self.study.config.code.get(config.model)
        if code == config.code:
            return config
        self.code_was, config = config.code, replace(config, code=code)
        self._put(config=config.to_dict())
        return config

    def split_batches(self, config: TrialConfig) -> TrialConfig | None:
        """The configuration with batches in twice as many pieces, stored with the trial; None where that is no way any more."""
        count = 2 * config.micro_batches
        if count > min(MOST_MICRO_BATCHES, config.batch_size):
            return None
        smaller = replace(config, micro_batches=count)
        self._write(lambda: self._put(config=smaller.to_dict()))
        self.curve.clear()  # it comes again, from the checkpoint
        return smaller

    def report(self, score: Score) -> None:
        """Keep the epoch's figures with the trial, unless it has them: a repeated report changes nothing."""
        objective = self.study.objective
        value = score.read(objective)
        assert value is not None, "a trial is scored on its validation part"
        assert self._frozen is not None, "configure comes first"
        self.curve.append(score.to_dict())
        if self.study.config.value == "best":  # what pruners compare is what the trial would end with here
            value = objective.find_best(each[objective.key] for each in self.curve)
        if score.epoch in self._frozen.intermediate_values:
            return

        def put() -> None:
            self.storage.set_trial_intermediate_value(self.lease.trial_id, score.epoch, value)
            self._put(curve=self.curve)
            if self.lease.crashes and not self._forgiven:  # it went on: what ended its workers was not the trial
                self._put(**{FORGIVEN: self.lease.crashes})

        self._write(put)
        self._forgiven = True
        self._frozen.intermediate_values[score.epoch] = value
        self._stored_curve = len(self.curve)

    def should_prune(self) -> bool:
        """What the study's pruner says of the last epoch reported."""
        spec, frozen = PRUNERS[self.study.config.pruner[0]], self._frozen
        assert frozen is not None, "configure comes first"
        if not spec.prunes:
            return False

        def judge(trial: FrozenTrial) -> bool:
            # Pruners compare with the study's own trials.
            study = self.study.optuna_study() if self.study.earlier else self.optuna_study()
            return bool(study.pruner.prune(study, trial))

        return self._write(lambda: judge(self.frozen())) if spec.writes else self.study.retry(lambda: judge(frozen))

    def pause(self, epoch: int, collect_facts: Callable[[str], dict[str, Any]]) -> str | None:
        """Pause after this epoch, where the study's pruner leaves the trial there. The reason; None where it goes on."""
        leases, frozen = self.study.leases, self._frozen
        assert frozen is not None, "configure comes first"
        if not isinstance(leases, PausingLeases):
            return None

        def prepare(reason: str) -> None:
            self._put_run(collect_facts(reason))
            # Other tools list a waiting trial by what is fixed for it.
            self.storage.set_trial_system_attr(self.lease.trial_id, "fixed_params", frozen.params)

        return leases.pause(self.lease, epoch, prepare)

    def describe_standing(self, score: Score) -> str:
        """The epoch's value beside what others had there: those that pruners compare with, trained to their end if there are any."""
        rows = [row for row in self.study.frozen_trials() if row.number != self.lease.number]
        ended = [row for row in rows if row.state is TrialState.COMPLETE and score.epoch in row.intermediate_values]
        others = ended or [row for row in rows if score.epoch in row.intermediate_values]
        assert self._frozen is not None, "configure comes first"
        mine = self._frozen.intermediate_values[score.epoch]
        if not others:
            return f"{mine:.4f}"
        middle = statistics.median(row.intermediate_values[score.epoch] for row in others)
        return f"{mine:.4f}, where the median of {len(others)} others was {middle:.4f}"

    def finish(
        self, state: TrialState, facts: dict[str, Any], *, value: float | None = None, infeasible: str | None = None, violation: float = 1.0
    ) -> None:
        """End the trial with its outcome and its costs.

        `infeasible` names why no sampler should go there again, and `violation` says how far it was from where it may.
        """

        def end() -> None:
            self._keep(facts)
            if infeasible is not None:
                optuna.Trial(self.optuna_study(), self.lease.trial_id).set_constraint(infeasible, violation)
            self.optuna_study().tell(self.lease.number, make_values(self.study.config, value, self.cost), state=state)

        self.study.leases.finish(self.lease, end)

    def fail(self, facts: dict[str, Any]) -> None:
        """End a row as FAIL. The sampler is not asked: it may be what is at fault."""

        def end() -> None:
            self._keep(facts)
            self.storage.set_trial_state_values(self.lease.trial_id, TrialState.FAIL)

        self.study.leases.finish(self.lease, end)

    def _keep(self, facts: dict[str, Any]) -> None:
        """Write the trial's facts, and its curve where the storage has less of it."""
        self._put_run(facts)
        if self.curve and len(self.curve) != self._stored_curve:
            self._put(curve=self.curve)

    def _put(self, **named: Any) -> None:
        write_facts(self.study.storage, self.study.leases.study_id, self.lease.trial_id, **named)

    def _put_run(self, run: dict[str, Any]) -> None:
        write_run(self.study.storage, self.study.leases.study_id, self.lease.trial_id, run)

    def find_duplicate(self, config: TrialConfig) -> FrozenTrial | None:
        """A COMPLETE trial of the very same configuration, but for its seed and what depends on the machine."""
        assert self._frozen is not None, "configure comes first"
        space = self.study.config
        mine = put_on_steps(space, config)
        for other in self.study.find_alike(self._frozen.params):  # in a study of thousands few configurations are looked at whole
            if other.number == self.lease.number:
                continue
            [facts] = self.study.read_facts([other], "config")
            theirs = facts.get("config")
            if theirs is not None and put_on_steps(space, TrialConfig.from_dict(theirs)).same_but_for(
                mine, "seed", "threads", "micro_batches"
            ):
                return other
        return None

    def take_over(self, other: FrozenTrial) -> None:
        """End as a COMPLETE trial with the figures of another."""
        [theirs] = self.study.read_facts([other], "config", "curve", "run")

        def copy() -> None:
            for step, value in other.intermediate_values.items():
                self.storage.set_trial_intermediate_value(self.lease.trial_id, step, value)
            self._put(config=theirs["config"], curve=theirs.get("curve", []))
            reason = f"same configuration as trial {other.number}: took over its figures"
            self._put_run({**theirs.get("run", {}), **self.cost, "reason": reason, "outcome": Outcome.SAME_AS, "same_as": other.number})
            self.storage.set_trial_user_attr(self.lease.trial_id, "same_as", other.number)
            self.optuna_study().tell(self.lease.number, other.values, state=TrialState.COMPLETE)

        self.study.leases.finish(self.lease, copy)

    def prove(self) -> None:
        """Check that the trial is still ours before files are written.

        The database is asked only where so long has passed that another worker could have taken the trial: one that
        slept, and wakes late.
        """
        if self.study.retry.clock() - self._proved > read_lease_seconds() / 2:
            self._write(lambda: None)

    def _write(self, call: Callable[[], T], *, alone: bool = False) -> T:
        began = self.study.retry.clock()
        result = self.study.leases.write(self.lease, call, alone=alone)
        self._proved = began
        return result
