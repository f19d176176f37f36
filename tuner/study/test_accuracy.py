"""Test accuracies that were measured for a study's trials, kept with the study: each look at the test images is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import optuna
import sqlalchemy as sa

from ..config.exported import CHANGED
from ..errors import TunerError
from .storage import Storage
from .study import Study
from .tables import studies

TESTS = "tests"  # the study's user attribute: a list, in the order in which they were measured


@dataclass(frozen=True, kw_only=True)
class Test:
    """One look at the test images: the trial whose configuration was trained, and what it got right there.

    `all_data` says that the network was trained on the validation part too, `changed` that the configuration was changed since the
    trial, `by` which command looked.
    """

    day: date
    trial: int
    accuracy: float
    images: int
    by: str
    all_data: bool = False
    changed: bool = False


def read_tests(study: Study) -> list[Test]:
    """All looks at the test images that were recorded, the first one first."""
    attrs = study.retry(lambda: study.storage.optuna.get_study_user_attrs(study.leases.study_id))
    return [Test(**{**plain, "day": date.fromisoformat(plain["day"])}) for plain in attrs.get(TESTS, [])]


def record_test(
    storage: str | None,
    origin: Mapping[str, Any],
    fingerprint: str,
    *,
    accuracy: float,
    images: int,
    by: str,
    all_data: bool = False,
    say: Callable[[str], None],
) -> None:
    """Write a test accuracy to the study that the configuration came from, and say how many looks that makes.

    `origin` is the configuration file's and names the study's id and the trial; `fingerprint` is that of the images looked at.
    Nothing is written, and nothing is wrong, where the storage or the study is not there, or where the images are others.
    """
    uid, trial = origin.get("id"), origin.get("trial")
    if not isinstance(uid, str) or not isinstance(trial, int):
        return
    looked = {"day": datetime.now(UTC).date().isoformat(), "trial": trial, "accuracy": accuracy, "images": images, "by": by}
    looked |= {name: True for name, said in (("all_data", all_data), ("changed", origin.get(CHANGED) is True)) if said}
    try:
        opened = Storage(storage)
        try:
            found = _add(opened, uid, fingerprint, looked)
        finally:
            opened.close()
    except (TunerError, optuna.exceptions.OptunaError, sa.exc.SQLAlchemyError, OSError, KeyError):
        return
    if found is not None:
        name, times = found
        again = "the first look at its test images" if times == 1 else f"look {times} at its test images: more than one is no clean test"
        say(f"test accuracy written to study {name}: {again}")


def _add(storage: Storage, uid: str, fingerprint: str, looked: dict[str, Any]) -> tuple[str, int] | None:
    """The study's name, and how many looks it has with this one; None where no study here has that id and those images."""
    with storage.exclusive():
        with storage.connect() as connection:
            ids = [row.study_id for row in connection.execute(sa.select(studies.c.study_id).where(studies.c.uid == uid))]
        for study_id in ids:
            attrs = storage.optuna.get_study_user_attrs(study_id)
            if attrs.get("uid") == uid and attrs["definition"]["data"] == fingerprint:
                tests = [*attrs.get(TESTS, []), looked]
                storage.optuna.set_study_user_attr(study_id, TESTS, tests)
                return storage.optuna.get_study_name_from_id(study_id), len(tests)
    return None
