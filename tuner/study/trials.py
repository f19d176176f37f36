"""Trials as plain rows, for tables, files and machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from .. import __version__
from ..config.exported import DIGEST, digest_config
from ..config.objective import ACCURACY, OBJECTIVES, Objective
from ..config.trial_config import TrialConfig, read_config, write_config
from ..errors import NothingToShow, UsageError
from .counts import read_paused
from .objectives import read_accuracy
from .outcome import Outcome, read_outcome
from .study import Study

SPARE = 4  # trials that are read at once beyond those asked for, because some may not count


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    """One trial. `epochs` holds the figures of every epoch, `run` how it ended and what it cost; both may be empty."""

    number: int
    state: str
    value: float | None
    params: Mapping[str, Any]
    epochs: list[dict[str, Any]]
    run: Mapping[str, Any]
    config: TrialConfig | None
    start: int | None
    paused: bool = False  # waits at a rung; its reason says where it stands
    absent: tuple[str, ...] = ()  # the hyper-parameters that the conditions of the study's space leave out of it

    @property
    def objective(self) -> Objective:
        """What its value is."""
        return ACCURACY if self.config is None else OBJECTIVES[self.config.objective]

    @property
    def curve(self) -> list[float]:
        """The objective after each epoch."""
        return [epoch[self.objective.key] for epoch in self.epochs]

    @property
    def standing(self) -> str:
        """The state in a word for people."""
        return "paused" if self.paused else self.state.lower()

    @property
    def outcome(self) -> Outcome | None:
        """How the trial ended; None while it has not."""
        return read_outcome(self.state, self.run)

    @property
    def reason(self) -> str:
        """How the trial ended, in a sentence for people."""
        return str(self.run.get("reason", ""))

    @property
    def remark(self) -> str:
        """The reason, where the state and the curve do not say it all: a fault, figures that were taken over, a pause."""
        if self.paused or self.reason.startswith("paused at"):
            return self.reason if self.paused or self.state == "PRUNED" else ""
        return "" if self.outcome is None or self.outcome.is_usual else self.reason

    @property
    def seconds(self) -> float:
        """Training and validation time of all epochs."""
        return float(sum(epoch["seconds"] for epoch in self.epochs))

    def to_dict(self) -> dict[str, Any]:
        plain = {"number": self.number, "state": self.state, "value": self.value, "params": dict(self.params)}
        return plain | {"epochs": self.epochs, "run": dict(self.run), "start": self.start}


def read_trial(study: Study, trial: FrozenTrial, facts: Mapping[str, Any], *, paused: bool = False) -> TrialRow:
    """A trial with its facts as a row."""
    config = facts.get("config")
    changed = facts.get("set") or {}
    params = trial.params | {name: value for name, value in changed.items() if name not in trial.params}
    return TrialRow(
        number=trial.number,
        state=trial.state.name,
        value=read_accuracy(trial) if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) else None,
        params=params,
        epochs=list(facts.get("curve", [])),
        run={**facts.get("cost", {}), **facts.get("run", {})},
        config=TrialConfig.from_dict(config, f"trial {trial.number}") if config else None,
        start=facts.get("start"),
        paused=paused,
        absent=study.config.find_absent(params),
    )


def list_trials(study: Study) -> list[TrialRow]:
    """All trials by number."""
    paused = read_paused(study.storage, study.leases.study_id)
    rows = study.frozen_trials()
    known = zip(rows, study.read_facts(rows), strict=True)
    return [read_trial(study, row, facts, paused=row._trial_id in paused) for row, facts in known]


def find_best(study: Study, k: int = 1, *, copies: bool = True) -> list[TrialRow]:
    """The k COMPLETE trials whose objective is best, the earlier of two equals first; without `copies` only trained ones.

    Rows without a configuration were not trained by us (another tool ended them while they were in the queue) and do not count.
    """
    complete = [t for t in study.finished_trials() if t.state is TrialState.COMPLETE]
    ranked = sorted(complete, key=lambda t: (study.objective.place(read_accuracy(t)), t.number))
    found: list[TrialRow] = []
    at_once = k + SPARE
    while ranked and len(found) < k:
        some, ranked = ranked[:at_once], ranked[at_once:]
        for trial, facts in zip(some, study.read_facts(some), strict=True):
            if "config" in facts and (copies or "same_as" not in facts.get("run", {})):
                found.append(read_trial(study, trial, facts))
        at_once *= 2
    return found[:k]


def rank_complete(study: Study, *, copies: bool = True) -> list[FrozenTrial]:
    """All that `find_best` would return, as rows of Optuna's. Not copies: do not change them."""
    complete = [t for t in study.finished_trials() if t.state is TrialState.COMPLETE]
    known = zip(complete, study.read_facts(complete, "config", "run"), strict=True)
    ours = [trial for trial, facts in known if "config" in facts and (copies or "same_as" not in facts.get("run", {}))]
    return sorted(ours, key=lambda t: (study.objective.place(read_accuracy(t)), t.number))


def rank_rows(study: Study, rows: Iterable[TrialRow]) -> list[TrialRow]:
    """COMPLETE trials first, and of both kinds the best first: as pictures take them."""
    return sorted(rows, key=lambda row: (row.state != "COMPLETE", study.objective.place(row.value), row.number))


def choose_trial(study: Study, number: int | None) -> TrialRow:
    """The best trial, or the one of that number. Errors: NothingToShow without a COMPLETE one."""
    if number is not None:
        found = next((r for r in list_trials(study) if r.number == number), None)
        if found is None:
            raise UsageError(f"--trial {number}: study {study.name!r} has no such trial")
        if found.config is None:
            raise NothingToShow(f"trial {number} of study {study.name!r} has no configuration yet ({found.state})")
        return found
    top = find_best(study)
    if not top:
        raise NothingToShow(f"study {study.name!r} has no COMPLETE trial yet: go on with `tuner search {quote(study.name)}`")
    return top[0]


def count_epochs(trial: TrialRow) -> int:
    """The epoch whose figure is the value of a trial that has any: its last or its best, as its configuration says."""
    if trial.config is None or trial.config.value == "last":
        return len(trial.epochs)
    return int(min(trial.epochs, key=lambda epoch: trial.objective.place(epoch[trial.objective.key]))["epoch"])


def export_config(study: Study, trial: TrialRow) -> str:
    """The configuration file of a trial."""
    config, origin = describe_export(study, trial)
    code = study.config.code.get(config.data.source)
    return write_config(config, fingerprint=study.data, origin=origin, classes=study.classes, absent=trial.absent, data_code=code)


def is_export(study: Study, path: Path) -> bool:
    """Whether a file is the configuration of a trial of this study as it is exported: it can be had again."""
    try:
        config, origin, _ = read_config(path)
    except UsageError:
        return False
    row = next((row for row in list_trials(study) if row.number == origin.get("trial")), None)
    return origin.get("study") == study.name and row is not None and row.config is not None and describe_export(study, row)[0] == config


def describe_export(study: Study, trial: TrialRow) -> tuple[TrialConfig, dict[str, Any]]:
    """A trial's configuration as it is exported, and its origin. Where each trial has as many of the searched epochs as it earned,
    it names those."""
    assert trial.config is not None
    config, earned = trial.config, "epochs" in study.config.space and "epochs" not in study.config.drawn
    if earned and 0 < len(trial.epochs) < config.epochs:
        config = replace(config, epochs=len(trial.epochs))
    origin = {
        "study": study.name,
        "id": study.uid,
        "trial": trial.number,
        trial.objective.origin: trial.value,
        **({"epoch": count_epochs(trial)} if config.value == "best" and trial.epochs else {}),
        "state": trial.state,
        DIGEST: digest_config(config),
        "versions": {"tuner": __version__, **trial.run.get("versions", {})},
    }
    return config, origin
