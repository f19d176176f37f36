"""A study's confirmation: its best configurations and its first start row, trained again on further seeds.

It is a study beside the study, with a row for each training: so it has the queue, the leases, the checkpoints and the workers of a
search, and counts among nobody's trials. It names its study by its id, and is found by that, whatever either is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any

from optuna.trial import TrialState

from ..config.hyperparameters import DEFAULTS, name_option, name_width
from ..config.limits import Limits
from ..config.study_config import StudyConfig
from ..config.study_files import LONGEST_NAME
from ..config.trial_config import TrialConfig
from ..errors import NothingToShow, UsageError
from ..models import find_model
from ..models.finetuned import is_torchvisions
from .contestants import CONFIRMS, PLAN, Contestant, Plan
from .outcome import read_outcome
from .paired import Difference, Mean, compare_pairs, measure_mean
from .search_space import applies
from .studies import create_or_load, load
from .study import Study
from .trials import find_best

PRECISION = "precision"  # of the study's decisions, those that hold for its confirmation too
WORKERS = "workers on "
ENDING = ".confirmation"


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """A contestant's result: an accuracy for each seed in their order, and their mean.

    `left_out` says why it has none: the outcomes of its trainings that were not completed, one each.
    """

    number: int
    start: bool
    values: tuple[float, ...]
    mean: Mean | None
    parameters: int | None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a confirmation of `seeds` seeds found: the contestants, the highest mean first, and every pair of those that have one."""

    seeds: int
    train: int
    validation: int
    contestants: tuple[Confirmed, ...]
    differences: tuple[Difference, ...]

    @property
    def winner(self) -> int | None:
        """The trial of the highest mean, the earlier of two equals. Others may not be told apart from it."""
        first = self.contestants[0]
        return None if first.mean is None else first.number

    @property
    def start(self) -> int | None:
        """The trial that is the study's first start row."""
        return next((each.number for each in self.contestants if each.start), None)

    def find(self, number: int) -> Confirmed:
        return next(each for each in self.contestants if each.number == number)

    def compare(self, first: int, second: int) -> Difference:
        """How the two differ, whichever of them is the better one."""
        return next(each for each in self.differences if {each.first, each.second} == {first, second})


def find_confirmation(study: Study) -> Study | None:
    """The confirmation of a study, finished or not; None where it has none."""

    def find() -> Study | None:
        for each in study.storage.optuna.get_all_studies():
            if each.user_attrs.get(CONFIRMS) == study.uid and "uid" in each.user_attrs:
                return load(study.storage, each.study_name)
        return None

    return study.retry(find)


def find_result(study: Study) -> Result | None:
    """What the study's confirmation found; None where there is none, or it is not finished."""
    confirmation = find_confirmation(study)
    return None if confirmation is None else read_result(confirmation)


def read_result(confirmation: Study) -> Result | None:
    """What a confirmation found; None before its last training is finished."""
    plan = confirmation.plan
    assert plan is not None, f"{confirmation.name} confirms no study"
    rows = confirmation.finished_trials()
    found: dict[tuple[int, int], tuple[float | None, Mapping[str, Any]]] = {}
    for row, facts in zip(rows, confirmation.read_facts(rows, "set", "run"), strict=True):
        if row.state is not TrialState.FAIL and "set" in facts:
            value = row.value if row.state is TrialState.COMPLETE else None
            found[facts["set"]["trial"], facts["set"]["seed"]] = value, {"state": row.state.name, **facts.get("run", {})}
    if any(place not in found for place in plan.places):
        return None
    contestants = [
        _read_contestant(each, plan, [found[each.trial, seed] for seed in range(1, plan.seeds + 1)]) for each in plan.contestants
    ]
    values = {each.number: each.values for each in contestants if each.mean is not None}
    ranked = sorted(contestants, key=lambda each: (each.mean is None, -round(each.mean.value if each.mean else 0.0, 9), each.number))
    return Result(
        seeds=plan.seeds,
        train=plan.train,
        validation=plan.validation,
        contestants=tuple(ranked),
        differences=tuple(compare_pairs(values, train=plan.train, validation=plan.validation)),
    )


def _read_contestant(contestant: Contestant, plan: Plan, trainings: Sequence[tuple[float | None, Mapping[str, Any]]]) -> Confirmed:
    values = tuple(value for value, _ in trainings if value is not None)
    left_out = tuple(str(read_outcome(run["state"], run)) for value, run in trainings if value is None)
    whole = not left_out
    return Confirmed(
        number=contestant.trial,
        start=contestant.start,
        values=values,
        mean=measure_mean(values, train=plan.train, validation=plan.validation) if whole else None,
        parameters=next((run["parameters"] for _, run in trainings if "parameters" in run), None),
        left_out=left_out,
    )


def choose_contestants(study: Study, k: int) -> tuple[Contestant, ...]:
    """The study's best `k` trials, and its first start row, which may be one of them.

    Errors: NothingToShow without a COMPLETE trial, UsageError where the objective is no share, and where the file of a user's own
    network is no longer that of a trial.
    """
    if not study.objective.share:
        raise UsageError(
            f"--confirm compares shares such as accuracies, and study {study.name!r} optimises {study.config.objective}: "
            "train its best trials with `tuner train` instead"
        )
    top = find_best(study, k, copies=False)
    if not top:
        raise NothingToShow(f"study {study.name!r} has no COMPLETE trial yet: go on with `tuner search {quote(study.name)}`")
    chosen = [Contestant(trial=row.number, config=row.config) for row in top if row.config is not None]
    if (start := _find_start_row(study)) is not None:
        alike = [each for each in chosen if each.config.same_but_for(start.config, "seed", "threads", "micro_batches")]
        chosen = [replace(each, start=each in alike[:1]) for each in chosen] if alike else [*chosen, start]
    for each in chosen:
        if each.config.code != study.config.code.get(each.config.model):
            raise UsageError(
                f"trial {each.trial} of study {study.name!r} was trained with another file of {each.config.model} than the study has now: "
                "give a smaller --confirm that leaves it out, or search with this file under another name"
            )
    return tuple(chosen)


def _find_start_row(study: Study) -> Contestant | None:
    """The first start row that has a trial which did not fail: what one had before is trained to its end, though it was pruned."""
    rows = [row for row in study.frozen_trials() if row.state is not TrialState.FAIL]
    known = zip(rows, study.read_facts(rows, "start", "config"), strict=True)
    begun = [(facts["start"], row.number, facts["config"]) for row, facts in known if {"start", "config"} <= facts.keys()]
    if not begun:
        return None
    _, number, config = min(begun, key=lambda each: each[:2])
    return Contestant(trial=number, config=TrialConfig.from_dict(config, f"trial {number}"), start=True)


def begin(study: Study, plan: Plan) -> Study:
    """Make the study's confirmation, or have the one that is there go on by this plan, which holds its own."""
    attrs = study.storage.optuna.get_study_user_attrs(study.leases.study_id)
    decided = {name: fact for name, fact in attrs.items() if name == PRECISION or name.startswith(WORKERS)}
    decided.setdefault(PRECISION, {"precision": plan.contestants[0].config.precision, "reason": "as its trials were trained"})
    there = find_confirmation(study)
    return create_or_load(
        study.storage,
        _choose_name(study) if there is None else there.name,
        _define(study.config, plan),
        study.data,
        trials=len(plan.places),
        checkpoints=study.files.folder.parent,
        classes=study.classes,
        val_images=plan.validation,
        facts={CONFIRMS: study.uid, PLAN: plan.to_dict(), **decided},
    )


def _choose_name(study: Study) -> str:
    """The study's name with an ending; one that is taken or too long has the study's id in it."""
    taken = {each.study_name for each in study.storage.optuna.get_all_studies()}
    name = f"{study.name}{ENDING}"
    return name if name not in taken and len(name.encode()) <= LONGEST_NAME else f"{study.name[:30]}-{study.uid[:8]}{ENDING}"


def _define(config: StudyConfig, plan: Plan) -> StudyConfig:
    """The confirmation's definition: nothing is searched, and a start row stands for each training. Nothing is pruned."""
    rows = {each.trial: _list_values(each.config) for each in plan.contestants}
    models = {each.config.model for each in plan.contestants}
    starts_from_weights = any(map(is_torchvisions, models))
    return replace(
        config,
        weights=config.weights if starts_from_weights else None,
        digests=config.digests if starts_from_weights else {},
        width=config.width if any(find_model(model).widths for model in models) else 1.0,
        fixed=rows[plan.contestants[0].trial],
        space={},
        start=tuple(rows[trial] for trial, _ in plan.places),
        sampler=("random", {}),
        pruner=("none", {}),
        limits=Limits(),
        cost=None,
        names_pruner=True,
    )


def _list_values(config: TrialConfig) -> dict[str, Any]:
    """A configuration's hyper-parameters by the names that study files give them."""
    plain = {name: getattr(config, name) for name in DEFAULTS if applies(name, config.model)}
    plain |= {name_width(pattern): factor for pattern, factor in config.widths.items()}
    return plain | {name_option(option): value for option, value in config.network.items()}
