"""Study files and configuration files, told apart by their keys: each is refused where the other is meant, with what to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from ..errors import UsageError

OF_STUDIES = {"space", "sampler", "pruner", "start"}
OF_CONFIGURATIONS = {"format", "origin"}


def refuse_study_file(plain: Mapping[str, Any], path: Path) -> None:
    """UsageError for a study file where one configuration is to be trained."""
    if OF_STUDIES & plain.keys() and not OF_CONFIGURATIONS & plain.keys():
        file, name = quote(str(path)), quote(path.stem)
        raise UsageError(
            f"{path} is a study file, which is searched and not trained: `tuner search {file}`, then "
            f"`tuner best {name} --export config.yaml` and `tuner train config.yaml`"
        )


def refuse_configuration(plain: Mapping[str, Any], path: Path) -> None:
    """UsageError for the configuration of one network where a study is to be searched."""
    if OF_CONFIGURATIONS & plain.keys() and not OF_STUDIES & plain.keys():
        raise UsageError(f"{path} is the configuration of one network, which is trained and not searched: `tuner train {quote(str(path))}`")
