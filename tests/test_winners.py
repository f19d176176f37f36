"""How sure it is which trial is the best: intervals, what cannot be told apart, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from tests import fabricated
from tuner.commands import main
from tuner.config.study_files import find_shipped_folder
from tuner.console.winners import describe_best
from tuner.dashboard.notes import write_study_note
from tuner.report.blocks import Paragraph
from tuner.report.handmade import compare_with_handmade
from tuner.report.journal import list_attempts, tell
from tuner.report.languages.en import ENGLISH
from tuner.report.page import make_report
from tuner.study.certainty import Certainty, can_tell_apart, find_interval, find_least_tied, measure_certainty
from tuner.study.storage import Storage
from tuner.study.study import Study
from tuner.study.trials import find_best, list_trials

PLAIN = {"data": "digits", "pruner": "none", "space": {"lr": {"low": 1e-4, "high": 1e-1, "log": True}}}


def make(folder: Path, accuracies: list[float], images: int | None, plain: dict[str, Any] = PLAIN) -> Study:
    """A study whose trials ended with these accuracies."""
    study = fabricated.study(Storage(f"sqlite:///{folder}/s.db", make=True), plain, images=images)
    rows = [fabricated.trial(study, {"lr": 0.001 * (k + 1)}, [0.1, each], number=k) for k, each in enumerate(accuracies)]
    fabricated.add(study, rows)
    return study


def run(*args: str) -> str:
    done = CliRunner().invoke(main, [*args, "--storage", "sqlite:///s.db"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_twenty_images_tell_few_networks_apart() -> None:
    # Fisher's exact test of 18 and 13 hits of 20 each: p = 0.13; of 18 and 11: p = 0.03.
    assert not can_tell_apart(18, 13, 20) and can_tell_apart(18, 11, 20)
    assert find_least_tied(18, 20) == 12 and find_least_tied(20, 20) == 16


def test_the_interval_is_wilsons() -> None:
    assert find_interval(18, 20) == pytest.approx((0.6990, 0.9721), abs=1e-4)


def test_what_cannot_be_told_apart_from_the_best_is_named(tmp_path: Path) -> None:
    study = make(tmp_path, [0.3, 0.85, 0.9, 0.6, 0.55], 20)
    found = measure_certainty(study)
    assert found == Certainty(
        number=2, value=0.9, images=20, low=pytest.approx(0.699, abs=1e-3), high=pytest.approx(0.972, abs=1e-3),
        gap=pytest.approx(0.35), tied=(1, 3), others=4,
    )  # fmt: skip
    assert describe_best(study) == [
        "Trial 2: 0.9000 on 20 validation images, 95 % interval 0.6990 to 0.9721.",
        "It cannot be told apart from trials 1 and 3 of 4 others (Fisher's exact test at 5 %).",
        "A trial's value is the validation accuracy of its last epoch.",
    ]
    middle = measure_certainty(study, 3)
    assert middle is not None and middle.tied == (2, 1, 4, 0), "a trial that is not the best may be tied with better ones too"


def test_on_five_thousand_images_the_same_differences_are_real(tmp_path: Path) -> None:
    found = measure_certainty(make(tmp_path, [0.3, 0.85, 0.9, 0.895], 5000))
    assert found is not None and found.tied == (3,) and found.gap == pytest.approx(0.0122, abs=2e-4)


def test_best_and_show_say_it_to_people_and_machines(tmp_path: Path) -> None:
    make(tmp_path, [0.3, 0.85, 0.9], 20)
    best, shown = run("best", "made"), run("show", "made")
    assert "0.9000  0.6990-0.9721" in best
    for text in (best, shown):
        assert "It cannot be told apart from trial 1 of 2 others" in text and "of its last epoch" in text
    assert [line.split()[:2] for line in shown.splitlines() if "~" in line] == [["1", "~"], ["~", "cannot"]]
    facts = json.loads(run("best", "made", "--json"))
    assert facts["val_images"] == 20 and facts["val_interval"] == pytest.approx([0.699, 0.9721], abs=1e-4)
    assert facts["cannot_tell_from"] == [1] and json.loads(run("show", "made", "--json"))["best_cannot_tell_from"] == [1]


def test_a_study_of_an_earlier_version_says_nothing_it_does_not_know(tmp_path: Path) -> None:
    study = make(tmp_path, [0.3, 0.9], None)
    assert measure_certainty(study) is None and describe_best(study) == []
    assert "interval" not in run("best", "made") and json.loads(run("best", "made", "--json"))["val_interval"] is None


def test_the_journal_calls_no_gain_sure_that_may_be_chance(tmp_path: Path) -> None:
    rows = list_trials(make(tmp_path, [0.5, 0.6, 0.95], 20))
    told = [tell(each, ENGLISH) for each in list_attempts(rows, 20)]
    assert told[1].endswith("It reached 60.00 %, 10.00 points more, which may be chance on 20 images: the new best.")
    assert told[2].endswith("It reached 95.00 %, 35.00 points more: the new best.")
    assert tell(list_attempts(rows, 5000)[1], ENGLISH).endswith("10.00 points more: the new best.")


def test_the_report_and_the_dashboards_note_say_it_too(tmp_path: Path) -> None:
    study = make(tmp_path, [0.3, 0.85, 0.9], 20)
    report = " ".join(block.text for block in make_report(study).blocks if isinstance(block, Paragraph))
    note = write_study_note(study, list_trials(study), find_best(study)[0], 3)
    assert "Counted on 20 validation images, that accuracy lies between 69.90 % and 97.21 %" in report
    assert "It cannot be told apart from trial 1, of 2 others" in report
    assert "Trial 2: 90.00 % on 20 validation images, 95 % interval 69.90 % to 97.21 %. It cannot be told apart from trial 1" in note
    for text in (report, note):
        assert "A trial's value is the validation accuracy of its last epoch." in text


def test_beside_the_journal_made_by_hand_stands_what_may_be_chance(tmp_path: Path) -> None:
    study = make(tmp_path, [0.3, 0.85, 0.9], 20, yaml.safe_load((find_shipped_folder() / "journal.yaml").read_text()))
    said = " ".join(block.text for block in compare_with_handmade(study, [], ENGLISH) if isinstance(block, Paragraph))
    assert "On 20 validation images a difference from the best of less than 35.00 points may be chance." in said
