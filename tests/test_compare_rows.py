"""Who compares which network: a process that another one can take the place of, and one that it cannot."""

from __future__ import annotations

import time

import pytest

from tests.test_leases import elsewhere  # noqa: F401 - a fixture
from tuner.compare import rows as module
from tuner.compare.rows import Rows, create_or_load
from tuner.errors import TunerError
from tuner.study.storage import Storage
from tuner.study.worker_id import WorkerId

STAMP = {"weights": "w", "data": "d"}


@pytest.fixture
def rows(storage: Storage) -> Rows:
    return create_or_load(storage, "compared", ["resnet18"], {"data": "d", "images": 1, "classes": 2})


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0])
def test_another_machine_is_judged_by_the_database_s_clock_and_not_by_this_one_s(
    rows: Rows,
    elsewhere: WorkerId,  # noqa: F811
    ahead: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(WorkerId, "here", staticmethod(lambda: elsewhere))
    held = rows.take("resnet18", "resnet18", STAMP)
    monkeypatch.undo()
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + ahead)
    with pytest.raises(TunerError, match="is being compared by another process"):
        rows.take("resnet18", "resnet18", STAMP)
    monkeypatch.setattr(module, "SILENT_SECONDS", -1.0)  # as if it had not been heard of for so long
    assert rows.take("resnet18", "resnet18", STAMP).number == held.number
