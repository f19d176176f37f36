"""`--budget`: what counts, what is begun, where it ends, and how it goes on; with made-up epochs, and with real workers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import tuner as package
from tests.conftest import Background
from tests.test_leases import config
from tests.test_promote import EPOCHS, pause, states
from tests.test_promote import make as make_promoting
from tuner.commands import main
from tuner.errors import UsageError
from tuner.search.ended import is_over
from tuner.study.lease import NothingToClaim
from tuner.study.pausing import PausingLeases
from tuner.study.stopping import Cause
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, load
from tuner.study.study import Study
from tuner.study.trials import list_trials
from tuner.study.worker_id import WorkerId
from tuner.training.score import Score
from tuner.workers.budget import TrialBudget
from tuner.workers.leased_trial import LeasedTrial

Start = Callable[..., Background]


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage(f"sqlite:///{tmp_path}/study.db", make=True)
    yield opened
    opened.close()


@dataclass
class Worker:
    """Trains made-up epochs one at a time, as `objective.py` and `reporter.py` do. `seconds` are an epoch's, by trial number."""

    study: Study
    seconds: Callable[[int], float]
    accuracy: Callable[[int, int], float] = lambda number, epoch: 0.5
    trial: LeasedTrial | None = None
    budget: TrialBudget | None = None
    epochs: int = 0
    trained: int = 0
    over: bool = False
    longest: float = 0.0
    taken: list[str | None] = field(default_factory=list)

    def step(self) -> None:
        """Claim a trial, or train an epoch of the one it has."""
        if self.trial is None:
            found = self.study.leases.claim(WorkerId.here(), self.study.new_trial)
            if isinstance(found, NothingToClaim):
                self.over = not found.held
                return
            self.taken.append(found.taken)
            self.trial = LeasedTrial(self.study, found)
            made = self.trial.configure(threads=1, precision="fp32")
            self.budget, self.epochs, self.trained = TrialBudget(self.trial, made), made.epochs, 0
            for epoch in self.trial.frozen().intermediate_values:
                self.report(epoch)
            if self.budget.begin() is not None:
                self.leave()
            return
        assert self.budget is not None
        self.report(self.trained + 1)
        number = self.trial.lease.number
        self.longest = max(self.longest, self.seconds(number))
        lacking = self.budget.note()
        if self.trained == self.epochs:
            self.study.leases.finish(self.trial.lease, lambda: self.study.optuna_study().tell(number, self.accuracy(number, self.epochs)))
            self.trial = None
        elif isinstance(self.study.leases, PausingLeases) and pause(self.study, self.trial.lease, self.trained) is not None:
            self.trial = None
        elif lacking is not None:
            self.leave()

    def report(self, epoch: int) -> None:
        assert self.trial is not None
        number = self.trial.lease.number
        figures = {"train_loss": 1.0, "train_accuracy": 0.5, "val_loss": 1.0, "val_accuracy": self.accuracy(number, epoch)}
        self.trial.report(Score(epoch=epoch, seconds=self.seconds(number), **figures))
        self.trained = epoch

    def leave(self) -> None:
        assert self.trial is not None
        self.study.leases.requeue(self.trial.lease)
        self.trial = None


def run(workers: list[Worker], seed: int = 0) -> None:
    """Let them take turns in any order, until nothing is left for any of them."""
    draw = random.Random(seed)
    for _ in range(5000):
        going = [worker for worker in workers if not worker.over]
        if not going:
            return
        draw.choice(going).step()
    raise AssertionError("it never ends")


def make(storage: Storage, trials: int = 50, **changes: Any) -> Study:
    plain = {"pruner": "none", "sampler": "random", "width": 0.0625, **changes}
    plain["space"] = {"lr": {"low": 0.001, "high": 0.1}, "batch_size": [8, 16], "epochs": 4, **plain.pop("space", {})}
    return create_or_load(storage, "s", config(**plain), "f", trials=trials)


def spent(study: Study) -> float:
    """As a user adds it up."""
    return sum(row.seconds for row in list_trials(study))


def test_nothing_is_begun_that_cannot_finish_and_a_larger_budget_goes_on(storage: Storage) -> None:
    study = make(storage)
    study.leases.set_rules(budget=100.0)
    run([Worker(study, lambda number: 10.0)])
    assert states(study) == ["COMPLETE", "COMPLETE"] and spent(study) == 80
    counts = study.leases.counts()
    assert counts.ended is not None and counts.ended.cause is Cause.BUDGET and is_over(counts)
    assert (counts.budget, counts.spent) == (100, 80)
    assert counts.ended.describe() == "80 s of its budget of 2 min are spent, and no trial fits the rest"
    other = load(storage, "s")  # a worker that was told of no budget
    run([Worker(other, lambda number: 10.0)])
    assert spent(other) == 80
    study.leases.set_rules(budget=130.0)
    assert study.leases.counts().ended is None
    run([Worker(study, lambda number: 10.0)])
    assert states(study) == ["COMPLETE"] * 3 and spent(study) == 120
    study.leases.set_rules(budget=float("inf"))
    study = make(storage, trials=4)
    run([Worker(study, lambda number: 10.0)])
    assert states(study) == ["COMPLETE"] * 4 and study.leases.counts().ended is None


def test_a_trial_that_turns_out_longer_is_left_between_epochs_and_goes_on_where_it_was(sqlite: Storage) -> None:
    """The first takes 10 s an epoch, the second 30 s: it has two of its epochs when 100 s are nearly spent."""
    study = make(sqlite)
    study.leases.set_rules(budget=110.0)
    run([Worker(study, lambda number: 10.0 if number == 0 else 30.0)])
    assert states(study) == ["COMPLETE", "WAITING"] and spent(study) == 100
    counts = study.leases.counts()
    assert is_over(counts) and (counts.finished, counts.queued, counts.used) == (1, 1, 2)
    study.leases.set_rules(budget=170.0)
    run([Worker(study, lambda number: 10.0 if number == 0 else 30.0)])
    assert states(study)[:2] == ["COMPLETE", "COMPLETE"] and [len(row.epochs) for row in list_trials(study)][:2] == [4, 4]
    assert spent(study) == 160 and study.leases.counts().ended is not None


@pytest.mark.parametrize("seed", range(2))
def test_no_search_overshoots_by_more_than_an_epoch_of_each_worker(storage: Storage, seed: int) -> None:
    """Three workers in any order, trials whose epochs take 1 to 20 s, which nobody knows beforehand."""
    draw = random.Random(seed)
    seconds = [draw.uniform(1, 20) for _ in range(50)]
    study = make(storage)
    study.leases.set_rules(budget=300.0)
    workers = [Worker(study, lambda number: seconds[number]) for _ in range(3)]
    run(workers, seed)
    assert 200 < spent(study) <= 300 + sum(worker.longest for worker in workers)
    assert study.leases.counts().spent == pytest.approx(spent(study)) and study.leases.counts().running == 0
    done = {row.number for row in list_trials(study) if row.state == "COMPLETE"}
    study.leases.set_rules(budget=400.0)
    run([Worker(study, lambda number: seconds[number])], seed)
    assert spent(study) <= 400 + 20 and done <= {row.number for row in list_trials(study) if row.state == "COMPLETE"}


def test_what_a_trial_in_training_is_still_to_take_is_set_aside_for_it(sqlite: Storage) -> None:
    """Two workers in turns, and a budget in which one of their trials can finish: that one does."""
    study = make(sqlite)
    study.leases.set_rules(budget=50.0)
    workers = [Worker(study, lambda number: 10.0) for _ in range(2)]
    while not all(worker.over for worker in workers):
        for worker in workers:
            if not worker.over:
                worker.step()
    assert states(study) == ["COMPLETE", "WAITING"] and spent(study) == 50
    [left] = [row for row in list_trials(study) if row.state == "WAITING"]
    assert len(left.epochs) == 1 and study.leases.counts().ended is not None


def test_those_that_pause_stay_paused_where_another_waits_for_a_larger_budget(sqlite: Storage) -> None:
    """All ten have begun; one was trained to its end, eight that pause cannot win any more, one was interrupted."""
    study = make_promoting(sqlite, 10, pruner={"name": "promote", "fraction": 0.2, "audit": 0})
    workers = [Worker(study, lambda number: 10.0, lambda number, epoch: 0.1 - 0.001 * number if number else 0.9) for _ in range(10)]
    for worker in workers:
        worker.step()
    for epoch in range(1, EPOCHS + 1):
        workers[0].report(epoch)
    assert workers[0].trial is not None
    study.leases.finish(workers[0].trial.lease, lambda: study.optuna_study().tell(0, 0.9))
    for worker in workers[1:9]:
        worker.step()
    workers[9].report(1)
    workers[9].leave()
    before = states(study)
    study.leases.set_rules(budget=spent(study) + 5)
    run([Worker(load(sqlite, "s"), lambda number: 10.0)])
    assert states(study) == before == ["COMPLETE"] + ["WAITING"] * 9 and study.leases.counts().ended is not None


def test_what_was_trained_before_the_budget_was_given_counts(sqlite: Storage) -> None:
    study = make(sqlite, trials=2)
    run([Worker(study, lambda number: 10.0)])
    study = make(sqlite, trials=9)
    study.leases.set_rules(budget=90.0)
    assert study.leases.counts().spent == 80
    run([Worker(study, lambda number: 10.0)])
    assert spent(study) == 80 and study.leases.counts().ended is not None


def test_a_budget_given_in_mid_trial_is_heeded_by_the_worker_that_trains_it(sqlite: Storage) -> None:
    study, other = make(sqlite), load(sqlite, "s")
    worker = Worker(study, lambda number: 10.0)
    for _ in range(2):
        worker.step()
    other.leases.set_rules(budget=15.0)
    worker.step()
    assert worker.trial is None and states(study) == ["WAITING"] and spent(study) == 20


def test_where_trials_pause_the_best_is_trained_to_its_end_in_the_budget(sqlite: Storage) -> None:
    study = make_promoting(sqlite, 60)
    study.leases.set_rules(budget=300.0)
    workers = [Worker(study, lambda number: 10.0, lambda number, epoch: 0.5 + 0.01 * (number % 7) + 0.01 * epoch) for _ in range(2)]
    run(workers)
    assert "COMPLETE" in states(study) and 240 <= spent(study) <= 320
    counts = study.leases.counts()
    assert is_over(counts) and counts.paused > 0 and counts.running == 0
    assert "race" not in [why for worker in workers for why in worker.taken], "there is no race before all trials have begun"
    before = len(states(study))
    study.leases.set_rules(budget=500.0)
    more = Worker(load(sqlite, "s"), lambda number: 10.0, lambda number, epoch: 0.5 + 0.01 * (number % 7) + 0.01 * epoch)
    run([more])
    assert len(states(study)) > before and "promotion" in more.taken and 440 <= spent(study) <= 510


def test_a_paused_study_that_is_not_short_ends_as_ever(sqlite: Storage) -> None:
    study = make_promoting(sqlite, 6)
    study.leases.set_rules(budget=10_000.0)
    run([Worker(study, lambda number: 10.0, lambda number, epoch: 0.5 + 0.05 * number + 0.01 * epoch)])
    assert set(states(study)) == {"COMPLETE", "PRUNED"} and study.leases.counts().ended is None and EPOCHS == 8


@pytest.mark.parametrize(
    "option,value,message",
    [
        ("--budget", "soon", "--budget takes a time such as 90s, 15m or 1h30m, not 'soon'"),
        ("--budget", "0", "--budget takes a time such as 90s, 15m or 1h30m, not '0'"),
        ("--budget", "-5", "--budget takes a time such as 90s, 15m or 1h30m, not '-5'"),
        ("--stop-when-flat", "0", "0 is not in the range x>=1"),
        ("--stop-when-flat", "2.5", "'2.5' is not a valid integer range"),
        ("--stop-when-flat", "never", "'never' is not a valid integer range"),
    ],
)
def test_a_wrong_option_is_a_line_and_nothing_is_written(small_study: Path, option: str, value: str, message: str) -> None:
    done = CliRunner().invoke(main, ["search", str(small_study), option, value])
    told = done.output + (done.exception.message if isinstance(done.exception, UsageError) else "")
    assert done.exit_code != 0 and message in told and not Path("studies").exists()


@pytest.mark.parametrize(
    "arguments,message",
    [
        ({"budget": 0}, "budget must be above 0, not 0"),
        ({"budget": "2h"}, "budget must be above 0, not '2h'"),
        ({"stop_when_flat": 0}, "stop_when_flat takes a whole number of at least 1, not 0"),
        ({"stop_when_flat": 2.0}, "stop_when_flat takes a whole number of at least 1, not 2.0"),
        ({"stop_when_flat": True}, "stop_when_flat takes a whole number of at least 1, not True"),
    ],
)
def test_a_wrong_argument_from_python_is_a_line(small_study: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        package.search(small_study, **arguments)
    assert caught.value.message == message and not Path("studies").exists()


def test_real_workers_of_two_searches_end_by_one_budget_and_go_on_with_a_larger_one(
    background: Start, small_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNER_SELF_CHECK", "0")
    plain = yaml.safe_load(small_study.read_text())
    plain |= {"train_images": 400, "image_size": 16}
    plain["space"] |= {"epochs": 3, "lr": {"low": 0.001, "high": 0.1, "log": True}}
    small_study.write_text(yaml.safe_dump(plain))
    how: dict[str, Any] = {"device": "cpu", "progress": False}
    study = package.search(small_study, trials=2, workers=2, **how)
    seconds = [float(epoch["seconds"]) for row in study.trials for epoch in row.epochs[1:]]  # without what a process takes to begin
    budget = sum(row.seconds for row in study.trials) + 18 * median(seconds)
    other = background("search", "small.yaml", "--trials", "500", "--workers", "1")
    other.wait_for(r"trial 2 epoch 1/3")
    package.search(small_study, budget=budget, workers=1, **how)
    assert other.end() == 0 and "Search ended, " in "".join(other.lines) and "and no trial fits the rest" in "".join(other.lines)
    before = check_budget(study, budget)
    assert [row.state for row in study.trials].count("COMPLETE") >= 2 and study.total == 500
    package.search(small_study, budget=budget, workers=2, **how)
    assert study.trials == before, "the same command again does nothing"
    package.search(small_study, budget=1.5 * budget, workers=2, **how)
    after = check_budget(study, 1.5 * budget)
    assert sum(row.seconds for row in after) > sum(row.seconds for row in before)
    assert [row for row in before if row.state == "COMPLETE"] == [after[row.number] for row in before if row.state == "COMPLETE"]
    shown = json.loads(CliRunner().invoke(main, ["show", "small", "--json"]).stdout)
    assert (shown["budget"], shown["ended_by"], shown["n_trials"]) == (1.5 * budget, "budget", 500)
    assert shown["spent"] == pytest.approx(sum(row.seconds for row in after)) and shown["ended_reason"].endswith("no trial fits the rest")
    told = " ".join(CliRunner().invoke(main, ["show", "small"]).stdout.split())
    assert "of training are spent." in told and f"Ended: {shown['ended_reason']}." in told


def check_budget(study: package.Study, budget: float) -> list[package.Trial]:
    """Whether two workers exceeded it by an epoch each at most, as a user adds it up, and left nothing behind."""
    rows = study.trials
    epochs = [float(epoch["seconds"]) for row in rows for epoch in row.epochs]
    assert sum(epochs) <= budget + 2 * max(epochs)
    assert {row.state for row in rows} <= {"COMPLETE", "WAITING"}
    return rows
