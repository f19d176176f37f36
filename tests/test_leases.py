"""Exact totals, claims and leases, on SQLite and PostgreSQL."""

from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from optuna.trial import FrozenTrial, TrialState

from tuner.commands import main
from tuner.config.study_config import StudyConfig
from tuner.errors import Interrupted, TunerError, UsageError
from tuner.study import connections, holders
from tuner.study import leases as module
from tuner.study.drawing import Drawing
from tuner.study.frozen import read_trials
from tuner.study.lease import EndedByOtherTool, Lease, LeaseLost, NothingToClaim, Released, read_lease_seconds
from tuner.study.retry import Retry, StorageAway
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, delete, list_studies, load
from tuner.study.study import Study
from tuner.study.tables import leases
from tuner.study.worker_id import WorkerId
from tuner.workers.leased_trial import LeasedTrial

CONFIG = {"data": "digits", "space": {"lr": {"low": 0.001, "high": 0.1, "log": True}, "batch_size": [8, 16]}}


def config(**changes: object) -> StudyConfig:
    return StudyConfig.from_dict({**CONFIG, **changes})


@pytest.fixture
def study(storage: Storage) -> Study:
    return create_or_load(storage, "s", config(), "f", trials=4)


def claim(study: Study, owner: WorkerId | None = None) -> Lease:
    got = study.leases.claim(owner or WorkerId.here(), study.new_trial)
    assert isinstance(got, Lease), got
    return got


def finish(study: Study, held: Lease, value: float = 0.5) -> None:
    study.leases.finish(held, lambda: study.optuna_study().tell(held.number, value))


def states(study: Study) -> list[str]:
    return [trial.state.name for trial in study.frozen_trials()]


@pytest.fixture
def elsewhere() -> WorkerId:
    """A worker on another machine: nobody here can see whether it lives."""
    return WorkerId(machine="another", pid=1, started=0.0, host="far")


@pytest.fixture
def gone() -> Callable[[], WorkerId]:
    """Makes owners whose process on this machine has ended."""

    def make() -> WorkerId:
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        owner = WorkerId.of(process.pid)
        process.communicate(b"\n")
        return owner

    return make


def silence(study: Study, held: Lease) -> None:
    """Let a lease run out without waiting for it."""
    with study.storage.engine.begin() as connection:
        connection.execute(sa.update(leases).where(leases.c.trial_id == held.trial_id).values(beat=leases.c.beat - 1000))


@contextmanager
def stock(study: Study) -> Iterator[optuna.Study]:
    """The study as Optuna alone opens it, from nothing but the URL."""
    rdb = optuna.storages.RDBStorage(study.storage.url.render_as_string(hide_password=False))
    yield optuna.load_study(study_name=study.name, storage=rdb)
    rdb.remove_session()
    rdb.engine.dispose()


def test_rows_are_made_just_in_time_and_no_more_than_the_total(study: Study) -> None:
    assert states(study) == []
    held = [claim(study) for _ in range(4)]
    assert [c.number for c in held] == [0, 1, 2, 3]
    assert study.leases.claim(WorkerId.here(), study.new_trial) == NothingToClaim(held=4, full=True)
    for each in held:
        finish(study, each)
    assert study.leases.claim(WorkerId.here(), study.new_trial) == NothingToClaim(held=0, full=True)
    assert states(study) == ["COMPLETE"] * 4


def test_a_failed_trial_frees_its_slot(study: Study) -> None:
    held = claim(study)
    study.leases.finish(held, lambda: study.optuna_study().tell(held.number, state=TrialState.FAIL))
    numbers = [claim(study).number for _ in range(4)]
    assert numbers == [1, 2, 3, 4]
    assert isinstance(study.leases.claim(WorkerId.here(), study.new_trial), NothingToClaim)


def test_a_trial_put_back_is_taken_up_before_anything_new_in_the_same_row(study: Study) -> None:
    first, second = claim(study), claim(study)
    study.leases.write(first, lambda: study.storage.optuna.set_trial_intermediate_value(first.trial_id, 1, 0.25))
    study.leases.requeue(second)
    study.leases.requeue(first)
    again = claim(study)
    assert (again.number, again.resumed, again.crashes, again.fence) == (0, True, 0, first.fence + 1)
    assert study.frozen_trials()[0].intermediate_values == {1: 0.25}
    assert claim(study).number == 1


def test_a_lease_that_ran_out_is_taken_over_and_its_late_writer_refused(study: Study, elsewhere: WorkerId) -> None:
    late = claim(study, elsewhere)
    assert claim(study).number == 1, "a living lease is left alone"
    silence(study, late)
    taken = claim(study)
    assert (taken.number, taken.crashes, taken.resumed) == (0, 1, True)
    with pytest.raises(LeaseLost):
        study.leases.write(late, lambda: study.storage.optuna.set_trial_user_attr(late.trial_id, "late", True))
    with pytest.raises(LeaseLost):
        finish(study, late)
    with pytest.raises(LeaseLost):
        study.leases.requeue(late)
    assert not study.leases.heartbeat(late) and study.leases.heartbeat(taken)
    assert "late" not in study.frozen_trials()[0].user_attrs
    finish(study, taken, 0.75)
    assert study.frozen_trials()[0].value == 0.75


def test_a_beat_keeps_a_lease(study: Study, elsewhere: WorkerId) -> None:
    held = claim(study, elsewhere)
    silence(study, held)
    assert study.leases.heartbeat(held)
    assert claim(study).number == 1


def test_a_dead_process_of_this_machine_is_noticed_at_once_and_the_third_death_is_a_fail(
    study: Study, gone: Callable[[], WorkerId]
) -> None:
    for crashes in range(3):
        assert claim(study, gone()).crashes == crashes
    # The third owner is dead as well: the next claim buries the trial and takes a new one.
    assert claim(study).number == 1
    assert states(study)[0] == "FAIL"
    assert study.read_facts(study.frozen_trials())[0]["run"]["reason"] == "its worker died 3 times while training it"
    assert study.leases.counts().used == 1


def test_a_claim_looks_for_each_worker_once_and_reads_only_what_may_have_been_left_behind(
    storage: Storage, elsewhere: WorkerId, gone: Callable[[], WorkerId], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = create_or_load(storage, "s", config(), "f", trials=30)
    owners = [WorkerId.here(), elsewhere]
    for _ in range(10):
        for owner in owners:
            claim(study, owner)
    asked, read, is_dead, read_unfinished = [], [], WorkerId.is_dead, holders.read_unfinished

    def ask(owner: WorkerId) -> bool:
        asked.append(str(owner))
        return is_dead(owner)

    monkeypatch.setattr(WorkerId, "is_dead", ask)
    monkeypatch.setattr(module, "read_unfinished", lambda *given: read.append(read_unfinished(*given)) or read[-1])
    held = claim(study)
    assert not held.resumed and sorted(asked) == sorted(map(str, owners)) and read == [[]]
    dead = claim(study, gone())
    assert claim(study).number == dead.number
    assert [[row.number for row in rows] for rows in read[1:]] == [[], [dead.number]]


def test_a_reaped_worker_gives_its_trial_back_at_once(study: Study, elsewhere: WorkerId) -> None:
    held = claim(study, elsewhere)
    assert study.leases.release(elsewhere) == [Released(number=held.number, failed=None)]
    assert states(study) == ["WAITING"]
    again = claim(study)
    assert (again.number, again.crashes) == (0, 1)
    assert study.leases.release(elsewhere) == []


def test_a_trial_told_from_outside_is_dropped(study: Study) -> None:
    held = claim(study)
    with stock(study) as theirs:
        theirs.tell(0, 0.9)
    with pytest.raises(EndedByOtherTool):
        study.leases.write(held, lambda: None)
    study.leases.drop(held)
    assert claim(study).number == 1
    assert study.frozen_trials()[0].value == 0.9


def test_a_commit_whose_acknowledgement_was_lost_is_found_done(study: Study) -> None:
    held = claim(study)
    finish(study, held)
    finish(study, held, 0.1)  # what a retry does: finds the lease given up by this very claim
    assert study.frozen_trials()[0].value == 0.5


def test_a_stale_trial_of_another_tool_holds_nothing_up_and_can_be_mended(study: Study) -> None:
    study.optuna_study().ask()
    assert [claim(study).number for _ in range(3)] == [1, 2, 3], "its row counts as a slot"
    got = study.leases.claim(WorkerId.here(), study.new_trial)
    assert got == NothingToClaim(held=3, full=True), "but nobody waits for it"
    [stale] = study.leases.stale_trials()
    assert (stale.number, stale.why) == (0, "no worker of tuner ever held it")
    assert study.leases.requeue_stale([stale]) == 1
    assert study.leases.requeue_stale([stale]) == 0
    assert claim(study).number == 0


def test_a_late_writer_is_refused_though_nobody_took_its_trial_up(study: Study, elsewhere: WorkerId) -> None:
    """Its own end, whose acknowledgement was lost, is found done. What others did with the trial is none."""
    for _ in range(2):
        silence(study, claim(study, elsewhere))
    third = claim(study, elsewhere)
    silence(study, third)
    assert claim(study).number == 1 and states(study) == ["FAIL", "RUNNING"]
    for late in (lambda: finish(study, third), lambda: study.leases.requeue(third)):
        with pytest.raises(LeaseLost):
            late()
    put_back = claim(study, replace(elsewhere, pid=2))
    silence(study, put_back)
    assert study.leases.requeue_stale(study.leases.stale_trials()) == 1
    with pytest.raises(LeaseLost):
        finish(study, put_back)
    assert states(study) == ["FAIL", "RUNNING", "WAITING"]


def test_repair_gives_a_silent_worker_elsewhere_a_lease_s_time_for_a_heartbeat(
    study: Study, elsewhere: WorkerId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the database's clock was set, the lease of a living worker looks run out, and this process saw no time before."""
    lives, died = claim(study, elsewhere), claim(study, replace(elsewhere, pid=2))
    for held in (lives, died):
        silence(study, held)
    waited = []

    def beat(seconds: float) -> None:
        waited.append(seconds)
        study.leases.heartbeat(lives)

    monkeypatch.setattr(import_module("tuner.commands.repair"), "sleep", beat)
    done = CliRunner().invoke(main, ["repair", "s", "--yes", "--storage", study.storage.url.render_as_string(hide_password=False)])
    assert done.exit_code == 0 and waited == [read_lease_seconds()]
    assert "no word from the workers of trials 0, 1 on other machines: giving them" in done.stderr
    assert done.stdout == "trial 1: RUNNING, its worker is gone\n" and "1 trial is back in the queue" in done.stderr
    assert states(study) == ["RUNNING", "WAITING"]


def test_after_an_outage_every_owner_has_a_lease_s_time_to_beat_again(study: Study, elsewhere: WorkerId) -> None:
    held = claim(study, elsewhere)
    silence(study, held)
    study.leases.retry.noticed = threading.TIMEOUT_MAX  # an outage that has only just ended
    assert claim(study).number == 1
    study.leases.retry.noticed = None
    assert claim(study).number == 0


def _work(url: str, trials: int) -> None:
    """A process that makes the study if it must, and takes trials until there are none."""
    storage = Storage(url, make=True)
    study = create_or_load(storage, "s", config(), "f", trials=trials)
    while isinstance(held := study.leases.claim(WorkerId.here(), study.new_trial), Lease):
        finish(study, held, held.number / 100)
    storage.close()


def test_eight_processes_at_once_on_an_empty_database_reach_the_exact_total(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_work, args=(url, 40)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    storage = Storage(url, make=True)
    study = load(storage, "s")
    assert states(study) == ["COMPLETE"] * 40
    assert [trial.number for trial in study.frozen_trials()] == list(range(40))
    storage.close()


def test_going_on_checks_the_definition_and_writes_nothing_if_it_differs(storage: Storage, study: Study) -> None:
    with pytest.raises(TunerError, match=r"lr was .* and is now \[0.1\]"):
        create_or_load(storage, "s", config(space={"lr": [0.1], "batch_size": [8, 16]}), "f", trials=9)
    with pytest.raises(TunerError, match="data was f and is now g"):
        create_or_load(storage, "s", config(), "g")
    with pytest.raises(TunerError, match="seed was 0 and is now 1"):
        create_or_load(storage, "s", config(seed=1), "f")
    assert study.leases.counts().n_trials == 4
    changed = create_or_load(storage, "s", config(sampler="random", pruner="none", start=[{"lr": 0.01}]), "f")
    assert changed.config.sampler[0] == "random" and changed.new_trial() is not None


def test_another_direction_is_an_error_that_names_it(storage: Storage) -> None:
    optuna.create_study(study_name="m", storage=storage.optuna, direction="minimize")
    with pytest.raises(TunerError, match="has the direction minimize"):
        create_or_load(storage, "m", config(), "f")
    with pytest.raises(UsageError, match="was not made by tuner"):
        load(storage, "m")


def test_the_total_stands_on_the_study(storage: Storage, study: Study) -> None:
    for _ in range(3):
        claim(study)
    with pytest.raises(UsageError, match="--trials 2 is less than the 3 trials"):
        create_or_load(storage, "s", config(), "f", trials=2)
    assert create_or_load(storage, "s", config(), "f").leases.counts().n_trials == 4
    assert create_or_load(storage, "s", config(), "f", more=3).leases.counts().n_trials == 7
    assert create_or_load(storage, "s", config(), "f", trials=3).leases.counts().n_trials == 3
    with pytest.raises(UsageError, match="does not exist yet: give --trials"):
        create_or_load(storage, "new", config(), "f", more=3)
    assert list_studies(storage) == ["s"]


def test_without_a_number_a_study_has_fifty_slots_or_as_many_as_its_rows(storage: Storage) -> None:
    assert create_or_load(storage, "a", config(), "f").leases.counts().n_trials == 50
    rows = StudyConfig.from_dict({"start": [{"lr": 0.1}, {"lr": 0.2}]})
    fixed = create_or_load(storage, "b", rows, "f", trials=30)
    assert fixed.leases.counts().n_trials == 2
    assert [claim(fixed).number for _ in range(2)] == [0, 1]
    assert [facts["set"] for facts in fixed.read_facts(fixed.frozen_trials())] == [{"lr": 0.1}, {"lr": 0.2}]


def test_a_finite_space_is_exhausted_when_every_configuration_has_a_row(storage: Storage) -> None:
    study = create_or_load(storage, "s", StudyConfig.from_dict({"space": {"lr": [0.1, 0.2]}}), "f", trials=10)
    for value in (0.1, 0.2):
        held = claim(study)
        study.storage.optuna.get_all_trials(study.leases.study_id)
        optuna.Trial(study.optuna_study(), held.trial_id)
        dist = optuna.distributions.CategoricalDistribution((0.1, 0.2))
        study.storage.optuna.set_trial_param(held.trial_id, "lr", dist.to_internal_repr(value), dist)
        finish(study, held)
    assert study.leases.claim(WorkerId.here(), study.new_trial) == NothingToClaim(held=0, exhausted=True)


def test_a_study_deleted_by_another_tool_leaves_nothing_to_its_successor(storage: Storage, study: Study) -> None:
    held = claim(study)
    optuna.delete_study(study_name="s", storage=storage.optuna)
    successor = create_or_load(storage, "s", config(), "f", trials=7)
    assert successor.uid != study.uid and successor.leases.counts().n_trials == 7
    assert claim(successor).fence == 1
    del held


def test_delete_removes_all_rows(storage: Storage, study: Study) -> None:
    claim(study)
    delete(storage, study)
    with storage.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(leases)).scalar() == 0
    with pytest.raises(UsageError, match="no study 's'"):
        load(storage, "s")


def test_stock_optuna_reads_our_studies(study: Study) -> None:
    finish(study, claim(study), 0.25)
    with stock(study) as theirs:
        assert theirs.best_value == 0.25 and theirs.direction.name == "MAXIMIZE"


def test_a_locked_sqlite_is_waited_for_and_a_stop_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BUSY_SECONDS", 0.05)
    storage = Storage(f"sqlite:///{tmp_path}/x.db", make=True)
    waiting, stop = threading.Event(), threading.Event()
    retry = Retry(storage, stop=stop, say=lambda line: waiting.set())
    study = create_or_load(storage, "s", config(), "f", trials=4, retry=retry)
    foreign = sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    foreign.execute("BEGIN IMMEDIATE")
    releaser = threading.Thread(target=lambda: (waiting.wait(), foreign.execute("COMMIT")))
    releaser.start()
    assert claim(study).number == 0
    releaser.join()
    assert waiting.is_set() and retry.noticed_within(60)

    foreign.execute("BEGIN IMMEDIATE")
    stop.set()
    with pytest.raises(Interrupted):
        claim(study)
    monkeypatch.setattr(retry, "seconds", 0.2)
    stop.clear()
    with pytest.raises(StorageAway, match=r"was away for 0 s .*locked.*: search again to go on"):
        claim(study)
    foreign.close()
    storage.close()


def test_a_database_that_drops_every_connection_is_waited_for(postgres: str) -> None:
    storage = Storage(postgres, make=True)
    study = create_or_load(storage, "s", config(), "f", trials=4)
    held = claim(study)
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
        study.storage.optuna.set_trial_intermediate_value(held.trial_id, 1, 0.5)

    study.leases.write(held, write)
    killer.dispose()
    assert study.frozen_trials()[0].intermediate_values == {1: 0.5}
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
    assert create_or_load(opened, "s", config(), "f", trials=1).leases.counts().n_trials == 1
    opened.close()
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def record_reads(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The ids that rows are asked for by, one list a call; -1 where Optuna lists all that are not finished."""
    reads: list[list[int]] = []
    get_all_trials = optuna.storages._CachedStorage.get_all_trials

    def read_these(connection: sa.Connection, ids: Iterable[int]) -> list[FrozenTrial]:
        reads.append(sorted(ids))
        return read_trials(connection, reads[-1])

    monkeypatch.setattr("tuner.study.finished.read_trials", read_these)
    monkeypatch.setattr(optuna.storages._CachedStorage, "get_all_trials", lambda *a, **k: reads.append([-1]) or get_all_trials(*a, **k))
    return reads


def test_finished_trials_are_read_again_only_when_there_are_more(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    study = create_or_load(storage, "s", config(), "f", trials=9)
    other = load(Storage(storage.url.render_as_string(hide_password=False)), "s")
    slow = claim(other)  # runs all the while
    reads = record_reads(monkeypatch)
    assert study.finished_trials() == [] and not reads
    for count in (1, 2):
        ended = claim(other)
        finish(other, ended, 0.5)
        reads.clear()
        assert [t.value for t in study.finished_trials()] == [0.5] * count and reads == [[ended.trial_id]]
        assert len(study.finished_trials()) == count and len(reads) == 1
        assert study.optuna_study().get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) == study.finished_trials() and len(reads) == 1
    finish(other, slow, 0.75)
    assert [t.value for t in study.finished_trials()] == [0.75, 0.5, 0.5]
    other.storage.close()


def test_all_parameters_of_a_draw_are_drawn_from_the_same_trials(storage: Storage) -> None:
    study = create_or_load(storage, "s", config(sampler={"name": "tpe", "n_startup_trials": 1, "multivariate": False}), "f", trials=9)
    frozen = storage.optuna.get_trial(claim(study).trial_id)
    ended, seen = claim(study), study.optuna_study(carried=True)

    def draw(meanwhile: Callable[[], object]) -> list[object]:
        drawing = Drawing(seen, frozen)
        meanwhile()
        first = drawing.suggest_float("lr", 0.001, 0.1, log=True)
        meanwhile()
        return [first, drawing.suggest_categorical("batch_size", [8, 16]), drawing._study.get_trials(states=(TrialState.COMPLETE,))]

    assert draw(lambda: None)[-1] == []
    calls = iter([lambda: finish(study, ended), lambda: finish(study, claim(study))])
    assert [trial.number for trial in draw(lambda: next(calls)())[-1]] == [ended.number]
    assert len(study.finished_trials()) == 2


def test_a_worker_draws_a_row_of_its_own_without_reading_those_of_others_and_one_of_another_s_too(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = create_or_load(storage, "s", config(sampler="random"), "f", trials=9)
    other = load(Storage(storage.url.render_as_string(hide_password=False)), "s")
    reads, real = [], type(storage.optuna).get_all_trials
    monkeypatch.setattr(type(storage.optuna), "get_all_trials", lambda *a, **k: reads.append("all") or real(*a, **k))
    made = [claim(study) for _ in range(3)]
    reads.clear()
    drawn = LeasedTrial(study, made[0]).configure(threads=1, precision="fp32")
    assert not reads and study.storage.optuna.get_trial(made[0].trial_id).params["lr"] == drawn.lr
    study.leases.requeue(made[1])
    taken = claim(other)
    assert taken.number == made[1].number and taken.resumed
    config_of_it = LeasedTrial(other, taken).configure(threads=1, precision="fp32")
    assert storage.optuna.get_trial(taken.trial_id).params["lr"] == config_of_it.lr
    other.storage.close()


def test_the_parameters_of_running_trials_are_read_once(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    study = create_or_load(storage, "s", config(sampler="random"), "f", trials=9)
    other = load(Storage(storage.url.render_as_string(hide_password=False)), "s")
    held = [claim(other) for _ in range(3)]
    drawn = [LeasedTrial(other, lease).configure(threads=1, precision="fp32").lr for lease in held[:2]]
    reads = record_reads(monkeypatch)

    def look() -> list[tuple[int, str, float | None]]:
        reads.clear()
        wanted = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)  # what TPE asks for
        rows = study.optuna_study()._get_trials(deepcopy=False, states=wanted)
        return [(row.number, row.state.name, row.params.get("lr")) for row in rows]

    first, second, third = (0, "RUNNING", drawn[0]), (1, "RUNNING", drawn[1]), (2, "RUNNING", None)
    assert look() == [first, second, third] and reads[-1] == [lease.trial_id for lease in held]
    assert look() == [first, second, third] and reads[-1] == [held[2].trial_id], "the one that has no parameters yet"
    finish(other, held[0])
    other.leases.requeue(held[1])
    assert look() == [(0, "COMPLETE", drawn[0]), third]
    claim(other)
    assert look() == [(0, "COMPLETE", drawn[0]), second, third]
    other.storage.close()


def test_more_is_added_once_until_its_trials_are_done(storage: Storage) -> None:
    made = create_or_load(storage, "s", config(), "f", trials=2)
    for _ in range(2):
        finish(made, claim(made))
    totals = [create_or_load(storage, "s", config(), "f", more=3).leases.counts().n_trials for _ in range(3)]
    assert totals == [5, 5, 5], "an interrupted --more 3 is the same --more 3"
    assert create_or_load(storage, "s", config(), "f", more=2).leases.counts().n_trials == 7, "another number is another wish"
    assert create_or_load(storage, "s", config(), "f", more=2).leases.counts().n_trials == 7
    for _ in range(5):
        finish(made, claim(made))
    assert create_or_load(storage, "s", config(), "f", more=2).leases.counts().n_trials == 9, "its trials are done"
    assert create_or_load(storage, "s", config(), "f", trials=12).leases.counts().n_trials == 12
    assert create_or_load(storage, "s", config(), "f", more=2).leases.counts().n_trials == 14
