"""`tuner best --confirm`: what is trained again, what is said of it, and that an interruption changes nothing."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from optuna.trial import TrialState

from tests import confirmed, fabricated
from tests.conftest import Background
from tests.test_languages import list_texts
from tuner.commands import main
from tuner.commands.completion import _list_stored
from tuner.config.trial_config import TrialConfig, read_config
from tuner.console.confirmed import collect_confirmation, tell_verdict
from tuner.dashboard.notes import write_study_note
from tuner.data import load as load_images
from tuner.data.parts import Parts
from tuner.errors import UsageError
from tuner.report.confirmed import write_confirmation
from tuner.report.language import Language
from tuner.report.languages.confirmation import ENGLISH, KOREAN
from tuner.report.languages.en import ENGLISH as ENGLISH_WORDS
from tuner.report.languages.ko import KOREAN as KOREAN_WORDS
from tuner.report.page import make_report
from tuner.study.confirmation import begin, choose_contestants, find_confirmation, find_result, read_result
from tuner.study.contestants import Plan
from tuner.study.lease import Lease, NothingToClaim
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, find_last_searched, list_studies, list_unfinished, load
from tuner.study.study import Study
from tuner.study.trials import find_best, list_trials
from tuner.study.worker_id import WorkerId
from tuner.training.run import Run

Start = Callable[..., Background]
PLAIN: dict[str, Any] = {
    "data": "digits",
    "pruner": "none",
    "value": "best",
    "start": [{"lr": 0.05, "batch_size": 16}],
    "space": {"lr": {"low": 1e-4, "high": 1e-1, "log": True}, "epochs": {"low": 2, "high": 8}, "batch_size": 8},
}


def make(storage: Storage, accuracies: list[float], plain: dict[str, Any] = PLAIN, start: int | None = 0) -> Study:
    """A study whose trials ended with these accuracies; the trial `start` was its start row."""
    study = fabricated.study(storage, plain, trials=len(accuracies), images=5000)
    rows = []
    for number, accuracy in enumerate(accuracies):
        values = {"lr": 0.05, "batch_size": 16, "epochs": 4} if number == start else {"lr": 0.001 * (number + 1), "epochs": 2 + number}
        rows.append(fabricated.trial(study, values, [0.1, accuracy], number=number, start=0 if number == start else None))
    fabricated.add(study, rows)
    return study


# Three that cannot be told apart, and what one had before, two points below.
VALUES = {
    3: [0.911, 0.915, 0.905, 0.912, 0.909],
    1: [0.909, 0.916, 0.906, 0.911, 0.908],
    2: [0.911, 0.914, 0.904, 0.912, 0.907],
    0: [0.890, 0.894, 0.886, 0.890, 0.889],
}


def run(*args: str, code: int = 0) -> str:
    """What a command says, on both streams."""
    done = CliRunner().invoke(main, [*args, "--storage", "sqlite:///study.db"], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def read(*args: str) -> Any:
    """What a command prints for machines."""
    done = CliRunner().invoke(main, [*args, "--json", "--storage", "sqlite:///study.db"], catch_exceptions=False)
    return json.loads(done.stdout)


@pytest.fixture
def sqlite(tmp_path: Path) -> Any:
    opened = Storage(f"sqlite:///{tmp_path}/study.db", make=True)
    yield opened
    opened.close()


def test_the_best_and_the_first_start_row_are_trained_as_they_were_but_for_the_seeds(storage: Storage) -> None:
    study = make(storage, [0.5, 0.93, 0.92, 0.94, 0.6])
    chosen = choose_contestants(study, 3)
    assert [(each.trial, each.start) for each in chosen] == [(3, False), (1, False), (2, False), (0, True)]
    made = begin(study, Plan(contestants=chosen, seeds=2, train=90, validation=10))
    worker = WorkerId.here()
    trained = []
    while isinstance(lease := made.leases.claim(worker, made.new_trial), Lease):
        [facts] = made.read_facts([storage.optuna.get_trial(lease.trial_id)], "set", "config")
        trained.append((facts["set"]["trial"], facts["set"]["seed"], TrialConfig.from_dict(facts["config"])))
    assert lease == NothingToClaim(held=8, full=True)
    assert [(trial, seed) for trial, seed, _ in trained] == [(3, 1), (1, 1), (2, 1), (0, 1), (3, 2), (1, 2), (2, 2), (0, 2)]
    first = {row.number: row.config for row in list_trials(study)}
    for trial, _, config in trained:
        assert config.same_but_for(first[trial], "seed", "data") and config.value == "best"  # type: ignore[arg-type]
        assert config.data.seed not in (study.config.seed, config.seed) and config.data.source == "digits"
    seeds = [{(config.seed, config.data.seed) for _, at, config in trained if at == seed} for seed in (1, 2)]
    assert [len(each) for each in seeds] == [1, 1], "all contestants share them"
    assert not seeds[0] & seeds[1] and all(row.config.seed not in {s for s, _ in seeds[0] | seeds[1]} for row in list_trials(study))  # type: ignore[union-attr]


def test_a_failed_training_is_made_again_and_no_other_is(storage: Storage) -> None:
    study = make(storage, [0.5, 0.9])
    made = begin(study, Plan(contestants=choose_contestants(study, 1), seeds=2, train=90, validation=10))
    leases = [made.leases.claim(WorkerId.here(), made.new_trial) for _ in range(4)]
    lost = leases[1]
    assert isinstance(lost, Lease)
    storage.optuna.set_trial_state_values(lost.trial_id, TrialState.FAIL)
    for lease in leases:
        if isinstance(lease, Lease) and lease is not lost:
            storage.optuna.set_trial_state_values(lease.trial_id, TrialState.COMPLETE, [0.9])
    assert read_result(made) is None, "one is lacking"
    again = made.leases.claim(WorkerId.here(), made.new_trial)
    assert isinstance(again, Lease)
    rows = [storage.optuna.get_trial(each.trial_id) for each in (lost, again)]
    before, after = made.read_facts(rows, "set", "config")
    assert before == after and isinstance(made.leases.claim(WorkerId.here(), made.new_trial), NothingToClaim)
    storage.optuna.set_trial_state_values(again.trial_id, TrialState.COMPLETE, [0.9])
    assert read_result(made) is not None


def test_a_start_row_among_the_best_stands_once_and_one_that_was_paused_is_trained_to_its_end(sqlite: Storage) -> None:
    study = make(sqlite, [0.95, 0.9, 0.8])
    assert [(each.trial, each.start) for each in choose_contestants(study, 2)] == [(0, True), (1, False)]
    later = fabricated.study(sqlite, PLAIN, name="later")
    paused = fabricated.trial(later, {"lr": 0.05, "batch_size": 16, "epochs": 8}, [0.4], state=TrialState.PRUNED, start=0)
    fabricated.add(later, [paused, fabricated.trial(later, {"lr": 0.002, "epochs": 3}, [0.9], number=1)])
    [best, start] = choose_contestants(later, 3)
    assert (best.trial, start.trial, start.start, start.config.epochs) == (1, 0, True, 8)
    failed = fabricated.study(sqlite, PLAIN, name="failed")
    lost = fabricated.trial(failed, {"lr": 0.05, "batch_size": 16, "epochs": 8}, [], state=TrialState.FAIL, start=0)
    fabricated.add(failed, [lost, fabricated.trial(failed, {"lr": 0.002, "epochs": 3}, [0.9], number=1)])
    assert [each.trial for each in choose_contestants(failed, 3)] == [1], "it would fail again, and end the confirmation"


def test_contestants_and_seeds_are_only_ever_added(sqlite: Storage) -> None:
    study = make(sqlite, [0.5, 0.93, 0.92, 0.94])
    first = Plan(contestants=choose_contestants(study, 1), seeds=3, train=90, validation=10)
    more = first.merge(Plan(contestants=choose_contestants(study, 3), seeds=2, train=90, validation=10))
    assert [each.trial for each in more.contestants] == [3, 0, 1, 2] and more.seeds == 3
    assert more.merge(first) == more and Plan.from_dict(json.loads(json.dumps(more.to_dict()))) == more
    assert set(first.places) < set(more.places)
    for trial, seed in first.places:
        assert more.configure(7, trial, seed) == first.configure(7, trial, seed)
    made = begin(study, first)
    assert begin(study, more).leases.counts().n_trials == 12 and begin(study, more).uid == made.uid


def test_a_confirmation_is_none_of_the_studies_and_goes_with_its_own(sqlite: Storage, tmp_path: Path) -> None:
    study = make(sqlite, [0.5, 0.93, 0.92, 0.94])
    made = confirmed.confirm(study, 3, VALUES, left=2)
    assert made.name == "made.confirmation" and list_studies(sqlite) == ["made"] and find_last_searched(sqlite) == "made"
    assert [(each.name, each.of) for each in list_unfinished(sqlite)] == [("made.confirmation", "made")]
    assert study.leases.counts().finished == 4 and made.leases.counts().finished == 18
    assert _list_stored("sqlite:///study.db") == ["made"]
    assert re.search("confirmation +18 of 20 ", run("studies")) and read("studies")[0]["confirmation_trials"] == 20
    assert "Its confirmation is not finished: 18 of 20 trainings." in run("show", "made")
    made.files.folder.mkdir(parents=True)
    (made.files.folder / "trial-00000.json").write_text(json.dumps({"study": made.uid}))
    run("delete", "made", "--yes")
    assert sqlite.optuna.get_all_studies() == [] and not made.files.folder.exists()


def test_a_name_that_is_taken_or_too_long_is_another_one(sqlite: Storage) -> None:
    study = make(sqlite, [0.5, 0.9])
    fabricated.study(sqlite, PLAIN, name="made.confirmation")
    made = confirmed.confirm(study, 1, {1: [0.9, 0.9], 0: [0.8, 0.8]})
    assert made.name == f"made-{study.uid[:8]}.confirmation" and list_studies(sqlite) == ["made", "made.confirmation"]
    long = fabricated.study(sqlite, PLAIN, name="n" * 195)
    fabricated.add(long, [fabricated.trial(long, {"lr": 0.01, "epochs": 2}, [0.9])])
    assert find_confirmation(confirmed.confirm(long, 1, {0: [0.9, 0.9]})) is None
    assert find_confirmation(long) is not None


def test_the_verdict_says_who_is_better_and_who_cannot_be_told_apart(sqlite: Storage) -> None:
    study = make(sqlite, [0.5, 0.93, 0.92, 0.94])
    confirmed.confirm(study, 3, VALUES, parameters={0: 900, 1: 1000, 2: 480, 3: 990})
    found = find_result(study)
    assert found is not None and (found.winner, found.start) == (3, 0)
    assert tell_verdict(found) == (
        "Trial 3 is better than the start row (trial 0) by 2.06 ± 0.23 points; trials 3, 1 and 2 cannot be told apart; "
        "trial 2 has 48 % of the parameters of trial 3."
    )


@pytest.mark.parametrize(
    "values,said",
    [
        ({1: [0.9, 0.91], 0: [0.9, 0.91]}, "The start row (trial 0) and trial 1 cannot be told apart."),
        ({1: [0.90, 0.91], 0: [0.80, 0.811]}, "Trial 1 is better than the start row (trial 0) by 9.95 ± 0.70 points."),
        ({1: [0.90, 0.81], 0: [0.80, 0.811]}, "Trial 1 and the start row (trial 0) cannot be told apart (4.95 ± 70.94 points)."),
        ({1: [0.80, 0.811], 0: [0.90, 0.91]}, "The start row (trial 0) is better than trial 1 by 9.95 ± 0.70 points."),
        (
            {1: [0.9, 0.91], 0: [None, 0.91]},
            "There is nothing to compare trial 1 with; the start row (trial 0) is left out: 1 of its 2 trainings diverged.",
        ),
    ],
)
def test_every_kind_of_verdict(sqlite: Storage, values: dict[int, list[float | None]], said: str) -> None:
    study = make(sqlite, [0.5, 0.93])
    result = read_result(confirmed.confirm(study, 1, values))
    assert result is not None and tell_verdict(result) == said


def test_machines_are_told_the_same(sqlite: Storage) -> None:
    study = make(sqlite, [0.5, 0.93, 0.92, 0.94])
    confirmed.confirm(study, 3, {**VALUES, 2: [0.911, None, 0.904, 0.912, 0.907]})
    facts = read("best", "made")
    assert facts["number"] == 3 and facts["confirmation"] == json.loads(json.dumps(collect_confirmation(study)))
    told = facts["confirmation"]
    assert [(each["number"], each["mean"], each["left_out"]) for each in told["trials"]] == [
        (3, pytest.approx(0.9104), []),
        (1, pytest.approx(0.91), []),
        (0, pytest.approx(0.8898), []),
        (2, None, ["diverged"]),
    ]
    assert [(each["first"], each["second"], each["told_apart"]) for each in told["differences"]] == [
        (3, 1, False),
        (3, 0, True),
        (1, 0, True),
    ]
    assert told["differences"][1]["interval"] == pytest.approx([0.0206 - 0.0020, 0.0206 + 0.0020], abs=1e-4)


def test_the_confirmed_winner_is_exported_and_a_later_better_trial_is_named(sqlite: Storage) -> None:
    study = make(sqlite, [0.5, 0.93, 0.92, 0.94])
    confirmed.confirm(study, 3, {**VALUES, 1: [value + 0.001 for value in VALUES[1]]})
    said = run("best", "made", "--export", "config.yaml")
    config, origin, _ = read_config(Path("config.yaml"))
    assert origin["trial"] == 1 and config == list_trials(study)[1].config
    assert "trial 1 is the confirmed best of study made: the highest mean over 5 further seeds, though 2 more cannot be told apart" in said
    assert "Confirmed on 5 further seeds: Trial 1 is better than the start row (trial 0)" in said
    assert "not among those confirmed" not in said
    run("best", "made", "--trial", "3", "--export", "other.yaml")
    assert read_config(Path("other.yaml"))[1]["trial"] == 3
    fabricated.add(study, [fabricated.trial(study, {"lr": 0.07, "epochs": 3}, [0.1, 0.99], number=9)])
    assert "trial 4, now the most accurate of the search, is not among those confirmed" in run("best", "made")


def test_the_report_and_the_note_carry_it_in_every_language(sqlite: Storage) -> None:
    study = make(sqlite, [0.5, 0.93, 0.92, 0.94])
    confirmed.confirm(study, 3, VALUES, left=1)
    assert tell_in_report(study, KOREAN_WORDS) == "새로운 시드로 확인한 결과 확인이 아직 끝나지 않았다: 학습 20번 중 19번."
    study = make_again(sqlite)
    result = find_result(study)
    assert result is not None and result.winner == 1
    verdict = tell_verdict(result)
    told = tell_in_report(study, KOREAN_WORDS)
    assert tell_verdict(result, KOREAN) in told and "발산" in told and not re.search("[a-z]{4}", told.replace("Nadeau, Bengio", ""))
    said = " ".join(" ".join(list_texts(make_report(study).walk())).split())
    assert tell_in_report(study, ENGLISH_WORDS) in said
    for part in (verdict, "Confirmed on further seeds", "corrected resampled t", "0 (start row)", "trial 1 - trial 0", "diverged"):
        assert part in said
    assert "--export config.yaml` writes for trial 1." in said
    note = write_study_note(study, list_trials(study), find_best(study)[0], 4)
    assert f"Confirmed on 3 further seeds: {verdict}" in note


def tell_in_report(study: Study, words: Language) -> str:
    return " ".join(" ".join(list_texts(iter(write_confirmation(study, words)))).split())


def make_again(storage: Storage) -> Study:
    study = fabricated.study(storage, PLAIN, name="again", images=5000)
    rows = [fabricated.trial(study, {"lr": 0.05, "batch_size": 16, "epochs": 4}, [0.5], start=0)]
    rows += [fabricated.trial(study, {"lr": 0.01 * n, "epochs": 3}, [0.9 + 0.01 * n], number=n) for n in (1, 2)]
    fabricated.add(study, rows)
    confirmed.confirm(study, 2, {2: [None, 0.9, 0.91], 1: [0.95, 0.94, 0.96], 0: [0.80, 0.79, 0.81]})
    return study


def test_every_language_has_all_of_its_sentences() -> None:
    assert KOREAN.keys() == ENGLISH.keys()


def test_options_that_do_not_go_together_are_a_line(sqlite: Storage) -> None:
    make(sqlite, [0.5, 0.9])
    for args, said in (
        (("--seeds", "3"), "--seeds is for training with --confirm"),
        (("--device", "cpu"), "--device is for training with --confirm"),
        (("--confirm", "2", "--trial", "1"), "--trial 1 and --confirm 2 say two things"),
    ):
        assert said in run("best", "made", *args, code=2)
    assert "is not what study 'made' was made with" in run("best", "made", "--confirm", "1", "--device", "cpu", code=1)
    assert list_studies(sqlite) == ["made"] and len(sqlite.optuna.get_all_studies()) == 1


def test_a_network_whose_file_was_changed_is_not_confirmed_as_if_it_was_the_same(sqlite: Storage) -> None:
    study = make(sqlite, [0.5, 0.9])
    create_or_load(sqlite, "made", study.config, study.data)
    changed = load(sqlite, "made")
    object.__setattr__(changed.config, "code", {"mynet": "a" * 64})
    with pytest.raises(UsageError, match="trial 1 of study 'made' was trained with another file of mynet"):
        choose_contestants(changed, 1)


def test_parts_of_another_seed_hold_out_others_of_the_same_images() -> None:
    config = TrialConfig(data=fabricated.StudyConfig.from_dict(PLAIN).data).data
    parts = Parts(load_images(config), config, "cpu")
    other = parts.split_by(1)
    assert parts.split_by(config.seed) is parts and parts.split_by(1) is other
    assert (len(parts.train("none")), len(parts.val())) == (len(other.train("none")), len(other.val()))
    assert set(parts._val) != set(other._val) and set(parts._val) | set(parts._train) == set(other._val) | set(other._train)


def test_it_is_interrupted_helped_and_added_to_and_each_training_is_what_it_would_have_been(
    background: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNER_SELF_CHECK", "0")
    storage = Storage("sqlite:///study.db", make=True)
    plain = {"data": "digits", "train_images": 80, "image_size": 8, "width": 0.0625, "validation": 0.2, "pruner": "none"}
    plain |= {"space": {"lr": [0.02, 0.05], "batch_size": 32, "epochs": [1, 6]}, "start": [{"lr": 0.05, "epochs": 1}]}
    images = load_images(fabricated.StudyConfig.from_dict(plain).data)
    study = fabricated.study(storage, plain, data=images.fingerprint, trials=2, images=20)
    before = fabricated.trial(study, {"lr": 0.05, "batch_size": 32, "epochs": 1}, [0.3], start=0)
    fabricated.add(study, [before, fabricated.trial(study, {"lr": 0.02, "batch_size": 32, "epochs": 6}, [0.1] * 5 + [0.9], number=1)])
    how = ("--device", "cpu", "--workers", "1")
    begun = background("best", "made", "--confirm", "1", "--seeds", "3", *how, "--storage", "sqlite:///study.db")
    begun.wait_for(r"trial 0 epoch 1/6")
    os.kill(begun.process.pid, signal.SIGINT)
    assert begun.end() == 130
    assert "0 of 6 trials finished, 1 back in the queue; the same command goes on" in begun.lines[-1]
    assert "Confirming trial 1 and the start row (trial 0) of study 'made'" in begun.lines[0]
    helped = run("worker", "made", *how)
    assert "joining the confirmation 'made.confirmation'" in helped and "trial 0 begins from epoch" in helped
    more = run("best", "made", "--confirm", "2", "--seeds", "4", *how)
    facts = read("best", "made")["confirmation"]
    assert (facts["n_trials"], facts["finished"], len(facts["trials"]), facts["seeds"]) == (8, 8, 2, 4)
    assert "8 trainings, 6 of them finished" in more and "trial 7 begins: configuration of trial 0 at seed 4" in more
    again = run("best", "made", "--confirm", "--device", "cpu"), run("best", "made", "--confirm", "1", "--seeds", "3")
    assert all(facts["verdict"] in said and "Confirming" not in said for said in again), "there is nothing left to train"
    made = find_confirmation(study)
    assert made is not None and not list(made.files.folder.glob("*.pt")), "weights that nobody needs are not kept"
    rows = list_trials(made)
    assert len(rows) == 8 and {row.state for row in rows} == {"COMPLETE"} and study.leases.counts().finished == 2
    for row in (rows[0], rows[-1]):  # the one that was interrupted, and one that was added
        assert row.config is not None
        parts = Parts(images, row.config.data, "cpu")
        straight = Run(row.config, parts.train(row.config.augment), parts.val(), classes=parts.classes)
        figures = [(score.epoch, score.train_loss, score.val_loss, score.val_accuracy) for score in straight.epochs()]
        assert [(e["epoch"], e["train_loss"], e["val_loss"], e["val_accuracy"]) for e in row.epochs] == figures
    storage.close()
