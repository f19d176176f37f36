"""What a machine refuses and what a database should not hold: a line each, from every command."""

from __future__ import annotations

import errno
import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.test_databases import READING
from tests.test_leases import claim, config, finish
from tuner.commands import main
from tuner.errors import TunerError, blame_machine
from tuner.placement import Placement
from tuner.study.damage import blame_storage, find_damage
from tuner.study.facts import write_facts, write_run
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, load
from tuner.workers.events import WorkerFailed
from tuner.workers.local import LocalWorker
from tuner.workers.worker import Assignment

CURVE = [{"epoch": 1, "train_loss": 1.0, "train_accuracy": 0.5, "val_loss": 1.0, "val_accuracy": 0.5, "seconds": 0.1}]
TRAINED = {"outcome": "trained", "reason": "trained to its last epoch"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database file with a study of three finished trials, whose curves take pages of their own."""
    path = tmp_path_factory.mktemp("whole") / "x.db"
    storage = Storage(f"sqlite:///{path}", make=True)
    study = create_or_load(storage, "s", config(), "f", trials=3)
    for _ in range(3):
        held = claim(study)
        study.leases.write(held, partial(write_facts, storage, study.leases.study_id, held.trial_id, curve=CURVE * 60))
        study.leases.write(held, partial(write_run, storage, study.leases.study_id, held.trial_id, TRAINED))
        finish(study, held)
    assert find_damage(storage) is None
    storage.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    return path.read_bytes()


def run(*args: str) -> Result:
    """A command in this process. What is no line is raised."""
    done = CliRunner().invoke(main, args)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def change(statement: str) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            assert connection.execute(statement).rowcount > 0

    return apply


def overwrite(place: int, content: bytes) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        whole = path.read_bytes()
        start = place % len(whole)
        path.write_bytes(whole[:start] + content + whole[start + len(content) :])

    return apply


def write_schema(path: Path) -> None:
    """A schema's text can be changed only so."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET name = CAST(X'74ff' AS TEXT) WHERE name = 'trials'")


DAMAGES = {
    "a header that is none": (overwrite(0, b"none"), "file is not a database"),
    "a page of zeros": (overwrite(4096, bytes(4096)), ""),
    "a schema that is no text": (write_schema, ""),
    "the end is missing": (lambda path: os.truncate(path, 3 * 4096), ""),
    "JSON that is none": (change("UPDATE study_user_attributes SET value_json = '{' WHERE key = 'config'"), "Expecting property name"),
    "a trial's JSON that is none": (
        change("UPDATE tuner_facts SET value_json = '[1,' WHERE name = 'curve'"),
        "table tuner_facts: Expecting value",
    ),
    "text that is none": (change("UPDATE trial_user_attributes SET value_json = CAST(X'22ff22' AS TEXT)"), "UTF-8"),
    "a fact that is no text": (change("UPDATE tuner_facts SET value_json = CAST(X'22ff22' AS TEXT)"), "UTF-8"),
    "a state that is none": (change("UPDATE trials SET state = 'COMPLETF'"), "table trials: 'COMPLETF'"),
    "a date that is none": (change("UPDATE trials SET datetime_complete = 'yesterday'"), "yesterday"),
    "a curve of another shape": (
        change("""UPDATE tuner_facts SET value_json = '[{"epoci": 1}]' WHERE name = 'curve'"""),
        "study 's', trial 0: its curve",
    ),
    "no definition": (change("DELETE FROM study_user_attributes WHERE key = 'definition'"), "study 's': KeyError: 'definition'"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_database_is_a_line_that_says_what_and_no_other_error(tmp_path: Path, whole: bytes, name: str) -> None:
    damage, said = DAMAGES[name]
    path = tmp_path / "x.db"
    path.write_bytes(whole)
    damage(path)
    found = []
    for command in READING:
        done = run(*command, "--storage", f"sqlite:///{path}")
        assert done.exit_code in (0, 1, 3), done.output
        if done.exit_code == 1:
            found.append(done.output.splitlines()[-1])  # some have said something before
    assert all(line.startswith("Error: ") for line in found), found
    assert any("is damaged, or was never one (" in line and said in line for line in found), found
    assert all("go back to a copy, or give another --storage" in line for line in found if "is damaged" in line)


def test_flipped_bytes_are_never_a_traceback(tmp_path: Path, whole: bytes) -> None:
    for seed in range(40):
        chance, flipped = random.Random(seed), bytearray(whole)
        for _ in range(chance.choice([1, 8, 200])):
            flipped[chance.randrange(len(flipped))] = chance.randrange(256)
        path = tmp_path / f"{seed}.db"
        path.write_bytes(flipped)
        for command in (("show", "s"), ("repair", "s")):
            assert run(*command, "--storage", f"sqlite:///{path}").exit_code in (0, 1, 2, 3)


def test_a_worker_on_a_damaged_study_ends_with_the_line(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(whole)
    change("UPDATE study_user_attributes SET value_json = '{' WHERE key = 'config'")(path)
    worker = LocalWorker(Assignment(url=f"sqlite:///{path}", study="s", source=None, keep=5, placement=Placement()))
    worker.process.join()
    [failed] = worker.hear()
    assert isinstance(failed, WorkerFailed) and not failed.storage_away and worker.code == 1
    assert "is damaged, or was never one (table study_user_attributes: Expecting property name" in failed.text


def test_a_bug_of_ours_keeps_its_traceback(tmp_path: Path, whole: bytes) -> None:
    (tmp_path / "x.db").write_bytes(whole)
    storage = Storage(f"sqlite:///{tmp_path}/x.db")
    assert load(storage, "s").name == "s"
    for bug in (KeyError("a"), ValueError("b"), FileNotFoundError(errno.ENOENT, "No such file", "c"), RuntimeError("size mismatch")):
        assert blame_machine(bug) is None and blame_storage(bug) is None
    storage.close()


@pytest.mark.parametrize(
    "error,line",
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a/b"), "'/a/b': no space left on device: free some space"),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files: raise `ulimit -n`"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "'x': permission denied: ask for the right"),
        (MemoryError(), "out of memory: raise the limits of memory"),
        (RuntimeError("can't start new thread"), "can't start new thread: raise the limits of memory and processes"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "libtorch_cpu.so: failed to map segment"),
    ],
)
def test_what_a_machine_refuses_is_a_line_with_its_remedy(error: Exception, line: str) -> None:
    told = blame_machine(error)
    assert isinstance(told, TunerError) and told.message.startswith(line)


@pytest.mark.parametrize("limit,remedy", [("-n 16", "raise `ulimit -n`"), ("-v 2000000", "raise the limits of memory and processes")])
def test_a_search_under_a_limit_that_is_too_low_names_the_limit(tmp_path: Path, small_study: Path, limit: str, remedy: str) -> None:
    command = f"ulimit {limit}; exec {sys.executable} -m tuner search {small_study} --trials 1 --workers 1 --no-progress"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    said = done.stderr.strip().splitlines()
    assert done.returncode == 1 and said[-1].startswith("Error: ") and remedy in said[-1], done.stderr
    assert "Traceback" not in done.stderr


def test_the_whole_one_is_read(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(whole)
    shown = json.loads(run("show", "s", "--json", "--storage", f"sqlite:///{tmp_path}/x.db").output)
    assert [len(trial["epochs"]) for trial in shown["trials"]] == [60, 60, 60]
