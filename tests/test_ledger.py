"""Exact totals, claims and leases, on SQLite and PostgreSQL."""

from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from tuner.config import StudyConfig
from tuner.errors import Interrupted, TunerError, UsageError
from tuner.study import storage as storage_module
from tuner.study.claim import Claim, EndedOutside, LeaseLost, NoClaim, Reaped
from tuner.study.owner import Owner
from tuner.study.patience import Patience, StorageAway
from tuner.study.record import Record, delete, load, make_or_go_on, names
from tuner.study.storage import Storage
from tuner.study.tables import leases

CONFIG = {"data": "digits", "space": {"lr": {"low": 0.001, "high": 0.1, "log": True}, "batch_size": [8, 16]}}


def config(**changes: object) -> StudyConfig:
    return StudyConfig.from_dict({**CONFIG, **changes})


@pytest.fixture
def record(storage: Storage) -> Record:
    return make_or_go_on(storage, "s", config(), "f", trials=4)


def claim(record: Record, owner: Owner | None = None) -> Claim:
    got = record.ledger.claim(owner or Owner.here(), record.new_trial)
    assert isinstance(got, Claim), got
    return got


def finish(record: Record, held: Claim, value: float = 0.5) -> None:
    record.ledger.finish(held, lambda: record.study().tell(held.number, value))


def states(record: Record) -> list[str]:
    return [trial.state.name for trial in record.frozen_trials()]


@pytest.fixture
def elsewhere() -> Owner:
    """A worker on another machine: nobody here can see whether it lives."""
    return Owner(machine="another", pid=1, started=0.0, host="far")


@pytest.fixture
def gone() -> Callable[[], Owner]:
    """Makes owners whose process on this machine has ended."""

    def make() -> Owner:
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        owner = Owner.of(process.pid)
        process.communicate(b"\n")
        return owner

    return make


def silence(record: Record, held: Claim) -> None:
    """Let a lease run out without waiting for it."""
    with record.storage.engine.begin() as connection:
        connection.execute(sa.update(leases).where(leases.c.trial_id == held.trial_id).values(beat=leases.c.beat - 1000))


@contextmanager
def stock(record: Record) -> Iterator[optuna.Study]:
    """The study as Optuna alone opens it, from nothing but the URL."""
    rdb = optuna.storages.RDBStorage(record.storage.url.render_as_string(hide_password=False))
    yield optuna.load_study(study_name=record.name, storage=rdb)
    rdb.remove_session()
    rdb.engine.dispose()


def test_rows_are_made_just_in_time_and_no_more_than_the_total(record: Record) -> None:
    assert states(record) == []
    held = [claim(record) for _ in range(4)]
    assert [c.number for c in held] == [0, 1, 2, 3]
    assert record.ledger.claim(Owner.here(), record.new_trial) == NoClaim(held=4, full=True)
    for each in held:
        finish(record, each)
    assert record.ledger.claim(Owner.here(), record.new_trial) == NoClaim(held=0, full=True)
    assert states(record) == ["COMPLETE"] * 4


def test_a_failed_trial_frees_its_slot(record: Record) -> None:
    held = claim(record)
    record.ledger.finish(held, lambda: record.study().tell(held.number, state=TrialState.FAIL))
    numbers = [claim(record).number for _ in range(4)]
    assert numbers == [1, 2, 3, 4]
    assert isinstance(record.ledger.claim(Owner.here(), record.new_trial), NoClaim)


def test_a_trial_put_back_is_taken_up_before_anything_new_in_the_same_row(record: Record) -> None:
    first, second = claim(record), claim(record)
    record.ledger.write(first, lambda: record.storage.optuna.set_trial_intermediate_value(first.trial_id, 1, 0.25))
    record.ledger.requeue(second)
    record.ledger.requeue(first)
    again = claim(record)
    assert (again.number, again.taken_up, again.deaths, again.epoch) == (0, True, 0, first.epoch + 1)
    assert record.frozen_trials()[0].intermediate_values == {1: 0.25}
    assert claim(record).number == 1


def test_a_lease_that_ran_out_is_taken_over_and_its_late_writer_refused(record: Record, elsewhere: Owner) -> None:
    late = claim(record, elsewhere)
    assert claim(record).number == 1, "a living lease is left alone"
    silence(record, late)
    taken = claim(record)
    assert (taken.number, taken.deaths, taken.taken_up) == (0, 1, True)
    with pytest.raises(LeaseLost):
        record.ledger.write(late, lambda: record.storage.optuna.set_trial_user_attr(late.trial_id, "late", True))
    with pytest.raises(LeaseLost):
        finish(record, late)
    with pytest.raises(LeaseLost):
        record.ledger.requeue(late)
    assert not record.ledger.beat(late) and record.ledger.beat(taken)
    assert "late" not in record.frozen_trials()[0].user_attrs
    finish(record, taken, 0.75)
    assert record.frozen_trials()[0].value == 0.75


def test_a_beat_keeps_a_lease(record: Record, elsewhere: Owner) -> None:
    held = claim(record, elsewhere)
    silence(record, held)
    assert record.ledger.beat(held)
    assert claim(record).number == 1


def test_a_dead_process_of_this_machine_is_noticed_at_once_and_the_third_death_is_a_fail(record: Record, gone: Callable[[], Owner]) -> None:
    for deaths in range(3):
        assert claim(record, gone()).deaths == deaths
    # The third owner is dead as well: the next claim buries the trial and takes a new one.
    assert claim(record).number == 1
    assert states(record)[0] == "FAIL"
    assert record.frozen_trials()[0].user_attrs["run"]["reason"] == "its worker died 3 times while training it"
    assert record.ledger.counts().used == 1


def test_a_reaped_worker_gives_its_trial_back_at_once(record: Record, elsewhere: Owner) -> None:
    held = claim(record, elsewhere)
    assert record.ledger.reap(elsewhere) == [Reaped(number=held.number, failed=None)]
    assert states(record) == ["WAITING"]
    again = claim(record)
    assert (again.number, again.deaths) == (0, 1)
    assert record.ledger.reap(elsewhere) == []


def test_a_trial_told_from_outside_is_dropped(record: Record) -> None:
    held = claim(record)
    with stock(record) as study:
        study.tell(0, 0.9)
    with pytest.raises(EndedOutside):
        record.ledger.write(held, lambda: None)
    record.ledger.drop(held)
    assert claim(record).number == 1
    assert record.frozen_trials()[0].value == 0.9


def test_a_commit_that_did_not_say_so_is_found_done(record: Record) -> None:
    held = claim(record)
    finish(record, held)
    finish(record, held, 0.1)  # what a retry does: finds the lease given up by this very claim
    assert record.frozen_trials()[0].value == 0.5


def test_a_zombie_of_another_tool_holds_nothing_up_and_can_be_mended(record: Record) -> None:
    record.study().ask()
    assert [claim(record).number for _ in range(3)] == [1, 2, 3], "its row counts as a slot"
    got = record.ledger.claim(Owner.here(), record.new_trial)
    assert got == NoClaim(held=3, full=True), "but nobody waits for it"
    [zombie] = record.ledger.zombies()
    assert (zombie.number, zombie.why) == (0, "no worker of tuner ever held it")
    assert record.ledger.mend([zombie]) == 1
    assert record.ledger.mend([zombie]) == 0
    assert claim(record).number == 0


def test_after_an_outage_every_owner_has_a_lease_s_time_to_beat_again(record: Record, elsewhere: Owner) -> None:
    held = claim(record, elsewhere)
    silence(record, held)
    record.ledger.patience.noticed = threading.TIMEOUT_MAX  # an outage that has only just ended
    assert claim(record).number == 1
    record.ledger.patience.noticed = None
    assert claim(record).number == 0


def _work(url: str, start: str, trials: int) -> None:
    """A process that makes the study if it must, and takes trials until there are none."""
    storage = Storage(url, make=True)
    record = make_or_go_on(storage, "s", config(), "f", trials=trials)
    while isinstance(held := record.ledger.claim(Owner.here(), record.new_trial), Claim):
        finish(record, held, held.number / 100)
    storage.close()
    del start


def test_eight_processes_at_once_on_an_empty_database_reach_the_exact_total(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_work, args=(url, "", 40)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    storage = Storage(url, make=True)
    record = load(storage, "s")
    assert states(record) == ["COMPLETE"] * 40
    assert [trial.number for trial in record.frozen_trials()] == list(range(40))
    storage.close()


def test_going_on_checks_the_definition_and_writes_nothing_if_it_differs(storage: Storage, record: Record) -> None:
    with pytest.raises(TunerError, match=r"lr was .* and is now \[0.1\]"):
        make_or_go_on(storage, "s", config(space={"lr": [0.1], "batch_size": [8, 16]}), "f", trials=9)
    with pytest.raises(TunerError, match="data was f and is now g"):
        make_or_go_on(storage, "s", config(), "g")
    with pytest.raises(TunerError, match="seed was 0 and is now 1"):
        make_or_go_on(storage, "s", config(seed=1), "f")
    assert record.ledger.counts().slots == 4
    changed = make_or_go_on(storage, "s", config(sampler="random", pruner="none", start=[{"lr": 0.01}]), "f")
    assert changed.config.sampler[0] == "random" and changed.new_trial() is not None


def test_another_direction_is_an_error_that_names_it(storage: Storage) -> None:
    optuna.create_study(study_name="m", storage=storage.optuna, direction="minimize")
    with pytest.raises(TunerError, match="has the direction minimize"):
        make_or_go_on(storage, "m", config(), "f")
    with pytest.raises(UsageError, match="was not made by tuner"):
        load(storage, "m")


def test_the_total_stands_on_the_study(storage: Storage, record: Record) -> None:
    for _ in range(3):
        claim(record)
    with pytest.raises(UsageError, match="--trials 2 is less than the 3 trials"):
        make_or_go_on(storage, "s", config(), "f", trials=2)
    assert make_or_go_on(storage, "s", config(), "f").ledger.counts().slots == 4
    assert make_or_go_on(storage, "s", config(), "f", more=3).ledger.counts().slots == 7
    assert make_or_go_on(storage, "s", config(), "f", trials=3).ledger.counts().slots == 3
    with pytest.raises(UsageError, match="does not exist yet: give --trials"):
        make_or_go_on(storage, "new", config(), "f", more=3)
    assert names(storage) == ["s"]


def test_without_a_number_a_study_has_fifty_slots_or_as_many_as_its_rows(storage: Storage) -> None:
    assert make_or_go_on(storage, "a", config(), "f").ledger.counts().slots == 50
    rows = StudyConfig.from_dict({"start": [{"lr": 0.1}, {"lr": 0.2}]})
    fixed = make_or_go_on(storage, "b", rows, "f", trials=30)
    assert fixed.ledger.counts().slots == 2
    assert [claim(fixed).number for _ in range(2)] == [0, 1]
    assert [t.user_attrs["set"] for t in fixed.frozen_trials()] == [{"lr": 0.1}, {"lr": 0.2}]


def test_a_finite_space_is_exhausted_when_every_configuration_has_a_row(storage: Storage) -> None:
    record = make_or_go_on(storage, "s", StudyConfig.from_dict({"space": {"lr": [0.1, 0.2]}}), "f", trials=10)
    for value in (0.1, 0.2):
        held = claim(record)
        record.storage.optuna.get_all_trials(record.ledger.study_id)
        optuna.Trial(record.study(), held.trial_id)
        dist = optuna.distributions.CategoricalDistribution((0.1, 0.2))
        record.storage.optuna.set_trial_param(held.trial_id, "lr", dist.to_internal_repr(value), dist)
        finish(record, held)
    assert record.ledger.claim(Owner.here(), record.new_trial) == NoClaim(held=0, exhausted=True)


def test_a_study_deleted_by_another_tool_leaves_nothing_to_its_successor(storage: Storage, record: Record) -> None:
    held = claim(record)
    optuna.delete_study(study_name="s", storage=storage.optuna)
    successor = make_or_go_on(storage, "s", config(), "f", trials=7)
    assert successor.uid != record.uid and successor.ledger.counts().slots == 7
    assert claim(successor).epoch == 1
    del held


def test_delete_removes_all_rows(storage: Storage, record: Record) -> None:
    claim(record)
    delete(storage, record)
    with storage.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(leases)).scalar() == 0
    with pytest.raises(UsageError, match="no study 's'"):
        load(storage, "s")


def test_stock_optuna_reads_our_studies(record: Record) -> None:
    finish(record, claim(record), 0.25)
    with stock(record) as study:
        assert study.best_value == 0.25 and study.direction.name == "MAXIMIZE"


def test_a_locked_sqlite_is_waited_for_and_a_stop_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_module, "BUSY_SECONDS", 0.05)
    storage = Storage(f"sqlite:///{tmp_path}/x.db", make=True)
    waiting, stop = threading.Event(), threading.Event()
    patience = Patience(storage, stop=stop, say=lambda line: waiting.set())
    record = make_or_go_on(storage, "s", config(), "f", trials=4, patience=patience)
    foreign = sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    foreign.execute("BEGIN IMMEDIATE")
    releaser = threading.Thread(target=lambda: (waiting.wait(), foreign.execute("COMMIT")))
    releaser.start()
    assert claim(record).number == 0
    releaser.join()
    assert waiting.is_set() and patience.recent(60)

    foreign.execute("BEGIN IMMEDIATE")
    stop.set()
    with pytest.raises(Interrupted):
        claim(record)
    monkeypatch.setattr(patience, "seconds", 0.2)
    stop.clear()
    with pytest.raises(StorageAway, match=r"was away for 0 s .*locked.*: search again to go on"):
        claim(record)
    foreign.close()
    storage.close()


def test_a_database_that_drops_every_connection_is_waited_for(postgres: str) -> None:
    storage = Storage(postgres, make=True)
    record = make_or_go_on(storage, "s", config(), "f", trials=4)
    held = claim(record)
    killer = sa.create_engine(storage.url, poolclass=sa.NullPool)
    calls = []

    def write() -> None:
        if not calls:
            calls.append(1)
            with killer.connect() as connection:
                query = (
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                connection.execute(sa.text(query))
        record.storage.optuna.set_trial_intermediate_value(held.trial_id, 1, 0.5)

    record.ledger.write(held, write)
    killer.dispose()
    assert record.frozen_trials()[0].intermediate_values == {1: 0.5}
    storage.close()


@pytest.mark.parametrize(
    "bad,error,message",
    [
        ("nonsense", UsageError, "storage 'nonsense' is not a URL"),
        ("mysql://u:secret@h/d", UsageError, "mysql is not supported"),
        ("sqlite://", UsageError, "is in memory only"),
        ("sqlite:///none/x.db", TunerError, "storage folder .*none' does not exist"),
        ("postgresql://u:secret@127.0.0.1:1/d", TunerError, "does not open"),
    ],
)
def test_a_storage_that_does_not_open_is_one_line_without_its_password(bad: str, error: type[TunerError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        Storage(bad, make=True)
    assert "\n" not in caught.value.message and "secret" not in caught.value.message


def test_a_database_without_an_encoding_of_its_own_works(postgres: str) -> None:
    """SQL_ASCII is what a server has that was made without a locale."""
    import sqlalchemy as sa

    name = f"{sa.make_url(postgres).database}_ascii"
    engine = sa.create_engine(sa.make_url(postgres).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"))
    opened = Storage(sa.make_url(postgres).set(database=name).render_as_string(hide_password=False), make=True)
    assert make_or_go_on(opened, "s", config(), "f", trials=1).ledger.counts().slots == 1
    opened.close()
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def test_finished_trials_are_read_again_only_when_there_are_more(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    record = make_or_go_on(storage, "s", config(), "f", trials=9)
    other = load(Storage(storage.url.render_as_string(hide_password=False)), "s")
    slow = claim(other)  # runs all the while
    reads: list[int] = []
    real = type(storage.optuna).get_all_trials
    monkeypatch.setattr(type(storage.optuna), "get_all_trials", lambda self, *a, **k: reads.append(1) or real(self, *a, **k))
    assert record.finished_trials() == [] and not reads
    for count in (1, 2):
        finish(other, claim(other), 0.5)
        reads.clear()
        assert [t.value for t in record.finished_trials()] == [0.5] * count and len(reads) == 1
        assert len(record.finished_trials()) == count and len(reads) == 1
        assert record.study().get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) == record.finished_trials() and len(reads) == 1
    finish(other, slow, 0.75)
    assert [t.value for t in record.finished_trials()] == [0.75, 0.5, 0.5]
    other.storage.close()
