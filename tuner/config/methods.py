"""A sampler or a pruner as a study file names it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import UsageError, nearest


def parse_method(kind: str, plain: Any, known: Iterable[str]) -> tuple[str, dict[str, Any]]:
    """A sampler or pruner: a name, or a map with `name` and the arguments of Optuna's own class."""
    options = {str(k): v for k, v in plain.items()} if isinstance(plain, dict) else {"name": plain}
    name = options.pop("name", None)
    if plain is None and kind == "pruner":
        name = "none"
    if not isinstance(name, str) or name not in known:
        raise UsageError(f"unknown {kind} {name!r}: {nearest(name, known)}")
    return name, options
