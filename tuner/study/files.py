"""Where a study's checkpoints are, and which files there are its own.

They lie in `PATH/STUDY-uid/`. In the database that folder stands relative to the database's own folder where it lies below it, so
that a project can be moved and copied. A study of version 0.1.0 names a folder without its id, which others may share:
what it has there stays, and what it writes anew goes into a folder of its own below.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .storage import Storage

_FILE = re.compile(r"trial-(\d{5,})\.(?:json|e\d+\.[0-9a-f]{8}\.pt|(?:json|pt)\.\d+\.tmp)")


@dataclass(frozen=True, kw_only=True)
class StudyFiles:
    """The files of the study `uid`: in `folder`, which is its own, and in `former`, the shared folder of a study of 0.1.0."""

    uid: str
    folder: Path
    former: Path | None = None

    def path(self, number: int) -> Path:
        """Where a trial's checkpoint is, or will be: a name without an ending."""
        own = self.folder / f"trial-{number:05d}"
        if self.former is not None and not _json(own).exists():
            old = self.former / own.name
            if self._is_ours(old):
                return old
        return own

    def has(self, number: int) -> bool:
        """Whether the trial has a checkpoint that this machine sees."""
        return _json(self.path(number)).exists()

    def numbers(self) -> set[int]:
        """The trials that have a checkpoint of this study."""
        found: set[int] = set()
        for folder in self._folders():
            for file in folder.glob("trial-*.json"):
                match = _FILE.fullmatch(file.name)
                if match is not None and self._is_ours(file.with_suffix("")):
                    found.add(int(match[1]))
        return found

    def remove(self) -> None:
        """Remove what this study wrote, and then its folders where they are empty. What cannot be removed is left."""
        if self.former is not None:
            for number in self.numbers():
                old = self.former / f"trial-{number:05d}"
                commit = self._read_commit(old)
                if commit is not None:
                    _unlink(_json(old))
                    weights = str(commit.get("weights"))
                    if _FILE.fullmatch(weights):
                        _unlink(self.former / weights)
        foreign = {file.with_suffix("").name for file in self.folder.glob("trial-*.json") if not self._is_ours(file.with_suffix(""))}
        for file in self.folder.glob("trial-*"):
            if _FILE.fullmatch(file.name) and file.name.partition(".")[0] not in foreign:
                _unlink(file)
        for folder in self._folders():
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _folders(self) -> list[Path]:
        return [self.folder] if self.former is None else [self.folder, self.former]

    def _is_ours(self, path: Path) -> bool:
        return self._read_commit(path) is not None

    def _read_commit(self, path: Path) -> dict[str, Any] | None:
        """What a checkpoint's JSON says; None for one that is not there, is not ours, or cannot be read."""
        try:
            commit = json.loads(_json(path).read_bytes())
        except (OSError, ValueError):
            return None
        return commit if isinstance(commit, dict) and commit.get("study") == self.uid else None


def name_folder(name: str, uid: str) -> str:
    """The name of a study's folder. A file's name may have 255 bytes, and 50 characters at most 200."""
    return f"{name[:50]}-{uid}"


def find_files(storage: Storage, name: str, uid: str, attrs: dict[str, Any]) -> StudyFiles:
    """The files of a study from its stored attributes.

    A copy of a project never uses a folder of the original outside the copy.
    """
    stored = Path(attrs["checkpoints"])
    home = _home(storage)
    if uid not in stored.name:
        former = _find_former(storage, name, stored)
        return StudyFiles(uid=uid, folder=former / name_folder(name, uid), former=former)
    if home is None or not stored.is_absolute():
        folder = (home or Path.cwd()) / stored
        if _is_beside(storage, attrs) and is_copy(storage, uid, attrs):  # the original's folder is found from here too
            folder = folder.with_name(f"{folder.name}-{storage.path.name}")  # type: ignore[union-attr]
        return StudyFiles(uid=uid, folder=folder)
    return StudyFiles(uid=uid, folder=home / "checkpoints" / name_folder(name, uid) if is_copy(storage, uid, attrs) else stored)


def choose_folder(storage: Storage, name: str, uid: str, wanted: Path | None) -> Path:
    """The folder of a new study, or of one whose user names another place."""
    parent = wanted.resolve() if wanted is not None else (_home(storage) or Path("studies").absolute()) / "checkpoints"
    return parent / name_folder(name, uid)


def move_folder(storage: Storage, name: str, files: StudyFiles, attrs: dict[str, Any], wanted: Path) -> Path | None:
    """The folder of a study that is there, where its user names `wanted`; None where it is there already."""
    known = (files.folder, files.folder.parent, files.former)
    if wanted.resolve() in {folder.resolve() for folder in known if folder is not None}:
        return None
    folder = choose_folder(storage, name, files.uid, wanted)
    # A copy shares the original's id, so a folder named with that alone may be the original's.
    return folder.with_name(f"{folder.name}-{attrs['copy']}") if "copy" in attrs else folder


def describe_folder(storage: Storage, folder: Path) -> str:
    """How the folder is stored: relative to the database's folder where it is below it."""
    home = _home(storage)
    return str(folder.relative_to(home)) if home is not None and folder.is_relative_to(home) else str(folder)


def describe_database(storage: Storage) -> str | None:
    """Where the database file is; None for a server."""
    return None if storage.path is None else str(storage.path.resolve())


def is_copy(storage: Storage, uid: str, attrs: dict[str, Any]) -> bool:
    """Whether this database is a copy: the study was last searched in another file, and that file still has it."""
    last = attrs.get("database")
    if storage.path is None or last is None or not Path(last).exists() or Path(last).samefile(storage.path):
        return False
    try:
        with contextlib.closing(sqlite3.connect(f"{Path(last).as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT 1 FROM tuner_studies WHERE uid = ?", (uid,)).fetchone() is not None
    except sqlite3.Error:
        return True  # what cannot be read may be the original: its files are left alone


def _is_beside(storage: Storage, attrs: dict[str, Any]) -> bool:
    """Whether the file in which the study was last searched is another one of this folder."""
    last, home = attrs.get("database"), _home(storage)
    return last is not None and home is not None and Path(last).parent == home and Path(last) != storage.path


def _find_former(storage: Storage, name: str, stored: Path) -> Path:
    """The folder of a study of 0.1.0, which stored the whole path. Its default was `checkpoints/STUDY` beside the database."""
    home = _home(storage)
    if home is None or storage.path is None or stored.is_relative_to(home) or stored.parts[-2:] != ("checkpoints", name):
        return stored
    here = home / "checkpoints" / name
    original = stored.parent.parent / storage.path.name
    return here if here.exists() or original.exists() or not stored.exists() else stored


def _home(storage: Storage) -> Path | None:
    return None if storage.path is None else storage.path.resolve().parent


def _json(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _unlink(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
