"""Databases as they are found: another program's, for reading only, behind a pooler, copied or removed in mid-search."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import optuna
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from tests.conftest import Tuner
from tests.test_leases import claim, config, finish
from tuner.commands import main
from tuner.errors import TunerError
from tuner.study import connections, file_systems
from tuner.study.storage import NoStudyYet, Storage
from tuner.study.studies import create_or_load, list_studies, load

T = TypeVar("T")
READING = (("studies",), ("show", "s"), ("show",), ("best", "s"), ("report", "s"), ("stop", "s"), ("repair", "s"), ("delete", "s", "--yes"))


# Some have a name that is one of ours or of Optuna's.
THEIRS = ["studies (id INTEGER)", "trials (trial_id INTEGER, result TEXT)", "version_info (version TEXT)", "tuner_leases (flat TEXT)"]


@pytest.mark.parametrize("table", [*THEIRS, "alembic_version (version_num TEXT)", "runs (id INTEGER)"])
def test_another_program_s_file_is_left_as_it_was_and_named(tmp_path: Path, table: str) -> None:
    path = tmp_path / "theirs.db"
    other = sqlite3.connect(path)
    other.execute(f"CREATE TABLE {table}")
    other.commit(), other.close()
    before = path.read_bytes()
    for make in (False, True):
        with pytest.raises(TunerError, match=r"is another program's database .*, left as it was: give another --storage"):
            Storage(f"sqlite:///{path}", make=make)
    for command in READING:
        done = CliRunner().invoke(main, [*command, "--storage", f"sqlite:///{path}"])
        assert done.exit_code == 1 and "another program's database" in done.output, done.output
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["theirs.db"]


@pytest.mark.parametrize("table", [*THEIRS, "alembic_version (version_num TEXT)"])
def test_another_program_s_server_database_is_left_as_it_was_and_named(postgres: str, table: str) -> None:
    engine = sa.create_engine(sa.make_url(postgres).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE {table}"))
    with pytest.raises(TunerError, match="is another program's database"):
        Storage(postgres, make=True)
    assert len(sa.inspect(engine).get_table_names()) == 1
    with pytest.raises(TunerError, match="is another program's database"):
        Storage(postgres)


def test_reading_makes_no_tables(url: str, tmp_path: Path) -> None:
    if url.startswith("postgresql"):
        with pytest.raises(NoStudyYet):
            Storage(url)
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg") if "postgresql" in url else url, poolclass=sa.NullPool)
    plain = engine.url.render_as_string(hide_password=False)
    rdb = optuna.storages.RDBStorage(plain)  # stock Optuna's, with no study of ours
    rdb.engine.dispose()
    before = sa.inspect(engine).get_table_names()
    for command in READING[1:]:
        done = CliRunner().invoke(main, [*command, "--storage", url])
        assert done.exit_code == 2 and "no study in" in done.output, done.output
    assert sa.inspect(engine).get_table_names() == before
    opened = Storage(url, make=True)
    assert create_or_load(opened, "s", config(), "f", trials=1).name == "s"
    opened.close()


def test_a_role_that_may_only_read_reads_and_is_told_in_a_line(postgres: str, tuner: Tuner) -> None:
    opened = Storage(postgres, make=True)
    study = create_or_load(opened, "s", config(), "f", trials=3)
    finish(study, claim(study))
    opened.close()
    owner = sa.create_engine(
        sa.make_url(postgres).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    role = f"reader_{sa.make_url(postgres).database}"
    with owner.connect() as connection:
        connection.execute(sa.text(f"CREATE ROLE {role} LOGIN"))
        connection.execute(sa.text(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"))
    try:
        reader = sa.make_url(postgres).set(username=role).render_as_string(hide_password=False)
        tuner("show", "s", "--storage", reader)
        for command in (("stop", "s"), ("delete", "s", "--yes")):
            said = tuner(*command, "--storage", reader, code=1).stderr
            assert "may only be read here (permission denied for table" in said and said.count("\n") == 1, said
        reading = Storage(reader, make=True)
        with pytest.raises(TunerError, match="may only be read here"):
            create_or_load(reading, "s", config(), "f", trials=4)
        with pytest.raises(TunerError, match="may only be read here"):
            claim(load(reading, "s"))
        reading.close()
    finally:
        with owner.connect() as connection:
            connection.execute(sa.text(f"DROP OWNED BY {role}"))
            connection.execute(sa.text(f"DROP ROLE {role}"))


def test_a_folder_that_may_only_be_read_is_read_and_writing_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Storage(f"sqlite:///{tmp_path}/s.db", make=True)
    study = create_or_load(opened, "s", config(), "f", trials=3)
    finish(study, claim(study))
    opened.close()
    url = f"sqlite:///{tmp_path}/s.db"
    Path("s.db.lock").unlink(missing_ok=True)
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and allowed(path, mode))  # root may write everywhere
    assert CliRunner().invoke(main, ["show", "s", "--storage", url]).exit_code == 0
    for command in (("stop", "s"), ("delete", "s", "--yes")):
        done = CliRunner().invoke(main, [*command, "--storage", url])
        assert done.exit_code == 1 and "may only be read here" in done.output and done.output.count("\n") == 1, done.output
    assert [p.name for p in tmp_path.iterdir()] == ["s.db"], "no lock, no log"


def test_nothing_that_a_pooler_refuses_is_sent_at_the_start_and_the_settings_hold(postgres: str) -> None:
    opened = Storage(postgres, make=True)
    with opened.engine.connect() as connection:
        assert connection.execute(sa.text("SHOW idle_in_transaction_session_timeout")).scalar() == "30s"
    opened.close()
    with socket.create_server(("127.0.0.1", 0)) as server:
        sent: list[bytes] = []

        def listen() -> None:
            while b"user" not in b"".join(sent):
                connection, _ = server.accept()
                with connection:
                    packet = connection.recv(4096)
                    if len(packet) == 8:  # asks for encryption
                        connection.sendall(b"N")
                        packet = connection.recv(4096)
                    sent.append(packet)

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        with pytest.raises(TunerError, match="does not open"):
            Storage(f"postgresql://u@127.0.0.1:{server.getsockname()[1]}/d?sslmode=disable&gssencmode=disable")
        listener.join(10)
    assert b"user" in sent[-1] and b"options" not in sent[-1]


@pytest.mark.parametrize("system", ["nfs4", "gpfs", "beegfs", "lustre", "fuse.glusterfs", "fuse", "fuse.s3fs"])
def test_a_network_file_system_is_seen_behind_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    (tmp_path / "mounted").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mounted")
    mounted = str((tmp_path / "mounted").resolve())
    mounts = [SimpleNamespace(mountpoint="/", fstype="ext4"), SimpleNamespace(mountpoint=mounted, fstype=system)]
    monkeypatch.setattr(file_systems.psutil, "disk_partitions", lambda all: mounts)
    with pytest.raises(TunerError, match=rf"is on a network file system \({system}\)"):
        Storage(f"sqlite:///{tmp_path}/link/s.db", make=True)
    Storage(f"sqlite:///{tmp_path}/here.db", make=True).close()


def test_a_file_copied_in_mid_search_has_the_study_and_its_finished_trials(tmp_path: Path) -> None:
    opened = Storage(f"sqlite:///{tmp_path}/s.db", make=True)
    study = create_or_load(opened, "s", config(), "f", trials=3)
    shutil.copy(tmp_path / "s.db", tmp_path / "first.db")
    finish(study, claim(study))
    shutil.copy(tmp_path / "s.db", tmp_path / "second.db")
    for name, complete in (("first", 0), ("second", 1)):
        copied = Storage(f"sqlite:///{tmp_path}/{name}.db")
        assert list_studies(copied) == ["s"] and load(copied, "s").leases.counts().complete == complete
        copied.close()
    opened.close()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_removed_in_mid_search_is_noticed(tmp_path: Path, replaced: bool) -> None:
    opened = Storage(f"sqlite:///{tmp_path}/s.db", make=True)
    study = create_or_load(opened, "s", config(), "f", trials=3)
    held = claim(study)
    (tmp_path / "s.db").rename(tmp_path / "away.db")
    if replaced:
        shutil.copy(tmp_path / "away.db", tmp_path / "s.db")
    for attempt in (lambda: study.leases.write(held, lambda: None), lambda: claim(study), study.leases.counts):
        with pytest.raises(TunerError, match="was removed or replaced meanwhile: put the file back"):
            attempt()
    opened.close()


def test_a_transaction_that_cannot_be_serialised_is_tried_again_and_no_death_of_its_trial(postgres: str) -> None:
    """With an isolation level that a server's owner chose, PostgreSQL refuses what waited for a row that then changed."""
    plain = sa.make_url(postgres).set(drivername="postgresql+psycopg")
    other = sa.create_engine(plain, poolclass=sa.NullPool)
    with other.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"ALTER DATABASE {plain.database} SET default_transaction_isolation TO 'serializable'"))
    opened = Storage(postgres, make=True)
    study = create_or_load(opened, "s", config(), "f", trials=1)
    refused: list[str] = []
    sa.event.listen(opened.engine, "handle_error", lambda context: refused.append(context.original_exception.sqlstate))
    waits = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")

    def disturb(call: Callable[[], T], table: str) -> T:
        """The call's result; another transaction changes the row that it waits for."""
        with ThreadPoolExecutor(1) as pool, other.connect() as connection, other.connect() as looking:
            connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"))
            connection.execute(sa.text(f"UPDATE {table} SET study_id = study_id"))
            running = pool.submit(call)
            while not looking.execute(waits).scalar():
                looking.rollback()
                assert not running.done()
            connection.commit()
            return running.result()

    held = disturb(lambda: claim(study), "tuner_studies")
    disturb(lambda: study.leases.write(held, lambda: None), "tuner_leases")
    disturb(lambda: finish(study, held), "tuner_leases")
    assert refused == ["40001"] * 3, "could not serialize access"
    [trial] = study.frozen_trials()
    assert (held.crashes, trial.state.name, trial.value) == (0, "COMPLETE", 0.5)
    other.dispose(), opened.close()


def test_a_locked_sqlite_file_is_waited_for_and_no_death_of_its_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BUSY_SECONDS", 0.01)
    opened = Storage(f"sqlite:///{tmp_path}/s.db", make=True)
    said: list[str] = []
    other = sqlite3.connect(tmp_path / "s.db")

    def hear(line: str) -> None:
        said.append(line)
        if "away" in line:
            other.rollback()

    study = create_or_load(opened, "s", config(), "f", trials=1)
    study.retry.stop_with(threading.Event(), hear)
    other.execute("BEGIN IMMEDIATE")
    held = claim(study)
    other.execute("BEGIN IMMEDIATE")
    finish(study, held)
    assert said == ["database away (database is locked): waiting for it", "database back"] * 2
    [trial] = study.frozen_trials()
    assert (held.crashes, trial.state.name) == (0, "COMPLETE")
    other.close(), opened.close()
