"""Checks that every file we read needs; each failure is a UsageError with the value."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError, nearest

LARGEST_WHOLE = 2**63 - 1  # what databases, NumPy and torch hold
LONGEST_NAME = 255  # bytes of a file's or a folder's name
LONGEST_PATH = 4095  # bytes
# Options of Optuna's samplers and pruners that say how much is computed at every draw, and what nobody can want to wait for.
WORK = {"n_ei_candidates", "popsize", "population_size", "inc_popsize", "reduction_factor", "min_early_stopping_rate"}
MOST_WORK = 10_000


def is_number(value: Any) -> bool:
    """Whether it is a finite number that a float can hold."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def is_digest(value: Any) -> bool:
    """Whether it is a SHA-256, in hexadecimal digits."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def check_positive(name: str, value: Any) -> None:
    if not is_number(value) or value <= 0:
        raise UsageError(f"{name} must be above 0, not {value!r}")


def check_whole(name: str, value: Any, low: int, high: int = LARGEST_WHOLE, *, allow_none: bool = False) -> None:
    if value is None and allow_none:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise UsageError(f"{name} takes a whole number of at least {low}, not {value!r}")
    if value > high:
        raise UsageError(f"{name} takes a whole number of at most {high}, not {value!r}")


def check_path(path: str, where: str) -> None:
    """Errors: UsageError for what can be no path on any machine; `where` begins it."""
    try:
        name = os.fsencode(path)
    except UnicodeEncodeError:
        raise UsageError(f"{where}: {path!r} is no path: it is not UTF-8") from None
    if b"\0" in name or len(name) > LONGEST_PATH or any(len(part) > LONGEST_NAME for part in name.split(os.fsencode(os.sep))):
        raise UsageError(f"{where}: {path!r} is no path: it holds a NUL, or a name of more than {LONGEST_NAME} bytes")


def find_path(path: str, where: str) -> Path:
    """The path with `~` and `~USER` in full. Errors: UsageError for a user who is not here, and as `check_path`."""
    check_path(path, where)
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(f"{where}: no user {Path(path).parts[0]!r} is known here: write the path in full") from None


def check_keys(plain: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in plain:
        if key not in known:
            raise UsageError(f"{where}: unknown key {key!r}: {nearest(key, known)}")


def check_options(kind: str, name: str, options: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """UsageError for an option of a sampler or pruner that a study file cannot give, or a value that none of them takes."""
    for option, value in options.items():
        if option == "seed":
            raise UsageError(f"{kind} {name}: the seed stands at the top of a study file, not here")
        if option not in known:
            remedy = nearest(option, known) if known else "it takes none"
            raise UsageError(f"{kind} {name} takes no argument {option!r}: {remedy}")
        if value is not None and not isinstance(value, (bool, str)) and not is_number(value):
            raise UsageError(f"{kind} {name}: {option} takes a single value, not {value!r}")
        if option in WORK and is_number(value) and abs(value) > MOST_WORK:
            raise UsageError(f"{kind} {name}: {option} takes a number up to {MOST_WORK:,}, not {value!r}")
