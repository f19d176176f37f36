"""Recorded curves replayed: what is trained is counted, pruners decide as they do in a search, shipped curves are whole."""

from __future__ import annotations

import copy
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from tuner.config.pruners import PRUNERS
from tuner.config.study_config import StudyConfig
from tuner.errors import UsageError
from tuner.simulate.recording import Recording, load_shipped, read_recordings
from tuner.simulate.replay import replay
from tuner.simulate.rules import Promoting, Step, find_rule
from tuner.study.promotion import Promotion
from tuner.study.pruners import make_pruner

EPOCHS = 16


def record(configurations: int = 40, seed: int = 0) -> Recording:
    """Curves that fall, and cross."""
    rng = np.random.default_rng(seed)
    falls = np.sort(rng.random((configurations, EPOCHS)), axis=1)[:, ::-1]
    return Recording(name="made", errors=np.clip(falls + 0.05 * rng.random((configurations, EPOCHS)), 0, 1))


def test_without_a_pruner_every_trial_is_trained_to_its_end_once() -> None:
    curves = record()
    done = replay(curves, find_rule("none")(EPOCHS, 0), seed=0, trials=40)
    assert (done.spent, done.seconds, done.resumed) == (40 * EPOCHS, 40 * EPOCHS, 0)
    assert sorted(c.error for c in done.completions) == sorted(curves.errors[:, -1])
    assert [c.spent for c in done.completions] == [EPOCHS * n for n in range(1, 41)]


def test_it_ends_when_the_target_is_reached_or_the_budget_spent() -> None:
    curves = record()
    best = float(curves.errors[:, -1].min())
    hit = replay(curves, find_rule("none")(EPOCHS, 0), seed=1, target=best)
    assert hit.completions[-1].error == best and min(c.error for c in hit.completions[:-1]) > best
    assert replay(curves, find_rule("none")(EPOCHS, 0), seed=1, budget=100).spent == 100


def test_workers_are_never_idle_while_a_trial_may_begin_and_all_their_time_is_counted() -> None:
    curves = Recording(name="even", errors=record().errors, seconds=np.full(40, 2.0))
    done = replay(curves, find_rule("promote")(EPOCHS, 0), seed=0, workers=4, budget=400)
    assert done.seconds == 800.0
    assert done.wall == pytest.approx(200.0, abs=4)  # they begin within the first epoch


@pytest.mark.parametrize("name", [name for name, spec in PRUNERS.items() if spec.prunes and name != "promote"])
def test_optunas_pruners_decide_as_in_a_study_of_optunas(name: str) -> None:
    """The same reports, to the light study and to a real one in memory."""
    curves, pruned = record(60, seed=2), 0
    light = find_rule(name, {})(EPOCHS, 5)
    pruner = make_pruner(StudyConfig(pruner=(name, {}), fixed={"epochs": EPOCHS}))
    study = optuna.create_study(direction="minimize", study_name="replay 5", pruner=pruner)
    for number, curve in enumerate(curves.errors):
        trial, ended = study.ask(), False
        light.begin(number)
        for epoch, error in enumerate(curve[:-1], start=1):
            trial.report(error, epoch)
            ended = trial.should_prune()
            assert light.report(number, epoch, error) is (Step.STOP if ended else Step.GO), (number, epoch)
            if ended:
                pruned += 1
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        if not ended:
            trial.report(curve[-1], EPOCHS)
            study.tell(trial, curve[-1])
            light.complete(number, curve[-1])
    assert 10 < pruned < 60


def test_a_search_that_forgets_all_but_its_rows_before_every_choice_is_the_same() -> None:
    class Forgetful(Promoting):
        def choose(self, *, more: bool) -> int | None:
            fresh = Promoting(self.rule)
            fresh.best, fresh.final, fresh.paused = copy.deepcopy((self.best, self.final, self.paused))
            fresh.racing, fresh._audited = self.racing, set(self._audited)
            chosen = fresh.choose(more=more)
            self.paused, self.racing, self._audited = fresh.paused, fresh.racing, fresh._audited
            return chosen

    rule = Promotion(epochs=EPOCHS)
    once = replay(record(), Promoting(rule), seed=3, trials=40)
    assert replay(record(), Forgetful(rule), seed=3, trials=40) == once
    ended = [c.trial for c in once.completions]
    assert len(ended) == len(set(ended)) and once.spent < 40 * EPOCHS


def test_promoting_finds_the_best_of_curves_that_keep_their_order_at_a_fraction_of_the_cost() -> None:
    """Errors of .3, .31, ... all falling alike: four ranks a rung go on, and the best is among them."""
    falls = np.linspace(0.5, 0.0, EPOCHS)
    curves = Recording(name="parallel", errors=np.array([0.3 + 0.01 * n + falls for n in range(40)]) / 1.3)
    done = replay(curves, find_rule("promote")(EPOCHS, 0), seed=0, trials=40)
    assert min(c.error for c in done.completions) == curves.errors[:, -1].min()
    assert done.spent < 0.45 * 40 * EPOCHS


def test_the_audit_is_counted_in_the_cost() -> None:
    with_audit, without = (
        replay(record(), Promoting(Promotion(epochs=EPOCHS, audit=audit), seed=0), seed=3, trials=40) for audit in (0.2, 0)
    )
    assert with_audit.completions[: len(without.completions)] == without.completions, "the search itself is the same"
    assert len(with_audit.completions) > len(without.completions) and with_audit.spent > without.spent


@pytest.mark.parametrize("name", [name for name in PRUNERS if name != "none"])
def test_every_pruner_of_study_files_can_be_replayed(name: str) -> None:
    done = replay(record(), find_rule(name)(EPOCHS, 0), seed=0, trials=40)
    assert len(done.configurations) == 40 and 1 <= len(done.completions) <= 40 and done.spent < 40 * EPOCHS


def test_shipped_curves_are_whole_small_and_name_their_source() -> None:
    shipped = {recording.name: recording for recording in load_shipped()}
    assert {name: found.errors.shape for name, found in shipped.items()} == {
        "metaqnn": (1000, 20),
        "naap": (440, 90),
        "resnets": (486, 50),
    }
    assert float(np.median(shipped["metaqnn"].errors[:, -1])) == pytest.approx(0.3011, abs=1e-4)
    assert all("CIFAR-10" in found.source and "arXiv:" in found.source for found in shipped.values())
    assert len(files("tuner.simulate").joinpath("recorded.npz").read_bytes()) < 150_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"text", "is no .npz file"),
        ([[0.5, -0.1], [0.2, 0.1]], "negative"),
        ([[0.5, np.nan], [0.2, 0.1]], "not numbers"),
        ([0.5], "at least two"),
    ],
)
def test_a_file_that_holds_no_curves_is_refused_in_a_line(content: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "curves.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, made=np.array(content))
    with pytest.raises(UsageError, match=said):
        read_recordings(path)


def test_unknown_pruners_and_options_are_refused_in_a_line() -> None:
    with pytest.raises(UsageError, match="did you mean 'median'"):
        find_rule("medain")
    with pytest.raises(UsageError, match="fraction must be above 0"):
        find_rule("promote", {"fraction": 0})(EPOCHS, 0)
