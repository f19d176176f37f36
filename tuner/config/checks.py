"""Checks that every file we read needs; each failure is a UsageError with the value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError, nearest


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def check_positive(name: str, value: Any) -> None:
    if not is_number(value) or value <= 0:
        raise UsageError(f"{name} must be above 0, not {value!r}")


def check_whole(name: str, value: Any, low: int, allow_none: bool = False) -> None:
    if value is None and allow_none:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise UsageError(f"{name} takes a whole number of at least {low}, not {value!r}")


def check_keys(plain: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in plain:
        if key not in known:
            raise UsageError(f"{where}: unknown key {key!r}: {nearest(key, known)}")


def check_options(kind: str, name: str, options: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """UsageError for an option of a sampler or pruner that a study file cannot give."""
    for option in options:
        if option == "seed":
            raise UsageError(f"{kind} {name}: the seed stands at the top of a study file, not here")
        if option not in known:
            remedy = nearest(option, known) if known else "it takes none"
            raise UsageError(f"{kind} {name} takes no argument {option!r}: {remedy}")
