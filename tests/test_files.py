"""Whose files are these: a study touches its own, wherever they are, and nothing else."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.conftest import Tuner
from tuner.config.study_config import StudyConfig
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, load
from tuner.study.study import Study

CONFIG = StudyConfig.from_dict({"data": "digits", "space": {"lr": {"low": 0.001, "high": 0.1}}})


def search(database: Path, name: str = "s", checkpoints: Path | None = None) -> Study:
    return create_or_load(Storage(f"sqlite:///{database}", make=True), name, CONFIG, "f", checkpoints=checkpoints)


def read(database: Path, name: str = "s") -> Study:
    return load(Storage(f"sqlite:///{database}"), name)


def write(path: Path, uid: str) -> list[Path]:
    """A checkpoint as `training/checkpoint.py` leaves it."""
    weights = path.with_name(f"{path.name}.e1.00000000.pt")
    path.parent.mkdir(parents=True, exist_ok=True)
    weights.write_bytes(b"weights")
    commit = path.with_name(f"{path.name}.json")
    commit.write_text(json.dumps({"study": uid, "weights": weights.name}))
    return [commit, weights]


def make_old(study: Study, folder: Path) -> None:
    """Let the study be one of 0.1.0, which stored the folder whole and as it was given."""
    study_id = study.leases.study_id
    with sqlite3.connect(str(study.storage.path)) as connection:
        connection.execute("DELETE FROM study_user_attributes WHERE study_id = ? AND key = 'database'", (study_id,))
        said = (json.dumps(str(folder)), study_id)
        connection.execute("UPDATE study_user_attributes SET value_json = ? WHERE study_id = ? AND key = 'checkpoints'", said)
    connection.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def test_two_studies_with_one_path_keep_apart_and_deleting_one_leaves_all_else(tuner: Tuner, small_study: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "thesis.txt").write_text("mine")
    (shared / "trial-00000.json").write_text("mine too")
    shutil.copy(small_study, tmp_path / "other.yaml")
    for name in ("small", "other"):
        tuner("search", f"{name}.yaml", "--trials", "1", "--workers", "1", "--checkpoints", str(shared))
    kept = sorted(each for each in shared.rglob("*") if not each.parent.name.startswith("small-") and not each.name.startswith("small-"))
    [own] = shared.glob("small-*")
    assert len(list(own.iterdir())) == 2, "a checkpoint is two files"
    (own / "notes.txt").write_text("a user's")
    tuner("delete", "small", "--yes")
    assert [each.name for each in own.iterdir()] == ["notes.txt"]
    assert sorted(each for each in shared.rglob("*") if own not in (each, each.parent)) == kept
    assert (shared / "thesis.txt").read_text() == "mine"


def test_an_empty_folder_goes_with_its_study_and_what_a_killed_process_left(project: Path) -> None:
    study = search(project / "tuner.db")
    write(study.checkpoint_path(0), study.uid)
    (study.files.folder / "trial-00001.e1.0123abcd.pt").write_bytes(b"left")
    (study.files.folder / "trial-00001.json.77.tmp").write_bytes(b"left")
    assert study.files.numbers() == {0}
    study.files.remove()
    assert not study.files.folder.exists() and study.files.folder.parent.exists()


def test_a_foreign_checkpoint_in_a_study_s_folder_is_neither_counted_nor_removed(project: Path) -> None:
    study = search(project / "tuner.db")
    write(study.checkpoint_path(0), study.uid)
    foreign = write(study.checkpoint_path(1), "another")
    assert study.files.numbers() == {0}
    study.files.remove()
    assert sorted(study.files.folder.iterdir()) == sorted(foreign)


def test_a_moved_project_finds_its_checkpoints(project: Path, tmp_path: Path) -> None:
    for name, folder in (("s", None), ("below", project / "elsewhere")):
        study = search(project / "tuner.db", name, folder)
        write(study.checkpoint_path(0), study.uid)
    project.rename(tmp_path / "moved")
    for name in ("s", "below"):
        study = read(tmp_path / "moved" / "tuner.db", name)
        assert study.files.numbers() == {0} and study.files.folder.is_relative_to(tmp_path / "moved")


def test_a_moved_project_goes_on_with_checkpoints_that_lie_elsewhere(project: Path, tmp_path: Path) -> None:
    study = search(project / "tuner.db", checkpoints=tmp_path / "far")
    write(study.checkpoint_path(0), study.uid)
    project.rename(tmp_path / "moved")
    assert read(tmp_path / "moved" / "tuner.db").files.numbers() == {0}
    assert search(tmp_path / "moved" / "tuner.db", checkpoints=tmp_path / "far").files.folder == study.files.folder


@pytest.mark.parametrize("far", [False, True])
def test_a_copied_project_leaves_the_original_s_files_alone(project: Path, tmp_path: Path, far: bool) -> None:
    place = tmp_path / "far" if far else None
    study = search(project / "tuner.db", checkpoints=place)
    files = write(study.checkpoint_path(0), study.uid)
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    for copied in (read(copy / "tuner.db"), search(copy / "tuner.db"), read(copy / "tuner.db")):
        assert copied.uid == study.uid and copied.files.folder.is_relative_to(copy)
    again = [search(copy / "tuner.db", checkpoints=tmp_path / "far").files for _ in range(2)]
    assert again[0].folder == again[1].folder != study.files.folder, "the same command goes on where it was"
    again[1].remove()
    assert all(file.exists() for file in files)
    assert search(project / "tuner.db", checkpoints=place).files.numbers() == {0}


@pytest.mark.parametrize("moved", [False, True])
def test_a_project_of_0_1_0_that_was_moved_or_copied_uses_its_own_checkpoints(project: Path, tmp_path: Path, moved: bool) -> None:
    study = search(project / "tuner.db")
    make_old(study, project / "checkpoints" / "s")
    files = write(project / "checkpoints" / "s" / "trial-00000", study.uid)
    here = tmp_path / "here"
    if moved:
        project.rename(here)
    else:
        shutil.copytree(project, here)
    for found in (read(here / "tuner.db"), search(here / "tuner.db")):
        assert found.checkpoint_path(0) == here / "checkpoints" / "s" / "trial-00000"
        assert found.checkpoint_path(1).is_relative_to(here / "checkpoints" / "s")
    found.files.remove()
    assert not (here / "checkpoints" / "s").exists()
    assert moved or all(file.exists() for file in files)


def test_studies_of_0_1_0_that_share_a_folder_no_longer_meet_there(project: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    first, second = search(project / "tuner.db", "first"), search(project / "tuner.db", "second")
    for study in (first, second):
        make_old(study, shared)
    kept = write(shared / "trial-00000", second.uid) + write(shared / "trial-00001", second.uid)
    own = write(shared / "trial-00002", first.uid)
    study = search(project / "tuner.db", "first", shared)
    assert study.checkpoint_path(2) == shared / "trial-00002", "it goes on where it lies"
    assert study.checkpoint_path(0).parent == shared / f"first-{first.uid}"
    write(study.checkpoint_path(0), first.uid)
    assert study.files.numbers() == {0, 2}
    study.files.remove()
    assert all(file.exists() for file in kept) and not any(file.exists() for file in own)
    assert not study.files.folder.exists()
