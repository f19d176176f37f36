"""No secret of a storage is shown, however it is given."""

from __future__ import annotations

import pytest
from psycopg import pq

from tests.conftest import Tuner
from tuner.errors import UsageError
from tuner.study.database_url import SECRETS, hide_secrets, parse

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
    assert {option.keyword.decode() for option in pq.Conninfo.get_defaults() if option.dispchar == b"*"} <= SECRETS
