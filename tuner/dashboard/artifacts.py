"""Files that belong to trials, as optuna-dashboard shows them."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from optuna.artifacts import FileSystemArtifactStore

from ..study.storage import Storage
from ..study.study import Study

PREFIX = "dashboard:artifacts:"
OF_STUDY = "artifacts:"  # Optuna's own prefix, of what belongs to a whole study
PICTURES = {"learning-curve.png": "learning curve", "confusion-matrix.png": "confusion matrix"}
TYPES = {".png": "image/png", ".yaml": "text/plain", ".pt": "application/octet-stream"}


def find_artifact_folder(storage: Storage) -> Path:
    """Where the artifacts of all studies of a storage are: beside the SQLite file, else in ./studies."""
    parent = storage.path.parent if storage.path is not None else Path("studies").absolute()
    return parent / "artifacts"


def open_artifact_store(storage: Storage) -> FileSystemArtifactStore:
    return FileSystemArtifactStore(find_artifact_folder(storage))


def list_artifact_files(study: Study) -> list[Path]:
    """The files of all artifacts of a study, those of its trials among them."""
    attrs = study.storage.optuna.get_study_system_attrs(study.leases.study_id)
    return [find_artifact_folder(study.storage) / key.rpartition(":")[2] for key in attrs if key.startswith((PREFIX, OF_STUDY))]


class Artifacts:
    """The artifacts of a study's trials: files in the store, and their names among the study's attributes.

    Optuna's `upload_artifact` refuses trials that are finished. The dashboard also reads `dashboard:artifacts:`, the
    trial's id and the artifact's among the attributes of the study, where a null stands for one that was removed.
    An artifact has one possible id, so that two processes that make it at the same time make it once.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._folder = find_artifact_folder(study.storage)
        self._store = open_artifact_store(study.storage)
        self._attrs = dict(study.storage.optuna.get_study_system_attrs(study.leases.study_id))
        self._ids = {trial.number: trial._trial_id for trial in study.frozen_trials()}

    def put(self, number: int, filename: str, content: Callable[[], bytes]) -> None:
        """Make a trial's artifact, unless it is there already. `content` is called only where it is not."""
        name, key = self._name(number, filename)
        if json.loads(self._attrs.get(key, "null")) is not None and (self._folder / name).exists():
            return
        made = content()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._store.write(name, io.BytesIO(made))
        self._set(key, {"artifact_id": name, "filename": filename, "mimetype": TYPES[Path(filename).suffix], "encoding": None})

    def find_id(self, number: int) -> int:
        """A trial's id in the storage."""
        return self._ids[number]

    def list_pictures(self, number: int) -> list[tuple[str, str, bool]]:
        """Of every picture that a trial may have what it shows, its address, and whether it is there."""
        listed = []
        for filename, words in PICTURES.items():
            name, key = self._name(number, filename)
            address = f"/artifacts/{self._study.leases.study_id}/{self._ids[number]}/{name}"
            listed.append((words, address, json.loads(self._attrs.get(key, "null")) is not None))
        return listed

    def _name(self, number: int, filename: str) -> tuple[str, str]:
        name = str(uuid.uuid5(uuid.UUID(self._study.uid), f"{number}/{filename}"))
        return name, f"{PREFIX}{self._ids[number]}:{name}"

    def withdraw(self, but: Collection[int]) -> set[int]:
        """Remove the artifacts of all trials `but` those numbers: weights are large. The numbers of those that had any."""
        withdrawn = set()
        numbers = {str(trial_id): number for number, trial_id in self._ids.items()}
        for key, value in list(self._attrs.items()):
            if not key.startswith(PREFIX) or json.loads(value) is None:
                continue
            trial_id, _, name = key.removeprefix(PREFIX).partition(":")
            if numbers.get(trial_id) not in but:
                self._set(key, None)
                (self._folder / name).unlink(missing_ok=True)
                withdrawn |= {numbers[trial_id]} if trial_id in numbers else set()
        return withdrawn

    def _set(self, key: str, value: dict[str, Any] | None) -> None:
        self._attrs[key] = json.dumps(value)
        self._study.storage.optuna.set_study_system_attr(self._study.leases.study_id, key, self._attrs[key])
