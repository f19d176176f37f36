"""The studies of a storage: listed, loaded, created, continued, deleted."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

import optuna
import sqlalchemy as sa

from .. import __version__
from ..config.limits import COSTS
from ..config.objective import ACCURACY, OBJECTIVES
from ..config.study_config import StudyConfig
from ..config.study_files import check_name
from ..errors import TunerError, UsageError, nearest
from . import files
from .carried import Carried
from .contestants import CONFIRMS, PLAN, Plan
from .earlier import Earlier, read_earlier, store_earlier
from .finished import Finished
from .leases import Leases
from .objectives import list_directions
from .pausing import PausingLeases
from .pruners import make_promotion
from .retry import Retry
from .search_space import compare_definitions, define, describe_code_change, list_code_changes
from .stopping_leases import StoppingLeases
from .storage import Storage
from .study import Study
from .tables import list_tables, metadata, studies

DEFAULT_TRIALS = 50  # of a study that is made without a number


def list_studies(storage: Storage) -> list[str]:
    """The names of our studies in the storage. Confirmations are found by what they confirm, and listed only where that is gone."""
    ours = _list_ours(storage)
    ids = {each.user_attrs["uid"] for each in ours}
    return [each.study_name for each in ours if each.user_attrs.get(CONFIRMS) not in ids]


def _list_ours(storage: Storage) -> list[Any]:
    """Optuna's records of all of them."""
    with storage.connect() as connection:
        ours = {row.study_id for row in connection.execute(sa.select(studies.c.study_id))}
    return [each for each in storage.optuna.get_all_studies() if each._study_id in ours and "uid" in each.user_attrs]


def find_last_searched(storage: Storage) -> str | None:
    """The study that was searched last."""
    with storage.connect() as connection:
        ids = [row.study_id for row in connection.execute(sa.select(studies.c.study_id).order_by(studies.c.searched.desc()))]
    found = {s._study_id: s.study_name for s in storage.optuna.get_all_studies() if CONFIRMS not in s.user_attrs}
    return next((found[i] for i in ids if i in found), None)


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """A study that has trials left, when it was last searched, and the study that it confirms: itself where it confirms none."""

    name: str
    searched: float
    of: str


def list_unfinished(storage: Storage) -> list[Unfinished]:
    """The studies that have trials left, confirmations too; the one searched last first."""
    known = {each._study_id: each for each in _list_ours(storage)}
    names = {each.user_attrs["uid"]: each.study_name for each in known.values()}
    with storage.connect() as connection:
        rows = connection.execute(sa.select(studies.c.study_id, studies.c.searched).order_by(studies.c.searched.desc())).all()
    found = []
    for study_id, searched in rows:
        if study_id in known:
            counts, name = Leases(storage, study_id).peek(), known[study_id].study_name
            if counts.finished < counts.n_trials:
                of = names.get(known[study_id].user_attrs.get(CONFIRMS), name)
                found.append(Unfinished(name=name, searched=float(searched), of=of))
    return found


def load(storage: Storage, name: str | None, retry: Retry | None = None) -> Study:
    """A study that is there; the one searched last where no name is given. Errors: UsageError names the nearest."""
    known = {each.study_name for each in _list_ours(storage)}
    if name is None:
        name = find_last_searched(storage)
        if name is None:
            raise UsageError(f"no study in {str(storage)!r} yet: make one with `tuner search`")
    if name not in known:
        if name in [s.study_name for s in storage.optuna.get_all_studies()]:
            raise UsageError(f"study {name!r} in {str(storage)!r} was not made by tuner: give another name, or another --storage")
        remedy = nearest(name, list_studies(storage)) if known else "there is none yet, make one with `tuner search`"
        raise UsageError(f"no study {name!r} in {str(storage)!r}: {remedy}")
    study_id = storage.optuna.get_study_id_from_name(name)
    attrs = storage.optuna.get_study_user_attrs(study_id)
    config, found = StudyConfig.from_dict(attrs["config"], f"study {name!r}"), files.find_files(storage, name, attrs["uid"], attrs)
    rule, finished = make_promotion(config), Finished(storage, study_id)
    aim = OBJECTIVES[config.objective]
    pausing = PausingLeases(storage, study_id, rule, found, config.seed, retry, aim, cost=config.cost) if rule is not None else None
    return Study(
        storage=storage,
        name=name,
        uid=attrs["uid"],
        config=config,
        data=attrs["definition"]["data"],
        classes=tuple(attrs["classes"]) if "classes" in attrs else None,
        files=found,
        val_images=attrs.get("val_images"),
        leases=pausing or StoppingLeases(storage, study_id, retry, OBJECTIVES[config.objective]),
        _finished=finished,
        _carried=Carried(finished, pausing, OBJECTIVES[config.objective]) if pausing is not None else None,
        earlier=read_earlier(storage, study_id, config) if "earlier" in attrs else (),
        plan=Plan.from_dict(attrs[PLAN]) if CONFIRMS in attrs else None,
    )


def create_or_load(
    storage: Storage,
    name: str,
    config: StudyConfig,
    data: str,
    *,
    trials: int | None = None,
    more: int | None = None,
    checkpoints: Path | None = None,
    classes: tuple[str, ...] | None = None,
    accept_changed_code: bool = False,
    val_images: int | None = None,
    known: Earlier | None = None,
    facts: Mapping[str, Any] | None = None,
    retry: Retry | None = None,
) -> Study:
    """Make the study, or check that it is the same one and go on with it; set its total of trials.

    `more` is added once: said again before its trials are done, as after an interruption, it goes on to the same total.
    `classes` are those of the data, kept for the files that are exported; `val_images` counts the validation part. The caller has
    checked the study's sampler and pruner. A new study's sampler is told of the trials in `known`. Code of the user's own that was
    changed is taken only where that is accepted, and stands with the study then. `facts` are further attributes of the study.

    Errors: TunerError where the study there has another definition or direction, UsageError where the total asked
    for is less than what is there. Nothing is written in either case.
    """
    check_name(name)
    wanted = define(config, data)
    with storage.exclusive():
        storage.make_tables()
        existing = {s.study_name: s for s in storage.optuna.get_all_studies()}
        if name not in existing:
            if more is not None:
                raise UsageError(f"--more {more}: study {name!r} does not exist yet: give --trials")
            told = {"classes": None if classes is None else list(classes), "val_images": val_images, **(facts or {})}
            _create(storage, name, config, wanted, trials=trials, checkpoints=checkpoints, facts=told, known=known)
            storage.write_through()
            return load(storage, name, retry)
        found = existing[name]
        theirs = OBJECTIVES.get(found.user_attrs.get("definition", {}).get("objective"), ACCURACY)
        words = ", ".join(direction.name.lower() for direction in found.directions)
        if words not in (theirs.direction, f"{theirs.direction}, minimize"):
            lacking = f"{theirs.title} is {theirs.direction}d: use another name or --storage"
            raise TunerError(f"study {name!r} has the direction {words}, but {lacking}")
        study = load(storage, name, retry)
        if changed := compare_definitions(found.user_attrs["definition"], wanted):
            remedy = f"copy its file under another name, or `tuner delete {quote(name)}`"
            raise TunerError(f"study {name!r} was made with another definition: {changed}; {remedy}")
        changes = list_code_changes(study.config.code, config.code)
        if changes and not accept_changed_code:
            raise TunerError(f"study {name!r}: {describe_code_change(changes[0])}")
        if not config.names_pruner:
            config = replace(config, pruner=study.config.pruner)
        if known is not None and found.user_attrs.get("earlier", {}).get("uid") != known.uid:
            raise UsageError(f"--from {known.study}: study {name!r} was made without it: give the file another name, or leave --from out")
        counts = study.leases.counts()
        if trials is not None and trials < counts.used:
            raise UsageError(f"--trials {trials} is less than the {counts.used} trials that study {name!r} has: give at least that")
        n_trials = trials if trials is not None else counts.n_trials
        going_on = counts.finished < counts.n_trials and found.user_attrs.get("added") == {"more": more, "n_trials": counts.n_trials}
        if more is not None and not going_on:
            n_trials += more
        if config.row_limit is not None:
            n_trials = min(n_trials, config.row_limit) if trials is not None else config.row_limit
        with storage.transaction() as connection:
            where = studies.c.study_id == study.leases.study_id
            connection.execute(sa.update(studies).where(where).values(slots=n_trials, searched=storage.now))
            storage.optuna.set_study_user_attr(study.leases.study_id, "config", config.to_dict())
            if changes:
                said = [*found.user_attrs.get("code changes", []), *({**change, "after_trials": counts.used} for change in changes)]
                storage.optuna.set_study_user_attr(study.leases.study_id, "code changes", said)
            if classes is not None:
                storage.optuna.set_study_user_attr(study.leases.study_id, "classes", list(classes))
            if val_images is not None:
                storage.optuna.set_study_user_attr(study.leases.study_id, "val_images", val_images)
            if more is not None:
                storage.optuna.set_study_user_attr(study.leases.study_id, "added", {"more": more, "n_trials": n_trials})
            for key, value in {**(facts or {}), **_place_files(storage, study, found.user_attrs, checkpoints)}.items():
                storage.optuna.set_study_user_attr(study.leases.study_id, key, value)
        return load(storage, name, retry)


def join(storage: Storage, name: str | None) -> Study:
    """As `load`, for who will write to it without having searched it: what a database of an earlier version lacks is made."""
    if not all(storage.has(table) for table in metadata.sorted_tables):
        with storage.exclusive():
            storage.make_tables()
    return load(storage, name)


def _create(
    storage: Storage,
    name: str,
    config: StudyConfig,
    wanted: dict[str, Any],
    *,
    trials: int | None,
    checkpoints: Path | None,
    facts: dict[str, Any],
    known: Earlier | None,
) -> None:
    n_trials = min(trials or DEFAULT_TRIALS, config.row_limit or trials or DEFAULT_TRIALS)
    uid = uuid.uuid4().hex
    folder = files.choose_folder(storage, name, uid, checkpoints)
    with storage.transaction() as connection:
        study = optuna.create_study(storage=storage.optuna, study_name=name, directions=list_directions(config))
        first = f"validation {OBJECTIVES[config.objective].title}"
        study.set_metric_names([first, *([] if config.cost is None else [COSTS[config.cost]])])
        study_id = storage.optuna.get_study_id_from_name(name)
        # A study that another tool deleted leaves our rows behind, and SQLite gives its number out again.
        for table in metadata.sorted_tables:
            connection.execute(sa.delete(table).where(table.c.study_id == study_id))
        row = {"study_id": study_id, "uid": uid, "slots": n_trials, "turn": 0, "stops": 0, "searched": storage.now}
        connection.execute(sa.insert(studies).values(row))
        if known is not None:
            store_earlier(connection, study_id, known)
        for key, value in (
            ("uid", uid),
            ("config", config.to_dict()),
            ("definition", wanted),
            ("checkpoints", files.describe_folder(storage, folder)),
            ("database", files.describe_database(storage)),
            ("version", __version__),
            *((name, fact) for name, fact in facts.items() if fact is not None),
            *([] if known is None else [("earlier", known.to_dict())]),
        ):
            study.set_user_attr(key, value)


def _place_files(storage: Storage, study: Study, attrs: dict[str, Any], wanted: Path | None) -> dict[str, Any]:
    """The attributes that say where a study's files are from now on: at `wanted`, and for this database file."""
    changed: dict[str, Any] = {}
    folder = None
    if files.is_copy(storage, study.uid, attrs):
        changed["copy"] = uuid.uuid4().hex[:8]
        folder = study.files.folder  # within the copy
    if wanted is not None:
        folder = files.move_folder(storage, study.name, study.files, {**attrs, **changed}, wanted) or folder
    if folder is not None:
        changed["checkpoints"] = files.describe_folder(storage, folder)
    database = files.describe_database(storage)
    if database != attrs.get("database"):
        changed["database"] = database
    return changed


def delete(storage: Storage, study: Study) -> None:
    """Delete the study with all its rows; its files are the caller's to remove."""
    with storage.exclusive(), storage.transaction() as connection:
        storage.optuna.delete_study(study.leases.study_id)
        for table in list_tables(connection):
            connection.execute(sa.delete(table).where(table.c.study_id == study.leases.study_id))
