"""A connection to PostgreSQL that is lost before any statement of a trial: the trial ends as if it had not been."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from benchmarks import noop
from tests.test_leases import config
from tuner.study.lease import Lease
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load
from tuner.study.worker_id import WorkerId
from tuner.workers.events import Event, TrialEnded

TRIALS = 80  # more than there are statements that differ


class Losing:
    """Ends the connection before the first statement that begins otherwise than all it was ended before."""

    def __init__(self, storage: Storage) -> None:
        self.seen: set[str] = set()
        self.lost: str | None = None
        self._ending = sa.create_engine(storage.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        sa.event.listen(storage.engine, "before_cursor_execute", self._look)

    def _look(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        kind = " ".join(statement.split())[:120]
        if self.lost is None and kind not in self.seen:
            self.seen.add(kind)
            self.lost = kind
            with self._ending.connect() as other:
                other.execute(sa.text(f"SELECT pg_terminate_backend({cursor.connection.info.backend_pid}, 5000)"))


@pytest.mark.parametrize("pruner", [{"name": "median", "n_min_trials": 1000}, {"name": "promote"}], ids=["median", "promote"])
def test_before_any_statement_of_a_trial(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pruner: dict[str, Any]) -> None:
    monkeypatch.setattr("optuna.storages._rdb.storage.time", SimpleNamespace(sleep=lambda seconds: None))  # between its attempts
    storage = Storage(postgres, make=True)
    searched = config(pruner=pruner, space=noop.SPACE, sampler={"name": "tpe", "n_startup_trials": 1})
    study = create_or_load(storage, "s", searched, "f", trials=TRIALS, checkpoints=tmp_path)
    losing = Losing(storage)
    ended: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, TrialEnded):
            ended.append(event.outcome.value)

    claims = 0
    while isinstance(lease := study.leases.claim(WorkerId.here(), study.new_trial), Lease):
        losing.lost, claims = None, claims + 1
        noop.train_nothing(study, lease, say=hear)
    assert losing.lost is None and 40 < len(losing.seen) < claims, "each kind of statement was met"
    assert len(ended) == claims and set(ended) <= {"trained", "paused"}, ended
    rows = study.frozen_trials()
    assert [row.number for row in rows] == list(range(TRIALS)) and {row.state.name for row in rows} <= {"COMPLETE", "PRUNED"}
    for row in rows:
        reported = list(row.intermediate_values)
        assert reported == list(range(1, len(reported) + 1)) and (row.state.name == "PRUNED" or len(reported) == noop.EPOCHS)
    storage.close()
