"""The folder of one training: what belongs in it, and what another training left there."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config.facts import BESIDE, RESULT, WEIGHTS, unpack_facts
from ..config.trial_config import TrialConfig, read_config
from ..errors import TunerError, UsageError
from ..models.weights import open_weights
from . import checkpoint


def stamp_training(config: TrialConfig, fingerprint: str, all_data: bool) -> str:
    """What a finished or interrupted training in a folder must agree on to be this one."""
    plain = config.identity()
    plain["data"] = {**plain["data"], "source": fingerprint}
    return hashlib.sha256(json.dumps([plain, all_data], sort_keys=True).encode()).hexdigest()[:32]


def try_folder(folder: Path) -> None:
    """Make the folder and a file in it, before anything is trained for it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"--out {str(folder)!r} cannot be written to: {error.strerror}: give another --out") from None


def find_others(folder: Path, config: TrialConfig, stamp: str) -> list[str]:
    """The files in the folder that this training would replace, and that it did not leave there itself."""
    begun = checkpoint.read_uid(folder / "checkpoint")
    if begun == stamp:
        return []
    found = [] if begun is None else ["checkpoint.json"]
    if (folder / RESULT).exists() and _read_result(folder / RESULT).get("stamp") != stamp:
        found.append(RESULT)
    if (folder / WEIGHTS).exists() and _read_stamp(folder / WEIGHTS) != stamp:
        found.append(WEIGHTS)
    if (folder / BESIDE).exists() and not found and not _is_config(folder / BESIDE, config):
        found.append(BESIDE)
    return found


def find_finished(result: Path, stamp: str) -> dict[str, Any] | None:
    """The figures of this very training, where it was finished and its weights are still there."""
    found = _read_result(result)
    return found if found.get("stamp") == stamp and (result.parent / WEIGHTS).exists() else None


def keep_training(folder: Path, weights: bytes, config: str, outcome: dict[str, Any]) -> None:
    """Write what the folder is for. `result.json` comes last: it says that the files beside it belong to it."""
    (folder / RESULT).unlink(missing_ok=True)  # of another training
    result = json.dumps(outcome, indent=2) + "\n"
    for name, content in ((WEIGHTS, weights), (BESIDE, config.encode()), (RESULT, result.encode())):
        partial = folder / f"{name}.{os.getpid()}.tmp"
        try:
            partial.write_bytes(content)
            partial.replace(folder / name)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    checkpoint.remove(folder / "checkpoint")


def _read_stamp(weights: Path) -> object:
    """The training that a file of weights says it is of; None where it does not."""
    try:
        carried = open_weights(weights).carried
        return None if carried is None else unpack_facts(carried, weights).provenance.get("stamp")
    except TunerError:
        return None


def _is_config(path: Path, config: TrialConfig) -> bool:
    """Whether a file holds that configuration, wherever its images are."""
    try:
        found = read_config(path)[0]
    except UsageError:
        return False
    return replace(found, data=replace(found.data, source=config.data.source)) == config


def _read_result(path: Path) -> dict[str, Any]:
    """Empty for what is no result."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
