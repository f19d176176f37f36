"""How many connections a process has to a server, and when: one at most, and none while it trains."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna.trial import FrozenTrial

from benchmarks import noop
from tests.test_leases import claim, config, finish
from tuner.study import connections
from tuner.study.samplers import SeededSampler
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, load
from tuner.workers.leased_trial import LeasedTrial

Count = Callable[[], int]


@pytest.fixture
def count(postgres: str) -> Iterator[Count]:
    """How many connections `tuner` has to the database now."""
    engine = sa.create_engine(sa.make_url(postgres).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tuner'")
    with engine.connect() as connection:
        yield lambda: int(connection.execute(query).scalar_one())
    engine.dispose()


def wait_for_none(count: Count) -> bool:
    """A connection that was closed takes the server a moment."""
    for _ in range(50):
        if count() == 0:
            return True
        threading.Event().wait(0.02)
    return False


def test_no_connection_is_held_while_a_trial_trains_and_one_serves_all_of_it(
    postgres: str, count: Count, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(postgres, make=True)
    searched = config(pruner={"name": "median", "n_min_trials": 1}, space=noop.SPACE, sampler={"name": "tpe", "n_startup_trials": 1})
    study = create_or_load(storage, "s", searched, "f", trials=3, checkpoints=tmp_path)
    counted: list[int] = []
    opened: list[object] = []
    sa.event.listen(storage.engine, "connect", lambda connection, record: opened.append(connection))

    class Run(noop._NoRun):
        def epochs(self) -> Iterator[Any]:
            for score in super().epochs():
                assert wait_for_none(count), "held while the next epoch trains"
                yield score

    monkeypatch.setattr(noop, "_NoRun", Run)
    monkeypatch.setattr(connections, "LINGER_SECONDS", 60)
    opened.clear()
    before = 1  # the first trial's claim has one of its own
    for _ in range(3):
        noop.train_nothing(study, claim(study))
        what = "the last report, the end, the next claim and what its draw reads share one; so do what it stores and the start"
        assert len(opened) - before == 1 + noop.EPOCHS, what
        before = len(opened)
        counted.append(count())
    assert max(counted) <= 1
    study.leases.counts()
    assert wait_for_none(count), "a call that says nothing closes it"
    assert study.leases.counts().finished == 3
    storage.close()


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2"])
def test_no_connection_is_held_while_a_sampler_draws(postgres: str, count: Count, monkeypatch: pytest.MonkeyPatch, sampler: str) -> None:
    storage = Storage(postgres, make=True)
    options = {"population_size": 2} if sampler == "nsga2" else {"n_startup_trials": 1}
    study = create_or_load(storage, "s", config(pruner="none", space=noop.SPACE, sampler={"name": sampler, **options}), "f", trials=4)
    for _ in range(2):
        noop.train_nothing(study, claim(study))
    drawn, sample = [], SeededSampler.sample_relative

    def sample_alone(self: SeededSampler, seen: optuna.Study, trial: FrozenTrial, space: Any) -> dict[str, Any]:
        found = sample(self, seen, trial, space)
        drawn.append(found)
        assert wait_for_none(count), "held while it draws"
        return found

    monkeypatch.setattr(SeededSampler, "sample_relative", sample_alone)
    leased = LeasedTrial(study, claim(study))
    made = leased.configure(threads=1, precision="fp32")
    row = leased.frozen()
    assert drawn[0] and drawn[0].items() <= row.params.items() and made.lr == row.params["lr"]
    noted = {"tpe": "tpe:", "cmaes": "cma:", "nsga2": "NSGAIISampler:generation"}[sampler]
    assert any(name.startswith(noted) for name in row.system_attrs), "what the sampler notes with the trial is stored with it"
    storage.close()


def test_a_draw_does_not_keep_others_from_writing(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite has one lock for all that write."""
    monkeypatch.setattr(connections, "BUSY_SECONDS", 1)  # what `other` is opened with
    monkeypatch.setenv("TUNER_PATIENCE_SECONDS", "1")
    study = create_or_load(storage, "s", config(sampler="random"), "f", trials=4)
    other = load(Storage(storage.url.render_as_string(hide_password=False)), "s")
    sample, claimed = SeededSampler.sample_independent, []

    def sample_beside(self: SeededSampler, *given: Any) -> Any:
        claimed.append(claim(other))
        return sample(self, *given)

    held = claim(study)
    monkeypatch.setattr(SeededSampler, "sample_independent", sample_beside)
    LeasedTrial(study, held).configure(threads=1, precision="fp32")
    assert claimed and claimed[0].number == 1
    other.storage.close()


def test_calls_of_one_visit_share_a_connection_that_is_closed_at_its_end(postgres: str, count: Count) -> None:
    storage = Storage(postgres, make=True)
    study = create_or_load(storage, "s", config(), "f", trials=3)
    opened: list[object] = []
    sa.event.listen(storage.engine, "connect", lambda connection, record: opened.append(connection))
    with storage.visit():
        held = claim(study)
        with storage.visit():
            study.leases.counts()
        beats = threading.Thread(target=partial(study.leases.heartbeat, held))
        beats.start()
        beats.join()
        finish(study, held)
        assert count() == 1
    assert wait_for_none(count) and len(opened) == 1
    study.leases.counts()
    study.leases.counts()
    assert wait_for_none(count) and len(opened) == 3
    with storage.visit():
        study.leases.counts()
        with sa.create_engine(storage.url, poolclass=sa.NullPool).connect() as other:
            query = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tuner' AND datname = current_database()"
            )
            other.execute(sa.text(query))
        assert study.leases.counts().complete == 1, "one that died in between is made again"
    assert wait_for_none(count)
    storage.close()


def test_a_connection_that_is_kept_for_the_next_call_is_closed_where_none_comes(
    postgres: str, count: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LINGER_SECONDS", 0.2)
    storage = Storage(postgres, make=True)
    study = create_or_load(storage, "s", config(), "f", trials=3)
    opened: list[object] = []
    sa.event.listen(storage.engine, "connect", lambda connection, record: opened.append(connection))
    held = claim(study)
    assert wait_for_none(count) and len(opened) == 1, "after a claim that no draw follows"
    with storage.visit():
        study.leases.counts()
        storage.linger()
    assert wait_for_none(count) and len(opened) == 2, "after a visit"
    monkeypatch.setattr(connections, "LINGER_SECONDS", 60)
    finish(study, held)
    with storage.visit():
        storage._one._close()  # its time is over
        assert count() == 1, "a visit began meanwhile"
        study.leases.counts()
    assert wait_for_none(count) and len(opened) == 3
    storage.close()


def test_what_is_done_under_the_lock_of_studies_is_done_by_the_connection_that_holds_it(
    postgres: str, count: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(postgres, make=True)
    most: list[int] = []
    real = storage.exclusive

    def watched() -> Any:
        sa.event.listen(storage.engine, "before_cursor_execute", lambda *_: most.append(count()))
        return real()

    monkeypatch.setattr(storage, "exclusive", watched)
    study = create_or_load(storage, "s", config(), "f", trials=3)
    create_or_load(storage, "s", config(), "f", trials=4)
    assert study.decide("precision", {"precision": "fp32"}) == load(storage, "s").find_decision("precision")
    assert max(most) == 1
    storage.close()
