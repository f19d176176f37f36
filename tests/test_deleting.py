"""Deleting a study never touches a file that it did not write: whatever the names, the folders and the copies are."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.test_leases import config
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, delete
from tuner.study.study import Study

NAMES = st.sampled_from(["a", "A", "a-b", "a.b", "trial-00001", "checkpoints", "x" * 50, "naïve"])
FOREIGN = st.lists(
    st.sampled_from(
        [
            *("notes.txt", "trial-00001.txt", "trial-1.json", "trial-00001.pt", "trial-00001.e1.pt", "trial-00001.json.bak"),
            *(
                "best.pt",
                "trial-00001.e1.0123abcd.pt.old",
                "sub/trial-00001.json",
                "trial-00007.json",
            ),
        ]
    ),
    unique=True,
)
WHERE = st.sampled_from([None, "shared", "shared/deeper"])


def write_checkpoint(study: Study, number: int) -> list[Path]:
    """The two files of a checkpoint, and what a killed process left of a third."""
    path = study.checkpoint_path(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = path.with_name(f"{path.name}.e1.{number:08x}.pt")
    weights.write_bytes(b"weights")
    named = path.with_name(f"{path.name}.json")
    named.write_text(json.dumps({"study": study.uid, "weights": weights.name}))
    left = path.with_name(f"{path.name}.pt.123.tmp")
    left.write_bytes(b"part")
    return [weights, named, left]


def list_files(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file() and not file.name.startswith(("t.db", "copy.db"))}


@settings(max_examples=15, deadline=None, database=None, phases=[Phase.generate])
@given(names=st.lists(NAMES, min_size=2, max_size=3, unique=True), where=WHERE, foreign=FOREIGN, copied=st.booleans(), beside=st.booleans())
def test_deleting_a_study_removes_its_own_files_and_no_other(
    names: list[str], where: str | None, foreign: list[str], copied: bool, beside: bool
) -> None:
    """Other studies share the folder, its user keeps files there, and the project may have been copied, beside it or elsewhere."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        home.mkdir()
        storage = Storage(f"sqlite:///{home}/t.db", make=True)
        wanted = None if where is None else home / where
        made = [create_or_load(storage, each, config(), "f", trials=3, checkpoints=wanted) for each in names]
        written = {study.name: write_checkpoint(study, 1) for study in made}
        victim = made[0]
        for each in foreign:
            file = victim.files.folder / each
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps({"study": "another", "weights": "trial-00007.e1.0123abcd.pt"}))
            if each == "trial-00007.json":  # another study's, with its weights
                file.with_name("trial-00007.e1.0123abcd.pt").write_bytes(b"weights")
        storage.close()
        if copied:
            copy = home / "copy.db" if beside else Path(name) / "copied" / "t.db"
            if beside:
                shutil.copy(home / "t.db", copy)
            else:
                shutil.copytree(home, copy.parent)
            before = list_files(home)
            opened = Storage(f"sqlite:///{copy}", make=True)
            study = create_or_load(opened, victim.name, config(), "f", trials=3)
            own = write_checkpoint(study, 2)
            delete(opened, study)
            study.files.remove()
            opened.close()
            assert not any(file.exists() for file in own)
            assert list_files(home) == before
        storage = Storage(f"sqlite:///{home}/t.db", make=True)
        study = create_or_load(storage, victim.name, config(), "f", trials=3)
        before = list_files(home)
        delete(storage, study)
        study.files.remove()
        storage.close()
        gone = before.keys() - list_files(home).keys()
        assert gone == set(written[victim.name])
        assert {file: before[file] for file in before.keys() - gone} == list_files(home)
