"""`pruner: promote` inside a study: pauses, claims and the end, on SQLite and PostgreSQL. Curves are made up, nothing is trained."""

from __future__ import annotations

import io
import json
import random
import re
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from optuna.trial import TrialState
from rich.console import Console

from benchmarks.crossing import make_crossing
from tests.test_leases import elsewhere, gone, silence, stock  # noqa: F401 - fixtures
from tests.test_outages import fail_once
from tuner.config.study_config import StudyConfig
from tuner.console.live import LiveProgress
from tuner.console.progress import PlainProgress, Progress
from tuner.console.text import open_console
from tuner.errors import UsageError
from tuner.placement import Placement
from tuner.study import tables
from tuner.study.facts import write_facts, write_run
from tuner.study.lease import Counts, Lease, NothingToClaim
from tuner.study.outcome import Outcome
from tuner.study.pausing import PausingLeases
from tuner.study.promotion import Promotion, find_promoted, find_raced, to_curve
from tuner.study.pruners import make_promotion, make_pruner
from tuner.study.safety import describe_safety
from tuner.study.search_space import compare_definitions, count_configurations, define
from tuner.study.standing import Standing
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, delete, load
from tuner.study.study import Study
from tuner.study.trials import list_trials
from tuner.study.worker_id import WorkerId
from tuner.workers.events import NothingLeft, TrialEnded, TrialStarted
from tuner.workers.leased_trial import LeasedTrial
from tuner.workers.local import LocalEngine
from tuner.workers.objective import tidy
from tuner.workers.supervisor import Supervisor

EPOCHS = 8
CONFIG: dict[str, Any] = {
    "data": "digits",
    "pruner": {"name": "promote", "audit": 0},
    "sampler": "random",
    "space": {"lr": {"low": 0.001, "high": 0.1, "log": True}, "epochs": EPOCHS},
}
Curves = Sequence[Sequence[float]]


def curves(count: int, seed: int = 0) -> Curves:
    """Accuracies that rise and are noisy, an epoch each; what is good early is mostly good in the end."""
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        end, pace = draw.uniform(0.5, 0.95), draw.uniform(0.3, 1.2)
        made.append([round(end * (1 - 0.7 * 2.7 ** (-pace * epoch)) + draw.uniform(-0.02, 0.02), 4) for epoch in range(1, EPOCHS + 1)])
    return made


def make(storage: Storage, trials: int, **changes: Any) -> Study:
    return create_or_load(storage, "s", StudyConfig.from_dict({**CONFIG, **changes}), "f", trials=trials)


def train(study: Study, lease: Lease, curve: Sequence[float], epochs: int = EPOCHS) -> list[str]:
    """Report a leased trial's epochs until it pauses or ends, as a worker does. What was done."""
    optuna, done = study.storage.optuna, []
    trained = len(optuna.get_trial(lease.trial_id).intermediate_values)
    for epoch in range(trained + 1, epochs + 1):
        study.leases.write(lease, lambda epoch=epoch: optuna.set_trial_intermediate_value(lease.trial_id, epoch, curve[epoch - 1]))
        done.append(f"{lease.number}.{epoch}")
        if epoch == epochs:
            study.leases.finish(lease, lambda: study.optuna_study().tell(lease.number, curve[-1]))
        elif pause(study, lease, epoch):
            break
    return done


def pause(study: Study, lease: Lease, epoch: int) -> str | None:
    assert isinstance(study.leases, PausingLeases)

    def prepare(reason: str) -> None:
        write_run(study.storage, study.leases.study_id, lease.trial_id, {"outcome": Outcome.PAUSED, "reason": reason})

    return study.leases.pause(lease, epoch, prepare)


def claim(study: Study, worker: WorkerId | None = None) -> Lease | NothingToClaim:
    return study.leases.claim(worker or WorkerId.here(), study.new_trial)


def get(study: Study, worker: WorkerId | None = None) -> Lease:
    found = claim(study, worker)
    assert isinstance(found, Lease), found
    return found


def play(study: Study, accuracies: Curves, again: Callable[[], Study] | None = None) -> list[str]:
    """A search with one worker, epoch by epoch; `again` opens the study anew before every claim."""
    done: list[str] = []
    while isinstance(lease := claim(study), Lease):
        done += train(study, lease, accuracies[lease.number])
        study = again() if again is not None else study
    assert lease.held == 0
    return done


def state(rule: Promotion, accuracies: Curves, trials: int) -> list[str]:
    """The same search by the pure rule alone."""
    best: dict[int, list[float]] = {}
    final: dict[int, float] = {}
    paused: dict[int, int] = {}
    done, begun, racing = [], 0, False
    while True:
        number = None if racing else find_promoted(rule, best, paused)
        if number is None and begun < trials:
            number, begun = begun, begun + 1
        elif number is None:
            racing, number = True, find_raced(rule, best, final, paused)
        if number is None:
            return done
        epoch = paused.pop(number, 0)
        while number not in paused and number not in final:
            epoch += 1
            done.append(f"{number}.{epoch}")
            errors = [1.0 - accuracy for accuracy in accuracies[number][:epoch]]
            best[number] = to_curve(errors)
            if epoch == rule.epochs:
                final[number] = to_curve(errors[-1:])[0]
            elif epoch in (rule.levels if racing else rule.rungs):
                paused[number] = epoch
                if (find_raced(rule, best, final, paused) if racing else find_promoted(rule, best, paused)) == number:
                    del paused[number]


def watch_reads(study: Study) -> list[int]:
    """Of how many trials curves are read, each time."""
    assert isinstance(study.leases, PausingLeases)
    standing, read = study.leases._standing, []
    real = standing._read_curves

    def watched(connection: sa.Connection, trial_ids: list[int]) -> dict[int, list[float]]:
        read.append(len(trial_ids))
        return real(connection, trial_ids)

    standing._read_curves = watched  # type: ignore[method-assign]
    return read


def same_in_a_new_process(study: Study) -> bool:
    """Whether what this process has read bit by bit is what one reads that has just begun."""
    assert isinstance(study.leases, PausingLeases)
    warm, fresh = study.leases._standing, Standing(study.leases.study_id, EPOCHS)
    with study.storage.engine.connect() as connection:
        warm.read(connection), fresh.read(connection)
    return (warm.best, warm.final, warm.decided, warm._paused) == (fresh.best, fresh.final, fresh.decided, fresh._paused)


def states(study: Study) -> list[str]:
    return [trial.state.name for trial in study.frozen_trials()]


def test_a_search_is_the_pure_rule_and_the_same_however_often_it_is_opened_anew(storage: Storage) -> None:
    accuracies = curves(16)
    want = state(Promotion(epochs=EPOCHS, audit=0), accuracies, 16)
    assert play(make(storage, 16), accuracies, again=lambda: load(storage, "s")) == want
    delete(storage, load(storage, "s"))
    study = make(storage, 16)
    read = watch_reads(study)
    assert play(study, accuracies) == want
    assert max(read) <= 2, "each row is read once, and again when it changed"
    assert len(want) < 0.7 * 16 * EPOCHS
    counts = study.leases.counts()
    assert (counts.finished, counts.waiting, counts.paused) == (16, 0, 0)
    best = max(range(16), key=lambda number: accuracies[number][-1])
    assert study.frozen_trials()[best].value == accuracies[best][-1], "the best one was trained to its end"


def test_many_workers_train_no_epoch_twice_and_reach_the_exact_total(storage: Storage) -> None:
    """Four workers, each with a study of its own in memory, in an order that chance makes; some are interrupted."""
    accuracies, draw, done = curves(14, seed=3), random.Random(5), []
    make(storage, 14)
    workers: list[tuple[Study, Lease | None]] = [(load(storage, "s"), None) for _ in range(4)]
    while workers:
        index = draw.randrange(len(workers))
        study, lease = workers[index]
        assert same_in_a_new_process(study)
        if lease is None:
            found = claim(study)
            if isinstance(found, NothingToClaim):
                others = sum(held is not None for _, held in workers)
                assert found.held == others and found.full, "nobody waits while a trial may begin"
                if not others:
                    workers.pop(index)
                continue
            workers[index] = (study, found)
        elif draw.random() < 0.1:
            study.leases.requeue(lease)
            workers[index] = (study, None)
        else:
            epoch = len(storage.optuna.get_trial(lease.trial_id).intermediate_values) + 1
            train(study, lease, accuracies[lease.number], epochs=EPOCHS) if epoch == EPOCHS else report(study, lease, accuracies, epoch)
            done.append((lease.number, epoch))
            if epoch == EPOCHS or pause(study, lease, epoch):
                workers[index] = (study, None)
    study = load(storage, "s")
    assert len(done) == len(set(done)) < 0.75 * 14 * EPOCHS
    assert set(states(study)) == {"COMPLETE", "PRUNED"} and study.leases.counts().finished == 14
    assert max(t.value or 0 for t in study.frozen_trials()) == max(curve[-1] for curve in accuracies)


def report(study: Study, lease: Lease, accuracies: Curves, epoch: int) -> None:
    value = accuracies[lease.number][epoch - 1]
    study.leases.write(lease, lambda: study.storage.optuna.set_trial_intermediate_value(lease.trial_id, epoch, value))


def test_paused_rows_keep_what_they_have_and_count_as_used(storage: Storage) -> None:
    study = make(storage, 3)
    for value in (0.5, 0.4, 0.3):
        lease = get(study)
        report(study, lease, {lease.number: [value]}, 1)  # type: ignore[arg-type]
        pause(study, lease, 1)
    counts = study.leases.counts()
    assert (counts.used, counts.waiting, counts.paused, counts.queued, counts.finished) == (3, 3, 3, 0, 0)
    rows = list_trials(study)
    assert [row.reason for row in rows] == ["paused at epoch 1: 1st of 1", "paused at epoch 1: 2nd of 2", "paused at epoch 1: 3rd of 3"]
    with stock(study) as plain:
        assert [trial.state for trial in plain.get_trials()] == [TrialState.WAITING] * 3
        assert [trial.intermediate_values for trial in plain.get_trials()] == [{1: 0.5}, {1: 0.4}, {1: 0.3}]
    taken = get(study)
    assert (taken.number, taken.resumed, taken.taken, taken.fence) == (0, True, "promotion", 2)
    study.leases.requeue(taken)
    assert study.leases.counts().queued == 1
    again = get(study)
    assert (again.number, again.taken) == (0, None), "an interrupted trial comes before anything else"


def test_the_end_settles_all_that_are_left_and_says_why(storage: Storage) -> None:
    study, accuracies = make(storage, 12), curves(12, seed=1)
    play(study, accuracies)
    rows = list_trials(study)
    left = [row for row in rows if row.state == "PRUNED"]
    assert left and {row.outcome for row in left} == {Outcome.BELOW_OTHERS}
    for row in left:
        assert row.reason.startswith("paused at epoch ") and "left there: its chance of a new best was " in row.reason
        assert row.run["chance"] < 0.015 and row.value is not None
    assert study.leases.counts().paused == 0
    more = create_or_load(storage, "s", study.config, "f", more=2)
    assert {get(more).number, get(more).number} == {12, 13}, "what was left is not taken up again"


def test_a_dead_workers_trial_is_taken_up_before_any_pause_and_its_crash_is_counted(
    storage: Storage,
    gone: Callable[[], WorkerId],  # noqa: F811
) -> None:
    study = make(storage, 6)
    for value in (0.5, 0.4, 0.3):
        lease = get(study)
        report(study, lease, {lease.number: [value]}, 1)  # type: ignore[arg-type]
        pause(study, lease, 1)
    dead = get(study, gone())
    assert (dead.number, dead.taken) == (0, "promotion")
    other = load(storage, "s")
    again = get(other)
    assert (again.number, again.crashes, again.resumed) == (0, 1, True)
    report(other, again, {0: [0.5, 0.6]}, 2)  # type: ignore[arg-type]
    third = load(storage, "s")
    for value in (0.9, 0.8, 0.7):
        lease = get(third)
        report(third, lease, {lease.number: [value]}, 1)  # type: ignore[arg-type]
        pause(third, lease, 1)
    assert pause(other, again, 1) is None, "it was let go on from there before, and is not asked again"
    assert pause(other, again, 2) == "paused at epoch 2: 1st of 1"


def test_a_pause_whose_acknowledgement_was_lost_is_found(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make(storage, 3)
    lease = get(study)
    report(study, lease, {0: [0.5]}, 1)  # type: ignore[arg-type]
    fail_once(storage, monkeypatch, committed=True)
    assert pause(study, lease, 1) == "paused at epoch 1: 1st of 1"
    assert study.leases.counts().paused == 1


def test_a_late_writer_cannot_pause_a_trial_that_was_taken_over(storage: Storage, elsewhere: WorkerId) -> None:  # noqa: F811
    from tuner.study.lease import LeaseLost

    study = make(storage, 3)
    late = get(study, elsewhere)
    report(study, late, {0: [0.5]}, 1)  # type: ignore[arg-type]
    silence(study, late)
    assert get(study).number == 0
    with pytest.raises(LeaseLost):
        pause(study, late, 1)
    assert states(study) == ["RUNNING"]


def test_a_paused_trial_that_another_tool_ended_is_forgotten(storage: Storage) -> None:
    study, accuracies = make(storage, 8), curves(8)
    for _ in range(3):
        train(study, get(study), accuracies[len(states(study)) - 1])
    assert states(study)[0] == "WAITING"
    with stock(study) as plain:
        plain._storage.set_trial_state_values(plain.trials[0]._trial_id, TrialState.FAIL)
    play(study, [*accuracies, *accuracies])
    assert states(study)[0] == "FAIL" and study.leases.counts().finished == 8


def test_a_trial_whose_checkpoint_only_another_machine_has_waits_for_that_machine(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, accuracies = make(storage, 4), {n: [value] * EPOCHS for n, value in enumerate((0.5, 0.4, 0.3, 0.2))}
    for _ in range(3):
        train(study, get(study), accuracies[len(states(study)) - 1])
    monkeypatch.setattr(socket, "gethostname", lambda: "other")
    other = load(storage, "s")
    assert get(other).number == 3, "a new one rather than one without its checkpoint"
    other.files.folder.mkdir(parents=True)
    (other.files.folder / "trial-00000.json").write_text(json.dumps({"study": study.uid}))
    taken = get(other)
    assert (taken.number, taken.taken) == (0, "promotion"), "a folder that both machines see"
    other.leases.requeue(taken)
    monkeypatch.undo()
    assert get(study).number == 0


def test_a_study_goes_on_with_another_pruner_and_back(storage: Storage) -> None:
    accuracies = curves(20)
    first = make(storage, 4, pruner="none")
    for _ in range(4):
        lease = get(first)
        for epoch in range(1, EPOCHS + 1):
            report(first, lease, accuracies, epoch)
        first.leases.finish(lease, lambda lease=lease: first.optuna_study().tell(lease.number, accuracies[lease.number][-1]))
    promoting = make(storage, 10)
    while len(states(promoting)) < 8:
        train(promoting, get(promoting), accuracies[len(states(promoting)) - 1])
    paused = promoting.leases.counts().paused
    assert paused and "of 5" in next(row.reason for row in list_trials(promoting) if row.number == 4), "it is ranked among all"
    back = make(storage, 10, pruner="none")
    left = get(back)
    assert left.resumed, "what paused is taken up like what was interrupted"
    back.leases.requeue(left)
    play(make(storage, 10), accuracies)
    counts = promoting.leases.counts()
    assert (counts.finished, counts.waiting) == (10, 0)


def test_a_database_of_an_earlier_version_is_read_as_it_is_and_gets_its_table_when_searched(storage: Storage) -> None:
    make(storage, 2, pruner="none")
    tables.pauses.drop(storage.engine)
    old = load(storage, "s")
    old.leases.requeue(get(old))
    assert old.leases.counts().queued == 1
    assert not sa.inspect(storage.engine).has_table("tuner_pauses"), "reading changes nothing"
    study = make(storage, 6)
    play(study, curves(6))
    assert study.leases.counts().finished == 6
    tables.pauses.drop(storage.engine)
    delete(storage, study)


@pytest.mark.parametrize(
    "options,message",
    [
        ({"fraction": 0}, "fraction must be above 0 and at most 1, not 0"),
        ({"fraction": "half"}, "fraction must be above 0 and at most 1, not 'half'"),
        ({"first": 0}, "first must be a whole number from 1, not 0"),
        ({"first": 8}, "first 8 is not below the 8 epochs of a trial"),
        ({"audit": 1.5}, "audit must be from 0 and at most 1, not 1.5"),
        ({"frist": 2}, "did you mean 'first'?"),
        ({"epochs": 4}, "takes no argument 'epochs'"),
    ],
)
def test_a_wrong_option_is_a_line(options: dict[str, Any], message: str) -> None:
    config = StudyConfig.from_dict({**CONFIG, "pruner": {"name": "promote", **options}})
    with pytest.raises(UsageError) as caught:
        make_pruner(config)
    assert caught.value.message.startswith("pruner promote") and message in caught.value.message


def test_options_reach_the_rule() -> None:
    config = StudyConfig.from_dict({**CONFIG, "pruner": {"name": "promote", "fraction": 0.5, "first": 2}})
    rule = make_promotion(config)
    assert rule is not None and (rule.fraction, rule.rungs, rule.epochs) == (0.5, [2, 4], 8)


def test_searched_epochs_are_the_resource_and_are_not_drawn(storage: Storage) -> None:
    space = {**CONFIG["space"], "epochs": {"low": 2, "high": 8}}
    study = make(storage, 4, space=space, start=[{"lr": 0.01}, {"lr": 0.02, "epochs": 3}])
    rule = make_promotion(study.config)
    assert rule is not None and (rule.rungs, rule.epochs) == ([2, 4], 8)
    configs = []
    for _ in range(3):
        trial = LeasedTrial(study, get(study))
        configs.append(trial.configure(threads=1, precision="fp32"))
        assert "epochs" not in trial.frozen().params
    assert [config.epochs for config in configs] == [8, 3, 8]
    drawing = StudyConfig.from_dict({**CONFIG, "space": space, "pruner": "median"})
    assert compare_definitions(define(study.config, "f"), define(drawing, "f")) == ""


def test_a_finite_space_is_counted_without_its_epochs() -> None:
    space = {"lr": [0.01, 0.02], "batch_size": [8, 16], "epochs": {"low": 2, "high": 8}}
    configs = {name: StudyConfig.from_dict({**CONFIG, "space": space, "pruner": name}) for name in ("promote", "none")}
    assert {name: count_configurations(config) for name, config in configs.items()} == {"promote": 4, "none": 28}


def test_a_schedule_that_depends_on_the_epochs_wants_them_fixed() -> None:
    with pytest.raises(UsageError, match="fix epochs, or set pruner: none"):
        StudyConfig.from_dict({**CONFIG, "space": {"lr": 0.01, "schedule": "cosine", "epochs": {"low": 2, "high": 8}}})


def test_a_start_row_with_epochs_of_its_own_ends_there_and_is_ranked_at_the_rungs_it_reaches(storage: Storage) -> None:
    study, accuracies = make(storage, 6, start=[{"epochs": 3}, {"epochs": 12}]), curves(6, seed=2)
    long = [[0.9] * 3, [0.5 + 0.01 * epoch for epoch in range(12)], *accuracies]
    while isinstance(lease := claim(study), Lease):
        train(study, lease, long[lease.number], epochs=len(long[lease.number]))
    lengths = [len(trial.intermediate_values) for trial in study.frozen_trials()]
    assert states(study)[0] == "COMPLETE" and lengths[0] == 3 and study.leases.counts().finished == 6
    assert all(" of 6" in row.reason for row in list_trials(study) if row.state == "PRUNED" and "epoch 1:" in row.reason)


def test_before_its_time_runs_out_a_search_trains_the_best_to_its_end(storage: Storage) -> None:
    """Epochs that took 10 s each, and a search that ends in 1,000 s, then in 90 s: 7 epochs take 70."""
    study = make(storage, 20)
    assert isinstance(study.leases, PausingLeases)
    study.leases.deadline = time.time() + 1000

    def epoch(lease: Lease, epoch: int) -> str | None:
        report(study, lease, {lease.number: [0.5 + 0.1 * lease.number + 0.01 * epoch] * EPOCHS}, epoch)  # type: ignore[arg-type]
        write_facts(storage, study.leases.study_id, lease.trial_id, curve=[{"seconds": 10.0}] * epoch)
        return pause(study, lease, epoch)

    for number in range(2):
        lease = get(study)
        assert lease.number == number and epoch(lease, 1)
    study.leases.deadline = time.time() + 90
    lease = get(study)
    assert (lease.number, lease.taken) == (1, "time")
    assert [epoch(lease, each) for each in range(2, EPOCHS)] == [None] * 6, "every level on the way is passed at once"
    study.leases.finish(lease, lambda: study.optuna_study().tell(1, 0.7))
    study.leases.deadline = None
    assert get(study).number == 2, "with time again there are new trials, and no race"


def test_a_trial_in_training_makes_way_for_the_best_when_the_time_runs_out(storage: Storage) -> None:
    study = make(storage, 20)
    assert isinstance(study.leases, PausingLeases)
    best, other = get(study), get(study)
    for lease, accuracy in ((best, 0.9), (other, 0.1)):
        report(study, lease, {lease.number: [accuracy] * EPOCHS}, 1)  # type: ignore[arg-type]
        write_facts(storage, study.leases.study_id, lease.trial_id, curve=[{"seconds": 10.0}])
    assert pause(study, best, 1)
    study.leases.deadline = time.time() + 90
    assert pause(study, other, 1)
    taken = get(study)
    assert (taken.number, taken.taken) == (best.number, "time")


def test_the_audit_trains_some_of_those_left_to_the_end_and_says_what_it_found(tmp_path: Path) -> None:
    storage = Storage(f"sqlite:///{tmp_path}/x.db", make=True)
    study = make(storage, 40, pruner={"name": "promote", "audit": 0.1})
    reasons, accuracies = [], curves(40)
    while isinstance(lease := claim(study), Lease):
        reasons.append(lease.taken)
        train(study, lease, accuracies[lease.number])
    checked = len(study.leases.read_standing().list_taken("audit")) if isinstance(study.leases, PausingLeases) else 0
    assert 1 <= checked <= 4 and "race" in reasons[: reasons.index("audit")], "after the race"
    assert f"Trained to the end all the same, to check the pruner: of {checked} checked, none would have won." in describe_safety(study)
    assert any(sentence.startswith("How well the rank early on foretells") for sentence in describe_safety(study))


def test_where_the_audit_speaks_against_the_rule_the_race_goes_on(tmp_path: Path) -> None:
    """Curves whose first half says nothing of their end: what was given up first is trained on after the audit."""
    study = make(Storage(f"sqlite:///{tmp_path}/x.db", make=True), 40, pruner={"name": "promote", "audit": 0.1})
    reasons, accuracies = [], 1 - make_crossing(0.0, count=40, epochs=EPOCHS).errors
    while isinstance(lease := claim(study), Lease):
        reasons.append(lease.taken)
        train(study, lease, accuracies[lease.number].tolist())
    assert "race" in reasons[: reasons.index("audit")] and "race" in reasons[reasons.index("audit") :]
    assert study.leases.counts().finished == 40 and set(states(study)) == {"COMPLETE", "PRUNED"}


def test_a_paused_trial_that_can_hardly_go_on_loses_its_checkpoint(storage: Storage) -> None:
    """Ten trials: two good ones, of which one is trained to its end, and eight that are far behind in rank and in chance."""
    study = make(storage, 12, pruner={"name": "promote", "fraction": 0.2, "audit": 0})
    accuracies = [[0.9 - 0.01 * number] * EPOCHS if number < 2 else [0.1 + 0.001 * number] * EPOCHS for number in range(12)]
    while len(states(study)) < 10 or "RUNNING" in states(study):
        lease = get(study)
        LeasedTrial(study, lease).configure(threads=1, precision="fp32")
        if lease.number:
            train(study, lease, accuracies[lease.number])
            continue
        for epoch in range(1, EPOCHS + 1):
            report(study, lease, accuracies, epoch)
        study.leases.finish(lease, lambda: study.optuna_study().tell(0, 0.9))
    assert states(study) == ["COMPLETE"] + ["WAITING"] * 9
    study.files.folder.mkdir(parents=True)
    for number in range(10):
        (study.files.folder / f"trial-{number:05}.json").write_text(json.dumps({"study": study.uid}))
    tidy(study, 1)
    assert study.files.numbers() == {0, 1, 9, 8, 7}, "the best, and those that are near a place to go on from"
    play(study, accuracies)
    assert study.leases.counts().finished == 12


def test_the_view_of_a_search_tells_of_pauses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = make(Storage(f"sqlite:///{tmp_path}/x.db", make=True), 12)
    view = PlainProgress(study, [Placement()], study.leases.counts())
    config = LeasedTrial(study, get(study)).configure(threads=1, precision="fp32")
    view.event(0, TrialStarted(number=0, config=config, epoch=2, taken="race"))
    view.event(0, TrialEnded(number=0, outcome=Outcome.PAUSED, reason="paused at epoch 3: 11th of 27"))
    view.counts(Counts(n_trials=12, complete=1, waiting=9, rungs={1: 7, 2: 2}, promoted=5))
    view.event(0, NothingLeft(exhausted=False, settled=9))
    began, paused, counted, settled = capsys.readouterr().err.splitlines()
    assert began.startswith("trial 0 goes on, in the race to the end, from epoch 3: lr ")
    assert paused == "trial 0 paused at epoch 3: 11th of 27"
    assert counted == "1 of 12 trials, 9 paused, 5 promoted; paused are 7 at epoch 1, 2 at epoch 2"
    assert settled == "9 paused trials are left where they are: none of them is likely enough to be the best"
    live = LiveProgress(study, [Placement()], study.leases.counts(), open_console())
    live.counts(Counts(n_trials=12, complete=1, waiting=9, rungs={1: 7, 2: 2}, promoted=5))
    live.console.print(live)
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 of 12 trials, 9 paused, 5 promoted" in shown and "paused are 7 at epoch 1, 2 at epoch 2" in shown
    live.console = Console(file=io.StringIO(), width=80)
    live.counts(Counts(n_trials=30, complete=7, waiting=21, rungs={1: 10, 2: 8, 3: 1, 4: 2}, promoted=20))
    live.console.print(live)
    lines = live.console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert any(re.match(r"━{10,}╸? .*so far *$", line) for line in lines), "however many rungs there are, there is room for the bar"
    assert any(line.startswith("paused are 10 at epoch 1, 8 at epoch 2, 1 at epoch 3, 2 at epoch 4") for line in lines)


def test_a_study_file_that_names_no_pruner_promotes_and_a_study_that_is_there_keeps_its_own(storage: Storage) -> None:
    unnamed = {name: value for name, value in CONFIG.items() if name != "pruner"}
    assert create_or_load(storage, "new", StudyConfig.from_dict(unnamed), "f").config.pruner == ("promote", {})
    make(storage, 4, pruner={"name": "median", "n_warmup_steps": 2})
    kept = create_or_load(storage, "s", StudyConfig.from_dict(unnamed), "f", trials=5)
    assert kept.config.pruner == load(storage, "s").config.pruner == ("median", {"n_warmup_steps": 2})
    assert make(storage, 6, pruner="promote").config.pruner[0] == "promote"


def test_a_trial_that_pauses_is_no_fault_and_ends_a_row_of_them(tmp_path: Path) -> None:
    study = make(Storage(f"sqlite:///{tmp_path}/x.db", make=True), 12)
    view = Progress(study, [Placement()], study.leases.counts())
    supervisor = Supervisor(study, None, [Placement()], view, LocalEngine())
    failed = TrialEnded(number=0, outcome=Outcome.ERROR, reason="no such image")
    for event in (failed, failed, TrialEnded(number=1, outcome=Outcome.PAUSED, reason="paused at epoch 1: 1st of 2"), failed):
        supervisor._judge(event)
    assert supervisor._stop is None
    supervisor._judge(failed), supervisor._judge(failed)
    assert supervisor._stop is not None and "3 trials in a row failed the same way" in supervisor._stop.text
