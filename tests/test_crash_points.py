"""A process dies at any statement of the ledger's transactions, and between any two touches of a checkpoint's files."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from tests.runs import CONFIG, make
from tests.test_leases import claim, config
from tuner.study import studies
from tuner.study.lease import Lease
from tuner.study.processes import HERE
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, list_studies, load
from tuner.study.study import Study
from tuner.study.tables import leases
from tuner.study.worker_id import WorkerId
from tuner.training import checkpoint
from tuner.training.score import Score
from tuner.workers.leased_trial import LeasedTrial

TOTAL = 3
EVERY = int(os.environ.get("TUNER_TEST_EVERY", "3"))  # statement is tried; 1 takes minutes
DEAD = WorkerId(machine=HERE.machine, pid=2**22 + 1, ticks=1, host="here")  # no process has that pid


class Crash(BaseException):
    """The process is gone: nothing that it still meant to do is done."""


@dataclass
class Before:
    """A study as an operation finds it, and the trials that were begun."""

    study: Study
    begun: list[LeasedTrial]


def begin(study: Study) -> LeasedTrial:
    trial = LeasedTrial(study, claim(study, DEAD))
    trial.configure(threads=1, precision="fp32")
    return trial


def end(trial: LeasedTrial) -> None:
    trial.finish(TrialState.COMPLETE, {"reason": "trained"}, value=0.5)


def score(epoch: int) -> Score:
    return Score(epoch=epoch, train_loss=1.0, train_accuracy=0.1, val_loss=1.0, val_accuracy=0.2, seconds=0.1)


def end_one_and_begin_another(study: Study) -> list[LeasedTrial]:
    first = begin(study)
    end(first)
    return [first, begin(study)]


# What is done, from which beginning; all of it by workers that are dead afterwards.
OPERATIONS: dict[str, tuple[Callable[[Study], list[LeasedTrial]], Callable[[Before], object]]] = {
    "claim of a new trial": (lambda study: [], lambda b: claim(b.study, DEAD)),
    "claim of a dead worker's": (lambda study: [LeasedTrial(study, claim(study, DEAD))], lambda b: claim(b.study, DEAD)),
    "draw": (
        lambda study: [LeasedTrial(study, claim(study, DEAD))],
        lambda b: b.begun[0].configure(threads=1, precision="fp32"),
    ),
    "report": (lambda study: [begin(study)], lambda b: b.begun[0].report(score(1))),
    "finish": (lambda study: [begin(study)], lambda b: end(b.begun[0])),
    "prune": (
        lambda study: [begin(study)],
        lambda b: b.begun[0].finish(TrialState.PRUNED, {"reason": "diverged"}, infeasible="diverged"),
    ),
    "requeue": (lambda study: [begin(study)], lambda b: b.study.leases.requeue(b.begun[0].lease)),
    "release": (lambda study: [begin(study)], lambda b: b.study.leases.release(DEAD)),
    "take over": (end_one_and_begin_another, lambda b: b.begun[1].take_over(b.begun[0].frozen())),
    "go on": (lambda study: [], lambda b: create_or_load(b.study.storage, "s", config(), "f", trials=TOTAL)),
    "make another": (lambda study: [], lambda b: create_or_load(b.study.storage, "other", config(), "f", trials=TOTAL)),
    "stop": (lambda study: [], lambda b: b.study.leases.stop()),
    "delete": (lambda study: [begin(study)], lambda b: studies.delete(b.study.storage, b.study)),
}


def crash_at(storage: Storage, point: int, act: Callable[[], object], *, gone: Callable[[], None]) -> bool:
    """Act up to a statement or a commit, which is not done; `gone` is called there. False where there are fewer."""
    seen, crashed = 0, False

    def meet(*_: Any) -> None:
        nonlocal seen, crashed
        if seen == point and not crashed:
            crashed = True
            gone()
            raise Crash
        seen += 1

    events = ("before_cursor_execute", "commit")
    for name in events:
        sa.event.listen(storage.engine, name, meet)
    try:
        act()
    except Crash:
        pass
    finally:
        for name in events:
            sa.event.remove(storage.engine, name, meet)
    return crashed


def find_unsound(study: Study) -> list[str]:
    """What must never be seen, whenever a process died."""
    rows = study.storage.optuna.get_all_trials(study.leases.study_id)
    with study.storage.connect() as connection:
        held = {row.trial_id: row.owner for row in connection.execute(sa.select(leases))}
    found = []
    if sum(row.state is not TrialState.FAIL for row in rows) > TOTAL or len({row.number for row in rows}) != len(rows):
        found.append("rows in surplus, or a number twice")
    for row in rows:
        owner = held.get(row._trial_id)
        if (row.state is TrialState.RUNNING) != (owner is not None):
            found.append(f"trial {row.number} is {row.state.name} with the owner {owner}")
        if row.state is TrialState.COMPLETE and (row.value is None or "run" not in study.read_facts([row])[0]):
            found.append(f"trial {row.number} is complete without its value or its facts")
    return found


def go_on_to_the_end(study: Study) -> dict[str, int]:
    """One living worker takes up what the dead left. How many trials there are in each state."""
    for _ in range(3 * TOTAL):
        held = study.leases.claim(WorkerId.here(), study.new_trial)
        if not isinstance(held, Lease):
            break
        trial = LeasedTrial(study, held)
        trial.configure(threads=1, precision="fp32")
        end(trial)
    return dict(Counter(row.state.name for row in study.frozen_trials() if "same_as" not in row.user_attrs))


def judge(storage: Storage, name: str) -> list[str]:
    """What is wrong with what a dead process left."""
    if "s" not in list_studies(storage):
        return [] if name == "delete" else ["the study is gone"]
    study = load(storage, "s")
    found = find_unsound(study)
    states = go_on_to_the_end(study)
    if sum(states.get(state, 0) for state in ("COMPLETE", "PRUNED")) != TOTAL or states.keys() & {"RUNNING", "WAITING"}:
        found.append(f"not gone on to the total: {states}")
    return found


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_process_may_die_at_any_statement_on_sqlite(name: str, tmp_path: Path) -> None:
    """The files are taken as they are at that moment, with what a killed process would not have rolled back."""
    prepare, act = OPERATIONS[name]
    template, work, left = tmp_path / "template", tmp_path / "work", tmp_path / "left"
    template.mkdir()
    storage = Storage(f"sqlite:///{template}/s.db", make=True)
    begun = [trial.lease for trial in prepare(create_or_load(storage, "s", config(), "f", trials=TOTAL))]
    storage.close()
    point = tried = 0
    while True:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(template, work)
        storage = Storage(f"sqlite:///{work}/s.db")
        study = load(storage, "s")
        before = Before(study, [reopen(study, lease) for lease in begun])

        def gone() -> None:
            shutil.rmtree(left, ignore_errors=True)
            shutil.copytree(work, left, ignore=shutil.ignore_patterns("*-shm", "*.lock"))

        crashed = crash_at(storage, point, lambda before=before: act(before), gone=gone)  # type: ignore[misc]
        storage.close()
        if not crashed:
            break
        storage = Storage(f"sqlite:///{left}/s.db")
        assert judge(storage, name) == [], f"after statement {point}"
        storage.close()
        point += EVERY
        tried += 1
    assert tried >= 1


@pytest.mark.parametrize("name", ["claim of a dead worker's", "finish", "delete"])
def test_a_process_may_die_at_any_statement_on_postgresql(name: str, postgres: str) -> None:
    prepare, act = OPERATIONS[name]
    crashed, point = True, 0
    storage = Storage(postgres, make=True)
    while crashed:
        study = create_or_load(storage, "s", config(), "f", trials=TOTAL)
        before = Before(study, prepare(study))
        crashed = crash_at(storage, point, lambda before=before: act(before), gone=lambda: None)  # type: ignore[misc]
        storage.drop_cache()
        if crashed:
            assert judge(storage, name) == [], f"after statement {point}"
        if "s" in list_studies(storage):
            studies.delete(storage, load(storage, "s"))
        point += 2 * EVERY
    storage.close()


def reopen(study: Study, lease: Lease) -> LeasedTrial:
    trial = LeasedTrial(study, lease)
    if trial.frozen().state is TrialState.RUNNING and "config" in trial.study.read_facts([trial.frozen()])[0]:
        trial.configure(threads=1, precision="fp32")
    return trial


@pytest.fixture
def touched() -> Iterator[Callable[[Path, Callable[[], None]], None]]:
    """Calls back before each file below a folder is opened, renamed or removed by this process, in any of its threads."""
    watched: list[tuple[str, Callable[[], None]]] = []

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if not watched or event not in ("open", "os.rename", "os.remove", "os.truncate"):
            return
        folder, call = watched[0]
        if isinstance(args[0], (str, os.PathLike)) and os.fspath(args[0]).startswith(folder):
            watched.clear()  # what is done now is not watched
            call()
            watched.append((folder, call))

    sys.addaudithook(hook)
    yield lambda folder, call: watched.append((str(folder), call))
    watched.clear()


@pytest.mark.parametrize("torn", [False, True])
def test_a_process_may_die_between_any_two_touches_of_a_checkpoint(
    tmp_path: Path, touched: Callable[[Path, Callable[[], None]], None], torn: bool
) -> None:
    run = make(CONFIG)
    epochs = run.epochs()
    next(epochs)
    home = tmp_path / "home"
    checkpoint.save(home / "trial-00001", run, uid="s1")
    next(epochs)
    left: list[Path] = []

    def keep() -> None:
        left.append(tmp_path / f"left-{len(left)}")
        shutil.copytree(home, left[-1])
        for file in left[-1].glob("*.tmp"):  # what is written may be there in part only
            if torn:
                os.truncate(file, file.stat().st_size // 2)

    touched(home, keep)
    checkpoint.save(home / "trial-00001", run, uid="s1")
    assert len(left) >= 5, "two written, two renamed, one removed"
    found = []
    for folder in left:
        other = make(CONFIG)
        assert checkpoint.load(folder / "trial-00001", other, uid="s1"), "one of the two is whole"
        found.append(len(other.curve))
        checkpoint.save(folder / "trial-00001", run, uid="s1")
        assert len([file for file in folder.iterdir() if file.suffix != ".tmp"]) == 2
        checkpoint.remove(folder / "trial-00001")
        assert list(folder.iterdir()) == [], "also what the dead one left"
    assert found == sorted(found) and set(found) == {1, 2}
