"""What is long about a trial stands in a table of ours; what other tools show of it is little and short."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import optuna
import optuna_dashboard
import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from tests import fabricated
from tests.conftest import Tuner
from tests.test_leases import claim, config, finish, silence
from tests.test_made_by_0_1_0 import unpack
from tests.test_publish import ask
from tuner.study import facts, tables
from tuner.study.facts import describe, write_facts
from tuner.study.lease import LeaseLost
from tuner.study.outcome import Outcome
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, join, load
from tuner.study.trials import find_best, list_trials
from tuner.study.worker_id import WorkerId
from tuner.workers.leased_trial import LeasedTrial

FEW = {"outcome", "parameters", "images/s", "device"}


def test_a_search_leaves_few_and_short_attributes_and_a_table_without_json(tuner: Tuner, small_study: Path, tmp_path: Path) -> None:
    tuner("search", "small.yaml", "--trials", "2", "--workers", "1", "--device", "cpu")
    storage = Storage(f"sqlite:///{tmp_path}/studies/tuner.db")
    first = load(storage, "small").frozen_trials()[0]
    assert first.user_attrs.keys() == FEW and first.user_attrs["outcome"] == "trained to its last epoch"
    assert all(isinstance(value, (str, int, float)) and len(str(value)) <= 100 for value in first.user_attrs.values())
    table = ask(optuna_dashboard.wsgi(storage.optuna), "/csv/1").decode()
    assert table.count("trained to its last epoch") == 2 and not set("{[") & set(table)
    shown = json.loads(tuner("show", "small", "--json").stdout)["trials"][0]
    assert len(shown["epochs"]) == shown["params"]["epochs"] and shown["run"]["versions"] and shown["run"]["outcome"] == "trained"
    storage.close()


def test_a_trial_whose_facts_are_attributes_is_read_and_what_goes_on_with_it_is_written_to_the_table(tmp_path: Path) -> None:
    unpack(tmp_path)
    storage = Storage(f"sqlite:///{tmp_path}/tuner.db")
    before = list_trials(load(storage, "interrupted"))[1]
    assert before.config is not None and len(before.epochs) == 2
    with sqlite3.connect(tmp_path / "tuner.db") as connection:
        assert not connection.execute("SELECT name FROM sqlite_master WHERE name = 'tuner_facts'").fetchall(), "reading changes nothing"
    study = join(storage, "interrupted")
    trial = LeasedTrial(study, claim(study))
    assert trial.configure(threads=1, precision="fp32") == before.config, "it is not drawn again"
    trial.finish(TrialState.COMPLETE, {"outcome": Outcome.TRAINED, "reason": "trained to its last epoch"}, value=0.5)
    after = list_trials(study)[1]
    assert (after.config, after.epochs, after.outcome) == (before.config, before.epochs, Outcome.TRAINED)
    storage.close()


def test_who_joins_a_database_without_the_table_makes_it(storage: Storage) -> None:
    create_or_load(storage, "s", config(), "f", trials=2)
    tables.facts.drop(storage.engine)
    other = Storage(storage.url.render_as_string(hide_password=False))
    assert load(other, "s").frozen_trials() == [] and not sa.inspect(other.engine).has_table("tuner_facts")
    study = join(other, "s")
    write_facts(other, study.leases.study_id, claim(study).trial_id, curve=[{"epoch": 1}])
    assert study.read_facts(study.frozen_trials()) == [{"curve": [{"epoch": 1}]}]
    other.close()


def test_facts_are_written_under_the_lease_or_not_at_all(storage: Storage) -> None:
    study = create_or_load(storage, "s", config(), "f", trials=2)
    elsewhere = WorkerId(machine="another", pid=1, started=0.0, host="far")
    late = claim(study, elsewhere)
    silence(study, late)
    claim(study)
    with pytest.raises(LeaseLost):
        study.leases.write(late, lambda: write_facts(storage, study.leases.study_id, late.trial_id, curve=[]))

    def fail() -> None:
        write_facts(storage, study.leases.study_id, other.trial_id, curve=[])
        raise ValueError

    other = claim(study)
    with pytest.raises(ValueError):
        study.leases.write(other, fail)
    assert study.read_facts(study.frozen_trials()) == [{}, {}]


def test_many_trials_are_read_as_few_are(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (create_or_load(storage, name, config(), "f", trials=5) for name in "ab")
    for study in (first, second):
        for number in range(4):
            held = claim(study)
            write_facts(storage, study.leases.study_id, held.trial_id, run={"study": study.name, "number": number}, curve=[number])
            finish(study, held)
    few = second.read_facts(second.frozen_trials()[1:])
    assert [each["run"] for each in few] == [{"study": "b", "number": number} for number in (1, 2, 3)]
    assert second.read_facts(second.frozen_trials(), "curve") == [{"curve": [number]} for number in range(4)]
    monkeypatch.setattr(facts, "MANY", 2)
    assert second.read_facts(second.frozen_trials()[1:]) == few


def test_a_number_that_is_given_out_again_brings_no_facts_of_a_deleted_study(tmp_path: Path) -> None:
    storage = Storage(f"sqlite:///{tmp_path}/x.db", make=True)
    study, deleted = (create_or_load(storage, name, config(), "f", trials=5) for name in "ab")
    gone = claim(deleted)
    write_facts(storage, deleted.leases.study_id, gone.trial_id, config={"lr": 1.0})
    optuna.delete_study(study_name="b", storage=storage.url.render_as_string())
    held = claim(study)
    assert held.trial_id == gone.trial_id, "SQLite gave it out again"
    assert study.read_facts(study.frozen_trials()) == [{}]
    again = create_or_load(storage, "b", config(), "f", trials=5)
    finish(study, held)
    assert again.leases.study_id == deleted.leases.study_id
    with storage.connect() as connection:
        assert connection.execute(sa.select(tables.facts)).all() == []
    storage.close()


def test_trials_of_thousands_are_ranked_without_reading_what_all_of_them_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(f"sqlite:///{tmp_path}/x.db", make=True)
    study = fabricated.study(storage, {"data": "digits", "space": {"lr": {"low": 0.001, "high": 0.1}}})
    fabricated.add(study, [fabricated.trial(study, {"lr": 0.01}, [0.1 + 0.01 * n], number=n) for n in range(30)])
    read: list[int] = []
    whole = type(study).read_facts
    monkeypatch.setattr(type(study), "read_facts", lambda self, rows, *names: (read.append(len(rows)), whole(self, rows, *names))[1])
    assert [row.number for row in find_best(study, 2)] == [29, 28] and sum(read) < 10
    storage.close()


def test_an_outcome_in_words_is_short() -> None:
    below = {"outcome": "below_others", "reason": "below the others at epoch 3: 0.4312, where the median of 5 others was 0.5500"}
    assert describe(below | {"parameters": 7, "images_per_second": 1.5, "device": "cpu", "versions": {}}) == {
        "outcome": "below the others at epoch 3",
        "parameters": 7,
        "images/s": 1.5,
        "device": "cpu",
    }
    failed = describe({"outcome": "error", "reason": "RuntimeError: " + "long " * 100})["outcome"]
    assert failed.startswith("RuntimeError: long") and len(failed) == 100 and failed.endswith("…")
