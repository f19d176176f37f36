"""Copies of the user's own source files among a study's artifacts: to read, never to run."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
from collections.abc import Iterable

from ..models.own_code import Code
from ..study.study import Study
from .artifacts import OF_STUDY, find_artifact_folder, open_artifact_store


def keep_sources(study: Study, codes: Iterable[Code]) -> None:
    """Keep each file as it is now, unless the study has it already. One that was changed meanwhile is left to whoever runs it."""
    for code in codes:
        text = code.path.read_bytes()
        if hashlib.sha256(text).hexdigest() != code.digest:
            continue
        name = str(uuid.uuid5(uuid.UUID(study.uid), f"{code.spec}/{code.digest}"))
        folder = find_artifact_folder(study.storage)
        if not (folder / name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            open_artifact_store(study.storage).write(name, io.BytesIO(text))
        shown = {"artifact_id": name, "filename": f"{code.path.stem}-{code.digest[:12]}.py", "mimetype": "text/x-python", "encoding": None}
        study.storage.optuna.set_study_system_attr(study.leases.study_id, f"{OF_STUDY}{name}", json.dumps(shown))
