"""Many trials are read by as many statements as one, and are what Optuna reads itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tests.test_leases import claim, config
from tuner.study.frozen import read_trials
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load
from tuner.workers.leased_trial import LeasedTrial

SPACE = {"lr": FloatDistribution(0.001, 0.1, log=True), "kind": CategoricalDistribution((None, "b", 3)), "epochs": IntDistribution(1, 9)}


def make(state: TrialState, values: list[float] | None, **more: Any) -> FrozenTrial:
    plain: dict[str, Any] = {"params": {"lr": 0.0123456789012345678, "kind": None, "epochs": 4}, "distributions": SPACE}
    plain |= {"user_attrs": {}, "system_attrs": {}, "intermediate_values": {}, "datetime_complete": datetime(2026, 1, 2, 3, 4, 5, 678901)}
    given = plain | {"number": 0, "trial_id": 0, "datetime_start": datetime(2026, 1, 2, 3, 4), "value": None} | more
    return FrozenTrial(state=state, values=values, **given)


def list_parts(trial: FrozenTrial) -> list[str]:
    """All of it, with the order of its parameters. As text: nan is nan there."""
    by_key = {name: sorted(part.items()) for name, part in vars(trial).items() if isinstance(part, dict)}
    return [*(repr((name, by_key.get(name, part))) for name, part in vars(trial).items()), repr(list(trial.params))]


def test_they_are_what_optuna_reads(storage: Storage) -> None:
    study_id = storage.optuna.create_new_study([StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE], "two")
    curve = {3: float("nan"), 1: 0.1, 2: float("inf"), 4: float("-inf")}
    attrs = {"user_attrs": {"b": [1, {"c": None}], "a": "\u00e9\ud55c"}, "system_attrs": {"fixed_params": {"lr": 0.5}}}
    templates = [
        make(TrialState.COMPLETE, [0.1 + 0.2, float("inf")], intermediate_values=curve, **attrs),
        make(TrialState.COMPLETE, [float("-inf"), 2.0]),
        make(TrialState.PRUNED, None, intermediate_values={1: 0.5}),
        make(TrialState.RUNNING, None, datetime_complete=None),
        make(TrialState.WAITING, None, datetime_start=None, datetime_complete=None, params={}, distributions={}),
        make(TrialState.FAIL, None, params={"kind": 3, "lr": 0.1}, distributions={name: SPACE[name] for name in ("kind", "lr")}),
    ]
    ids = [storage.optuna.create_new_trial(study_id, template) for template in templates]
    theirs = optuna.storages.RDBStorage(storage.url.render_as_string(hide_password=False))
    with storage.connect() as connection:
        ours = read_trials(connection, reversed(ids))
    assert [list_parts(trial) for trial in ours] == [list_parts(theirs.get_trial(each)) for each in ids]
    assert list(ours[0].params) == list(templates[0].params), "in the order in which they were drawn"
    theirs.remove_session()
    theirs.engine.dispose()


def test_many_are_read_by_as_many_statements_as_one(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    study = create_or_load(storage, "s", config(sampler="random"), "f", trials=30)
    made = [claim(study) for _ in range(20)]
    drawn = [LeasedTrial(study, lease).configure(threads=1, precision="fp32").lr for lease in made]
    ids = [lease.trial_id for lease in made]
    said: list[str] = []
    sa.event.listen(storage.engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    with storage.connect() as connection:
        [one] = read_trials(connection, ids[3:4])
        alone = len(said)
        assert [row.params["lr"] for row in read_trials(connection, reversed(ids))] == drawn and one.params["lr"] == drawn[3]
        assert len(said) == 2 * alone and not read_trials(connection, [])
        monkeypatch.setattr("tuner.study.frozen.MOST_IDS", 8)
        assert [row._trial_id for row in read_trials(connection, [*ids[:19], 10**6])] == ids[:19]
