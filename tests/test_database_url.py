"""No secret of a storage is shown, however it is given."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from psycopg import pq

from tests.conftest import Tuner
from tuner.commands import main
from tuner.errors import TunerError, UsageError, hide_passwords
from tuner.study.database_url import SHOWN, hide_secrets, parse
from tuner.study.storage import Storage, read_first_line

SECRET = "hunter2"


@pytest.mark.parametrize(
    "url,shown",
    [
        ("postgresql://me:hunter2@host:5433/d", "postgresql://me:***@host:5433/d"),
        ("postgresql://me@host/d?password=hunter2", "postgresql://me@host/d?password=***"),
        ("postgresql://me@host/d?PASSWORD=hunter2&connect_timeout=3", "postgresql://me@host/d?PASSWORD=***&connect_timeout=3"),
        ("postgresql+psycopg://me@host/d?sslpassword=hunter2", "postgresql://me@host/d?sslpassword=***"),
        ("postgresql://me@host/d?passfile=/home/me/hunter2", "postgresql://me@host/d?passfile=***"),
        ("postgresql://host/d?password=hunter2&password=hunter2", "postgresql://host/d?password=***"),
        ("postgresql://me@host/d?passwd=hunter2&pwd=hunter2", "postgresql://me@host/d?passwd=***&pwd=***"),
        ("postgresql://me@host/d?password%20=hunter2", "postgresql://me@host/d?password+=***"),
        ("postgresql://me@host/d?options=-c%20x.key=hunter2", "postgresql://me@host/d?options=***"),
        ("postgresql://me@host/d?sslmode=disable?password=hunter2", "postgresql://me@host/d?sslmode=***"),
        ("postgresql://me@host/d?host=a%20password=hunter2", "postgresql://me@host/d?host=***"),
        ("postgresql://me@host/d;password=hunter2", "postgresql://me@host/***"),
        ("postgresql://me@host/d#password=hunter2", "postgresql://me@host/***"),
        ("postgresql://me%3Ahunter2@host/d", "postgresql://***@host/d"),
        ("postgresql://me:hunter2/hunter2@host/d", "postgresql://me:***@host/d"),
        ("sqlite:////data/studies.db?password=hunter2&mode=ro", "sqlite:////data/studies.db?mode=ro&password=***"),
        ("sqlite:////data/a=b.db", "sqlite:////data/a%3Db.db"),
        ("postgresql://host/d?service=prod", "postgresql://host/d?service=prod"),
        ("sqlite:////data/studies.db", "sqlite:////data/studies.db"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert hide_secrets(parse(url)) == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@host:port/d",
        "postgresql//me:hunter2@host/d",
        "host=host user=me password=hunter2",
        "postgresql://me:hun@ter2hunter2@host/d",
        "postgresql:me:hunter2",
        "sqlite://me:hunter2@host/",
        "sqlite:///?password=hunter2",
        "mysql://me:hunter2@host/d",
        "mysql://me@host/d?password=hunter2",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_what_is_secret(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(url)
    assert SECRET not in caught.value.message and "storage '" in caught.value.message


def test_a_url_in_the_place_of_a_study_is_not_shown(tuner: Tuner) -> None:
    done = tuner("search", "postgresql://me:hunter2@host/d", "--trials", "1", code=2)
    assert "postgresql://... is a storage and no study: give it with --storage" in done.stderr and SECRET not in done.stderr


def test_all_that_libpq_does_not_show_is_hidden() -> None:
    secret = {option.keyword.decode() for option in pq.Conninfo.get_defaults() if option.dispchar == b"*"}
    assert "sslpassword" in secret and not (secret | {"passfile", "sslkey", "options"}) & SHOWN


TYPED = [
    ("train", ("postgresql://me:hunter2@host/d",)),
    ("evaluate", ("postgresql://me:hunter2@host/d",)),
    ("compare", ("--data", "postgresql://me:hunter2@host/d")),
    ("studies", ("postgresql://me:hunter2@host/d",)),
    ("search", ("quickstart", "--trials", "postgresql://me:hunter2@host/d")),
    ("search", ("quickstart", "--data", "postgresql://host/d?password=hunter2")),
    ("postgresql://me:hunter2@host/d", ()),
]


@pytest.mark.parametrize("command,args", TYPED, ids=[" ".join((command, *args)) for command, args in TYPED])
def test_a_url_in_the_place_of_anything_else_is_not_shown(command: str, args: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, [command, *args])
    assert done.exit_code == 2 and SECRET not in done.output and "***" in done.output


@pytest.mark.parametrize(
    "said,shown",
    [
        ("no file 'postgresql:/me:hunter2@host/d': give one", "no file 'postgresql:/me:***@host/d': give one"),
        ("no 'postgresql://me:hun@ter2@host/d'", "no 'postgresql://me:***@host/d'"),
        ("no 'postgresql://:hunter2@host/d' and 'x'", "no 'postgresql://:***@host/d' and 'x'"),
        ("'host=a password=hunter2 user=b'", "'host=a password=*** user=b'"),
        ("host=a password = 'hunter 2' user=b", "host=a password = *** user=b"),
        ('value: "disable?sslpassword=hunter2"', 'value: "disable?sslpassword=***"'),
        ("PGPASSWORD=hunter2 PGPASSFILE=/hunter2: no", "PGPASSWORD=*** PGPASSFILE=***: no"),
        ("postgresql://me:***@host/d?password=***&sslmode=x", "postgresql://me:***@host/d?password=***&sslmode=x"),
        ("put x from https://host:8080/x there, mail me@host", "put x from https://host:8080/x there, mail me@host"),
        ("sqlite:////data/a:b@c.db", "sqlite:////data/a:b@c.db"),
    ],
)
def test_a_message_shows_no_password(said: str, shown: str) -> None:
    assert hide_passwords(said) == TunerError(said).message == read_first_line(ValueError(said)) == shown


def test_what_libpq_says_of_a_wrong_parameter_shows_no_password() -> None:
    for end in ("sslmode=disable?password=hunter2", "host=a%20password=hunter2", "passwd=hunter2", "passfile=/hunter2&port=1"):
        with pytest.raises(TunerError, match="does not open") as caught:
            Storage(f"postgresql://me@127.0.0.1:1/d?{end}")
        assert SECRET not in caught.value.message


def test_a_password_in_a_service_file_is_not_shown(tuner: Tuner, tmp_path: Path, postgres: str) -> None:
    url = sa.make_url(postgres)
    lines = {"dbname": url.database, "user": url.username, "host": url.host or url.query.get("host"), "port": url.port, "password": SECRET}
    (tmp_path / "services").write_text("[s]\n" + "".join(f"{name}={value}\n" for name, value in lines.items() if value))
    env = {"PGSERVICEFILE": str(tmp_path / "services"), "PGPASSWORD": SECRET, "TUNER_STORAGE": "postgresql:///?service=s"}
    done = tuner("show", "none", env=env, code=2)
    assert "'postgresql:///?service=s'" in done.stderr and SECRET not in done.stdout + done.stderr
