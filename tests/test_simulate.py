"""Recorded curves replayed under several pruners."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.crossing import make_crossing
from tests import fabricated
from tests.conftest import Tuner
from tuner.errors import NothingToShow
from tuner.simulate.costs import Estimate, search_all, search_top
from tuner.simulate.own_curves import read_curves
from tuner.simulate.recording import Recording
from tuner.simulate.replay import replay
from tuner.simulate.rules import Nothing, find_rule
from tuner.simulate.run import Row, choose_best, simulate
from tuner.study.storage import Storage
from tuner.study.study import Study

EPOCHS = 9


def make_curves(count: int, *, seed: int = 0, crossing: bool = False) -> Recording:
    """Errors that fall towards an end of their own; crossing ones begin in the order that is the reverse of how they end."""
    rng = np.random.default_rng(seed)
    ends = rng.uniform(0.1, 0.6, count)
    begin = 0.9 + (0.5 * (0.35 - ends) if crossing else 0.1 * (ends - 0.35))
    part = np.linspace(0, 1, EPOCHS)
    return Recording(name="made", errors=begin[:, None] + (ends - begin)[:, None] * part**2)


def test_a_replay_trains_what_the_rule_says_and_counts_it() -> None:
    curves = make_curves(10)
    done = replay(curves, Nothing(), seed=0, trials=10)
    assert done.spent == 10 * EPOCHS and len(done.completions) == 10 and sorted(done.configurations) == list(range(10))
    assert [each.error for each in done.completions] == [float(curves.errors[row, -1]) for row in done.configurations]
    found = replay(curves, Nothing(), seed=0, target=float(curves.errors[:, -1].min()))
    assert found.completions[-1].error == curves.errors[:, -1].min() and found.spent == EPOCHS * len(found.completions)
    again = replay(curves, Nothing(), seed=0, trials=25)
    assert len(set(again.configurations[:20])) == 10 and len(again.configurations) == 25, "all were tried: they come again"


@pytest.mark.parametrize("workers", [1, 4])
def test_promote_finds_the_best_of_curves_that_keep_their_order_for_less(workers: int) -> None:
    curves = make_curves(30)
    make = find_rule("promote")
    budget = search_all(curves, make, seeds=range(5), workers=workers, trials=30)
    assert budget.share.mean < 0.6 and budget.points.mean == 0
    none = search_all(curves, find_rule("none"), seeds=range(5), workers=workers, trials=30)
    assert (none.share.mean, none.points.mean) == (1, 0)


def test_where_early_ranks_mislead_promote_loses_less_than_successive_halving() -> None:
    curves = make_curves(40, crossing=True)
    promote, halving = (
        search_all(curves, find_rule(name), seeds=range(5), workers=1, trials=40).points.mean for name in ("promote", "sha")
    )
    assert promote < halving


def test_where_early_ranks_say_nothing_the_race_goes_on_for_what_the_audit_found() -> None:
    def lose(agreement: float, audit: float) -> tuple[float, float]:
        found = search_all(make_crossing(agreement), find_rule("promote", {"audit": audit}), seeds=range(8), workers=1, trials=50)
        return found.points.mean, found.share.mean

    (blind, blind_share), (seeing, seeing_share) = lose(0.0, 0.0), lose(0.0, 0.05)
    assert seeing < blind / 3 and seeing_share > blind_share + 0.1
    points, share = lose(0.9, 0.05)
    assert points < 0.1 and share < 0.35, "where they say much, it hardly costs anything"


def test_a_search_that_never_finds_a_top_one_is_counted_as_missed() -> None:
    curves = make_curves(40, crossing=True)
    halving = search_top(curves, find_rule("sha"), seeds=range(4), workers=1)
    none = search_top(curves, find_rule("none"), seeds=range(4), workers=1)
    assert none.missed == 0 and halving.missed > 0 and (halving.trainings <= 60).all()
    assert halving.relative_to(none).mean > 1


def make_study(folder: Path, curves: Sequence[Sequence[float]], *, pruner: str = "none", images: int | None = None) -> Study:
    storage = Storage(f"sqlite:///{folder}/tuner.db", make=True)
    plain = {"data": "digits", "pruner": pruner, "space": {"lr": {"low": 1e-4, "high": 1e-1, "log": True}, "epochs": EPOCHS}}
    study = fabricated.study(storage, plain, trials=len(curves), images=images)
    trials = [fabricated.trial(study, {"lr": 0.001 + 0.001 * n, "epochs": EPOCHS}, curve, number=n) for n, curve in enumerate(curves)]
    fabricated.add(study, trials)
    return study


def test_a_study_s_own_curves_are_those_that_were_trained_to_their_end(tmp_path: Path) -> None:
    accuracies = (1 - make_curves(25).errors).tolist()
    study = make_study(tmp_path, [*accuracies, accuracies[0][:4]])
    assert np.allclose(read_curves(study).errors, 1 - np.array(accuracies))


def test_too_few_curves_are_said_with_the_remedy(tmp_path: Path) -> None:
    study = make_study(tmp_path, (1 - make_curves(19).errors).tolist())
    with pytest.raises(NothingToShow, match=r"study 'made' has 19 trials of all 9 epochs, and 20 .* are wanted: search on"):
        read_curves(study)


def test_a_replay_heeds_how_few_images_judge_as_the_search_itself_does(tmp_path: Path) -> None:
    """What 20 images cannot tell apart is let go on, so that more is trained than where 100,000 judge."""
    shares = []
    for images in (100_000, 20):
        (tmp_path / str(images)).mkdir()
        study = make_study(tmp_path / str(images), (1 - make_curves(30).errors).tolist(), images=images)
        none, promote = simulate(study, pruners=["promote"], workers=[1], seeds=4, say=print)
        assert none.share.mean == 1
        shares.append(promote.share.mean)
    assert shares[1] > shares[0] + 0.05


def test_the_command_judges_a_study_in_a_table_a_sentence_and_a_picture(tmp_path: Path, tuner: Tuner) -> None:
    make_study(tmp_path, (1 - make_curves(24).errors).tolist())
    where = ("--storage", f"sqlite:///{tmp_path}/tuner.db", "--seeds", "4")
    done = tuner("simulate", "made", *where, "--picture", "costs.png")
    assert re.search(r"for a study like this \w+ would have cost 0\.\d+ \(0", done.stdout) and "replaying made under promote" in done.stderr
    assert (tmp_path / "costs.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads(tuner("simulate", "made", *where, "--json", "--pruner", "promote", "--workers", "1", "--workers", "4").stdout)
    assert [(row["pruner"], row["workers"]) for row in told["rows"]] == [("none", 1), ("promote", 1), ("none", 4), ("promote", 4)]
    assert told["rows"][0]["share"] == [1, 1, 1] and 0 < told["rows"][1]["share"][0] < 1
    assert told["rows"][0]["cost_to_top"] is None, "of 24 curves the best 2 % are none"


def test_a_pruner_that_loses_much_is_not_named_for_being_cheap() -> None:
    def make_row(pruner: str, share: float, points: float) -> Row:
        def exact(value: float) -> Estimate:
            return Estimate(mean=value, low=value, high=value)

        return Row(curves="made", pruner=pruner, workers=1, top=None, missed=None, share=exact(share), points=exact(points))

    sha, median, promote, cheaper = (
        make_row("sha", 0.28, 3.72),
        make_row("median", 0.48, 0.53),
        make_row("promote", 0.5, 0.14),
        make_row("promote", 0.45, 0.09),
    )
    assert choose_best([sha, median, promote]) is promote
    assert choose_best([make_row("hyperband", 0.5, 0.0), cheaper, sha]) is cheaper


def test_what_a_pruner_chose_is_said_to_be_a_selection(tmp_path: Path, tuner: Tuner) -> None:
    make_study(tmp_path, (1 - make_curves(24).errors).tolist(), pruner="median")
    done = tuner("simulate", "made", "--storage", f"sqlite:///{tmp_path}/tuner.db", "--seeds", "2")
    assert "which median chose: of all that were begun they are the better" in done.stdout.replace("\n", " ")


def test_recorded_sets_are_replayed_where_no_study_is_named(tuner: Tuner) -> None:
    rows = simulate(None, pruners=["promote"], workers=[1], seeds=2, say=lambda line: None, recordings=[make_curves(60)])
    none, promote = rows
    assert none.top is not None and none.top.mean == 1 and promote.top is not None and promote.top.mean < 1
    done = tuner("simulate", "--seeds", "2", "--pruner", "promote", "--no-progress")
    assert "promote costs 0." in done.stdout and done.stderr == ""
