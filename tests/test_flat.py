"""`--stop-when-flat`: the rule on numbers, and one decision that every worker of a study heeds. Nothing is trained."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from tests.test_leases import claim as claim_one
from tests.test_leases import config, finish
from tests.test_promote import EPOCHS, make, play, states, train
from tuner.report.ended import tell_end as tell_reported
from tuner.report.languages.en import ENGLISH
from tuner.report.languages.ko import KOREAN
from tuner.search.ended import is_over, tell_end
from tuner.study.flat import find_flat, measure_noise
from tuner.study.lease import Lease, NothingToClaim
from tuner.study.pausing import PausingLeases
from tuner.study.stopping import Cause, Ended
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, load
from tuner.study.study import Study
from tuner.study.worker_id import WorkerId
from tuner.workers.leased_trial import LeasedTrial

RISE = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9]
IMAGES = 100  # one binomial standard error at 0.9 is 0.03


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage(f"sqlite:///{tmp_path}/study.db", make=True)
    yield opened
    opened.close()


def test_no_gain_above_noise_among_the_last_is_flat_and_one_gain_is_not() -> None:
    level = [0.9, 0.91, 0.88, 0.92, 0.85]
    flat = find_flat([*RISE, *level], 5, images=IMAGES)
    assert flat is not None and (flat.before, flat.best, flat.repeats) == (0.9, 0.92, 0)
    assert flat.noise == pytest.approx(math.sqrt(0.9 * 0.1 / IMAGES)) and find_flat([*RISE, *level], 6, images=IMAGES) is None
    for place in range(5):
        gaining = [value if index != place else 0.94 for index, value in enumerate(level)]
        assert find_flat([*RISE, *gaining], 5, images=IMAGES) is None, "0.04 more than 0.9 is above the noise"
    assert find_flat([*RISE, *level], 5, images=100 * IMAGES) is None, "on more images 0.02 is no noise"
    pruned = find_flat([*RISE, None, 0.9, None, None, 0.8], 5, images=IMAGES)
    assert pruned is not None and pruned.best == 0.9, "pruned ones used their place"
    none = find_flat([*RISE, *[None] * 5], 5, images=IMAGES)
    assert none is not None and none.best is None
    assert find_flat([None] * 20, 5, images=IMAGES) is None and find_flat(RISE[-1:] * 5, 5, images=IMAGES) is None, "nothing before them"
    assert find_flat([*RISE, *level], 5, images=IMAGES, passed=7) is None and find_flat([*RISE, *level], 5, images=IMAGES, passed=6)


def test_where_less_is_better_a_smaller_value_is_the_gain() -> None:
    falling, level = [2.0, 1.5, 1.2, 1.0], [1.1, 1.0, 1.3, None, 1.05]
    flat = find_flat([*falling, *level], 5, images=None, minimized=True)
    assert flat is not None and (flat.before, flat.best, flat.noise) == (1.0, 1.0, 0.0)
    assert find_flat([*falling, *level[:-1], 0.95], 5, images=None, minimized=True) is None
    assert find_flat([*falling, *level[:-1], 0.95], 5, images=None, repeated=[[1.0, 1.2]], minimized=True) is not None, "0.05 is noise"


def test_searches_that_cannot_gain_are_found_flat_and_those_that_gain_are_not() -> None:
    """Twenty searches of each kind: accuracies counted on 400 images, from a level, and from one that rises by 2 points a trial."""

    def search(seed: int, slope: float) -> list[float | None]:
        draw = random.Random(seed)
        truths = [min(0.99, 0.4 + 0.1 * n) if n < 4 else min(0.99, 0.8 + slope * (n - 4)) for n in range(14)]
        return [sum(draw.random() < truth for _ in range(400)) / 400 for truth in truths]

    level = [find_flat(search(seed, 0.0), 5, images=400) is not None for seed in range(20)]
    rising = [find_flat(search(seed, 0.02)[:12], 5, images=400) is not None for seed in range(20)]
    assert sum(level) >= 14 and not any(rising)


def test_repeated_trainings_give_the_noise_and_few_of_them_are_not_believed_alone() -> None:
    binomial = math.sqrt(0.9 * 0.1 / 400)
    assert measure_noise(0.9, 400, []) == (pytest.approx(binomial), 0)
    many = [[0.9 + 0.05 * (-1) ** n for n in range(40)], [0.8 + 0.05 * (-1) ** n for n in range(40)]]
    noise, freedom = measure_noise(0.9, 400, many)
    assert freedom == 78 and noise == pytest.approx(0.05, rel=0.03)
    equal, freedom = measure_noise(0.9, 400, [[0.9, 0.9]])
    assert freedom == 1 and equal == pytest.approx(binomial * math.sqrt(3 / 4)), "two that agree by chance"
    assert measure_noise(0.9, None, [[0.8, 0.9]])[0] == pytest.approx(math.sqrt(0.005)) and measure_noise(0.9, None, []) == (0.0, 0)


def search(study: Study, values: Sequence[float | None], worker: WorkerId | None = None) -> int:
    """Give each new trial the next value, None for a failure, until none is begun any more. How many were begun."""
    begun = 0
    while isinstance(lease := study.leases.claim(worker or WorkerId.here(), study.new_trial), Lease):
        value = values[lease.number]
        if value is None:
            study.leases.finish(lease, lambda number=lease.number: study.optuna_study().tell(number, state=TrialState.FAIL))
        else:
            finish(study, lease, value)
        begun += 1
    return begun


def test_a_flat_study_ends_for_every_search_and_goes_on_with_more_patience_or_a_larger_total(storage: Storage) -> None:
    values = [*RISE, *[0.9] * 60]
    study = create_or_load(storage, "s", config(pruner="none"), "f", trials=50, val_images=IMAGES)
    study.leases.set_rules(patience=5, images=study.val_images)
    assert search(study, values) == 11, "six that rise, and five that do not"
    counts = study.leases.counts()
    assert counts.ended is not None and counts.ended.cause is Cause.FLAT and is_over(counts)
    assert tell_end(study, counts) == (
        "Search ended, the last 5 trials brought no gain above noise: best 0.9000 before them, 0.9000 among them, noise 0.0300 "
        "(the binomial error on 100 validation images): 11 of 50 trials finished. "
        "To go on: tuner search s with --more 10, or a larger --stop-when-flat"
    )
    other = load(storage, "s")  # as another machine's worker, which was given no rule
    assert search(other, values) == 0 and other.leases.counts().ended == counts.ended
    again = create_or_load(storage, "s", study.config, "f", trials=50)
    again.leases.set_rules(patience=5, images=IMAGES)
    assert search(again, values) == 0, "the same command again"
    again.leases.set_rules(patience=8, images=IMAGES)
    assert search(again, values) == 3 and again.leases.counts().finished == 14
    more = create_or_load(storage, "s", study.config, "f", more=10)
    assert more.leases.counts().ended is None and search(more, values) == 8, "after a larger total the last 8 begin anew"
    more.leases.set_rules(patience=0)
    assert search(more, values) == 60 - 22 and more.leases.counts().finished == 60, "without the rule up to its total"


def test_a_study_that_still_gains_reaches_its_total(sqlite: Storage) -> None:
    study = create_or_load(sqlite, "s", config(pruner="none"), "f", trials=12, val_images=IMAGES)
    study.leases.set_rules(patience=3, images=IMAGES)
    assert search(study, [0.3 + 0.05 * n for n in range(12)]) == 12
    counts = study.leases.counts()
    assert counts.ended is None and counts.finished == 12


def test_what_failed_does_not_count_and_what_is_in_training_goes_on(sqlite: Storage) -> None:
    study = create_or_load(sqlite, "s", config(pruner="none"), "f", trials=50, val_images=IMAGES)
    study.leases.set_rules(patience=2, images=IMAGES)
    for value in (0.8, 0.8):
        finish(study, claim_one(study), value)
    running = claim_one(study)
    failed = claim_one(study)
    study.leases.finish(failed, lambda: study.optuna_study().tell(failed.number, state=TrialState.FAIL))
    finish(study, claim_one(study), 0.8)
    ended = study.leases.claim(WorkerId.here(), study.new_trial)
    assert isinstance(ended, NothingToClaim) and ended.held == 1 and not is_over(study.leases.counts())
    study.leases.requeue(running)
    again = claim_one(study)
    assert again.number == running.number
    finish(study, again, 0.9)
    assert isinstance(study.leases.claim(WorkerId.here(), study.new_trial), NothingToClaim) and is_over(study.leases.counts())


def test_configurations_trained_again_tell_the_noise(sqlite: Storage) -> None:
    """Four pairs that differ by 10 points: a gain of 5 is noise then, on however many images."""
    rows: list[dict[str, Any]] = [{"lr": 0.01, "batch_size": 8}] * 2 + [{"lr": 0.02, "batch_size": 8}] * 2
    study = create_or_load(sqlite, "s", config(pruner="none", start=rows), "f", trials=50, val_images=10**6)
    study.leases.set_rules(patience=2, images=10**6)
    leases = [claim_one(study) for _ in range(4)]
    for lease in leases:
        LeasedTrial(study, lease).configure(threads=1, precision="fp32")
    for lease, value in zip(leases, (0.7, 0.8, 0.83, 0.73), strict=True):
        finish(study, lease, value)
    assert isinstance(study.leases.claim(WorkerId.here(), study.new_trial), NothingToClaim)
    ended = study.leases.counts().ended
    assert ended is not None and ended.figures["repeats"] == 2 and "trained more than once" in ended.describe()


def test_where_trials_pause_the_race_still_happens_and_nothing_is_left_waiting(sqlite: Storage) -> None:
    good = [[0.5 + 0.05 * epoch for epoch in range(1, EPOCHS + 1)]]
    flat = [*good, *[[round(each - 0.001 * (n % 3), 4) for each in good[0]] for n in range(40)]]
    study = make(sqlite, 40)
    assert isinstance(study.leases, PausingLeases)
    study.leases.set_rules(patience=6, images=200)
    done: list[str] = []
    while isinstance(lease := study.leases.claim(WorkerId.here(), study.new_trial), Lease):
        if lease.taken == "race":
            assert not study.leases.read_standing().is_racing(40, ("race",)), "who goes on to 40 has had no race"
        done += train(study, lease, flat[lease.number])
    counts = study.leases.counts()
    assert counts.ended is not None and counts.ended.cause is Cause.FLAT and is_over(counts)
    assert set(states(study)) == {"COMPLETE", "PRUNED"} and 7 <= len(states(study)) < 30 and counts.finished == len(states(study))
    assert any(step.endswith(f".{EPOCHS}") for step in done), "one was trained to its end"
    more = create_or_load(sqlite, "s", study.config, "f", trials=60)
    lease = more.leases.claim(WorkerId.here(), more.new_trial)
    assert isinstance(lease, Lease) and lease.number == len(states(study)) - 1 and not lease.resumed


def test_trials_that_pause_and_promise_a_gain_keep_a_study_going(sqlite: Storage) -> None:
    """Each trial is better than the one before by more than noise, from its first epoch on."""
    rising = [[min(0.99, 0.1 + 0.05 * n + 0.01 * epoch) for epoch in range(1, EPOCHS + 1)] for n in range(14)]
    study = make(sqlite, 14)
    study.leases.set_rules(patience=4, images=5000)
    play(study, rising)
    assert study.leases.counts().ended is None and len(states(study)) == 14


def test_the_report_says_in_each_language_why_the_study_ended() -> None:
    counted = {"patience": 5, "before": 0.9, "best": 0.91, "noise": 0.03, "repeats": 0, "images": 100}
    flat, budget = Ended(cause=Cause.FLAT, figures=counted), Ended(cause=Cause.BUDGET, figures={"budget": 7200.0, "spent": 7000.0})
    assert tell_reported(None, ENGLISH) == []
    assert tell_reported(flat, ENGLISH) == [
        "The search was ended because its last 5 trials brought no gain above noise: the best before them had 90.00 %, the best among "
        "them 91.00 %, and the noise is 3.00 points (the binomial error on 100 validation images)."
    ]
    repeated = Ended(cause=Cause.FLAT, figures=counted | {"best": None, "repeats": 4})
    assert "and none of them was trained to its end" in tell_reported(repeated, ENGLISH)[0]
    assert "2 h 00 min of training are spent" in tell_reported(budget, ENGLISH)[0] and "1 h 57 min of" in tell_reported(budget, ENGLISH)[0]
    for ended, figures in ((flat, ("5개", "90.00 %", "91.00 %", "3.00%p", "100장")), (budget, ("2시간 00분", "1시간 57분"))):
        [said] = tell_reported(ended, KOREAN)
        assert all(figure in said for figure in figures) and not re.search("[a-z]{3,}", said)
