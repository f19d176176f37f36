"""A study in its storage: found, made, or gone on with."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from .. import __version__
from ..config import StudyConfig
from ..errors import TunerError, UsageError, nearest
from ..space import definition, difference, size
from .claim import NewTrial
from .finished import Finished, Study
from .ledger import Ledger
from .patience import Patience
from .sampler import make_pruner, make_sampler
from .storage import Storage
from .tables import leases, studies

DEFAULT_TRIALS = 50


@dataclass(frozen=True, kw_only=True)
class Record:
    """One study: its definition, its rows (`ledger`) and its random id (`uid`), which stamps its checkpoints."""

    storage: Storage
    name: str
    uid: str
    config: StudyConfig
    data: str  # fingerprint of the images
    checkpoints: Path
    ledger: Ledger = field(repr=False)
    _finished: Finished = field(repr=False)

    def study(self) -> optuna.Study:
        """Optuna's study with our sampler and pruner, fresh, over the process's one cached storage."""
        made = Study(self.name, self.storage.optuna, make_sampler(self.config), make_pruner(self.config))
        made.finished = self._finished
        return made

    def finished_trials(self) -> list[FrozenTrial]:
        """The rows that no longer change, by number. Not copies: do not change them."""
        return self.ledger.patience(self._finished)

    def frozen_trials(self) -> list[FrozenTrial]:
        """All rows by number. Not copies: do not change them."""
        return self.ledger.patience(lambda: self.storage.optuna.get_all_trials(self.ledger.study_id, deepcopy=False))

    def new_trial(self) -> NewTrial | None:
        """What the next row starts with: the first start row that no other has, then nothing fixed.

        None where nothing is left to try: all start rows of a study that searches nothing are used, or every
        configuration of a finite space has a row.
        """
        total = size(self.config)
        if not self.config.start and self.config.space and total is None:
            return NewTrial(params={}, user_attrs={})  # without reading all rows
        rows = [t for t in self.storage.optuna.get_all_trials(self.ledger.study_id, deepcopy=False) if t.state is not TrialState.FAIL]
        used = {t.user_attrs.get("start") for t in rows}
        for index, row in enumerate(self.config.start):
            if index not in used:
                params = {name: value for name, value in row.items() if name in self.config.space}
                return NewTrial(params=params, user_attrs={"start": index, "set": dict(row)})
        if not self.config.space:
            bare = not self.config.start and not rows
            return NewTrial(params={}, user_attrs={}) if bare else None
        if total is not None and len({tuple(sorted(t.params.items(), key=lambda p: p[0])) for t in rows if t.params}) >= total:
            return None
        return NewTrial(params={}, user_attrs={})


def names(storage: Storage) -> list[str]:
    """The names of our studies in the storage."""
    with storage.engine.connect() as connection:
        ours = {row.study_id for row in connection.execute(sa.select(studies.c.study_id))}
    return [s.study_name for s in storage.optuna.get_all_studies() if s._study_id in ours and "uid" in s.user_attrs]


def last_searched(storage: Storage) -> str | None:
    """The study that was searched last."""
    with storage.engine.connect() as connection:
        ids = [row.study_id for row in connection.execute(sa.select(studies.c.study_id).order_by(studies.c.searched.desc()))]
    found = {s._study_id: s.study_name for s in storage.optuna.get_all_studies()}
    return next((found[i] for i in ids if i in found), None)


def unfinished(storage: Storage) -> list[tuple[str, float]]:
    """The studies that have trials left, with when they were last searched; the latest first."""
    known = {storage.optuna.get_study_id_from_name(name): name for name in names(storage)}
    with storage.engine.connect() as connection:
        rows = connection.execute(sa.select(studies.c.study_id, studies.c.searched).order_by(studies.c.searched.desc())).all()
    found = []
    for study_id, searched in rows:
        if study_id in known:
            counts = Ledger(storage, study_id).peek()
            if counts.finished < counts.slots:
                found.append((known[study_id], float(searched)))
    return found


def load(storage: Storage, name: str | None, patience: Patience | None = None) -> Record:
    """A study that is there; the one searched last where no name is given. Errors: UsageError names the nearest."""
    known = names(storage)
    if name is None:
        name = last_searched(storage)
        if name is None:
            raise UsageError(f"no study in {str(storage)!r} yet: make one with `tuner search`")
    if name not in known:
        if name in [s.study_name for s in storage.optuna.get_all_studies()]:
            raise UsageError(f"study {name!r} in {str(storage)!r} was not made by tuner: give another name, or another --storage")
        remedy = nearest(name, known) if known else "there is none yet, make one with `tuner search`"
        raise UsageError(f"no study {name!r} in {str(storage)!r}: {remedy}")
    study_id = storage.optuna.get_study_id_from_name(name)
    attrs = storage.optuna.get_study_user_attrs(study_id)
    return Record(
        storage=storage,
        name=name,
        uid=attrs["uid"],
        config=StudyConfig.from_dict(attrs["config"], f"study {name!r}"),
        data=attrs["definition"]["data"],
        checkpoints=Path(attrs["checkpoints"]),
        ledger=Ledger(storage, study_id, patience),
        _finished=Finished(storage, study_id),
    )


def make_or_go_on(
    storage: Storage,
    name: str,
    config: StudyConfig,
    data: str,
    *,
    trials: int | None = None,
    more: int | None = None,
    checkpoints: Path | None = None,
    patience: Patience | None = None,
) -> Record:
    """Make the study, or check that it is the same one and go on with it; set its total of slots.

    Errors: TunerError where the study there has another definition or direction, UsageError where the total asked
    for is less than what is there. Nothing is written in either case.
    """
    make_sampler(config), make_pruner(config)  # their errors come before anything is written
    wanted = definition(config, data)
    with storage.exclusive():
        existing = {s.study_name: s for s in storage.optuna.get_all_studies()}
        if name not in existing:
            if more is not None:
                raise UsageError(f"--more {more}: study {name!r} does not exist yet: give --trials")
            _make(storage, name, config, wanted, trials=trials, checkpoints=checkpoints)
            return load(storage, name, patience)
        found = existing[name]
        if found.directions != [StudyDirection.MAXIMIZE]:
            words = ", ".join(direction.name.lower() for direction in found.directions)
            raise TunerError(f"study {name!r} has the direction {words}, but accuracy is maximized: use another name or --storage")
        record = load(storage, name, patience)
        if changed := difference(found.user_attrs["definition"], wanted):
            remedy = f"copy its file under another name, or `tuner delete {name}`"
            raise TunerError(f"study {name!r} was made with another definition: {changed}; {remedy}")
        counts = record.ledger.counts()
        if trials is not None and trials < counts.used:
            raise UsageError(f"--trials {trials} is less than the {counts.used} trials that study {name!r} has: give at least that")
        slots = trials if trials is not None else counts.slots + (more or 0)
        if config.row_limit is not None:
            slots = min(slots, config.row_limit) if trials is not None else config.row_limit
        with storage.transaction() as connection:
            where = studies.c.study_id == record.ledger.study_id
            connection.execute(sa.update(studies).where(where).values(slots=slots, searched=storage.now))
            storage.optuna.set_study_user_attr(record.ledger.study_id, "config", config.to_dict())
            if checkpoints is not None:
                storage.optuna.set_study_user_attr(record.ledger.study_id, "checkpoints", str(checkpoints.absolute()))
        return load(storage, name, patience)


def _make(
    storage: Storage, name: str, config: StudyConfig, wanted: dict[str, Any], *, trials: int | None, checkpoints: Path | None
) -> None:
    slots = min(trials or DEFAULT_TRIALS, config.row_limit or trials or DEFAULT_TRIALS)
    folder = checkpoints or (storage.path.parent if storage.path else Path("studies")) / "checkpoints" / name
    uid = uuid.uuid4().hex
    with storage.transaction() as connection:
        study = optuna.create_study(storage=storage.optuna, study_name=name, direction="maximize")
        study.set_metric_names(["validation accuracy"])
        study_id = storage.optuna.get_study_id_from_name(name)
        # A study that another tool deleted leaves our rows behind, and SQLite gives its number out again.
        for table in (studies, leases):
            connection.execute(sa.delete(table).where(table.c.study_id == study_id))
        row = {"study_id": study_id, "uid": uid, "slots": slots, "turn": 0, "stops": 0, "searched": storage.now}
        connection.execute(sa.insert(studies).values(row))
        for key, value in (
            ("uid", uid),
            ("config", config.to_dict()),
            ("definition", wanted),
            ("checkpoints", str(folder.absolute())),
            ("version", __version__),
        ):
            study.set_user_attr(key, value)


def delete(storage: Storage, record: Record) -> None:
    """Delete the study with all its rows; its checkpoints are the caller's to remove."""
    with storage.exclusive(), storage.transaction() as connection:
        storage.optuna.delete_study(record.ledger.study_id)
        for table in (studies, leases):
            connection.execute(sa.delete(table).where(table.c.study_id == record.ledger.study_id))
