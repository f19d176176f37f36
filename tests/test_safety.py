"""The rule's safety: what noise may not decide, what early ranks are worth, and the audit of trials left paused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tuner.study.agreement import measure_agreement
from tuner.study.audit import AUDITED_FROM, find_audited, is_audited, read_audit
from tuner.study.promotion import Promotion, estimate_chances, find_promoted, find_raced, to_curve


def promote_all(rule: Promotion, best: dict[int, list[float]], paused: dict[int, int]) -> list[int]:
    paused, found = dict(paused), []
    while (trial := find_promoted(rule, best, paused)) is not None:
        found.append(trial)
        del paused[trial]
    return found


def test_a_difference_below_the_binomial_error_decides_nothing() -> None:
    """Ten trials at the first rung, errors .30, .31, ... .39: four go on. With 400 images .33 is uncertain by .0235."""
    best = {trial: to_curve([0.30 + 0.01 * trial]) for trial in range(10)}
    paused = dict.fromkeys(best, 1)
    assert promote_all(Promotion(epochs=8), best, paused) == [0, 1, 2, 3]
    assert promote_all(Promotion(epochs=8, val_images=400), best, paused) == [0, 1, 2, 3, 4, 5]
    assert promote_all(Promotion(epochs=8, val_images=10_000), best, paused) == [0, 1, 2, 3]  # uncertain by .0047


def test_noise_promotes_nobody_where_a_rung_is_too_small_to_promote_and_knows_no_error_above_one() -> None:
    best = {0: to_curve([0.3]), 1: to_curve([0.3])}
    assert promote_all(Promotion(epochs=8, val_images=100), best, {0: 1, 1: 1}) == []
    perplexities = {trial: to_curve([100.0 + trial]) for trial in range(10)}
    assert promote_all(Promotion(epochs=8, val_images=100), perplexities, dict.fromkeys(perplexities, 1)) == [0, 1, 2, 3]


@pytest.mark.parametrize("drift,val_images", [(0.01, None), (0.0, 100)], ids=["each better than all before", "none told apart"])
def test_about_half_of_a_rung_goes_on_though_more_are_good_enough(drift: float, val_images: int | None) -> None:
    """Trials come one by one; whoever is let go on is trained past its rung before the next one comes."""
    rule = Promotion(epochs=2, val_images=val_images)
    best: dict[int, list[float]] = {}
    gone = []
    for number in range(40):
        best[number] = to_curve([0.6 - drift * number])
        if (chosen := find_promoted(rule, best, dict.fromkeys(set(best) - set(gone), 1))) is not None:
            gone.append(chosen)
            best[chosen] = [*best[chosen], best[chosen][-1]]
        assert len(gone) <= (number + 2) / 2
    assert len(gone) >= 16, "the fraction of 0.4 does go on"


def test_what_nothing_of_its_size_beats_goes_on_however_many_did() -> None:
    """With two objectives: five of ten have gone on; of two that wait, the smallest is on the front and the other is not."""
    rule = Promotion(epochs=2)
    best = {trial: to_curve([0.5 + 0.01 * trial] * (2 if trial < 5 else 1)) for trial in range(10)}
    costs = {trial: 1.0 if trial == 9 else 2.0 for trial in best}
    assert find_promoted(rule, best, {8: 1, 9: 1}, costs) == 9
    assert find_promoted(rule, best, {8: 1}, costs) is None


def test_agreement_is_spearmans_and_shrunk_by_three_trials() -> None:
    """Six trials: their order after epoch 1 is turned round, after 2 two neighbours are exchanged, after 4 it is the last one."""
    final = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    after = {1: [0.96, 0.95, 0.94, 0.93, 0.92, 0.91], 2: [0.82, 0.81, 0.83, 0.84, 0.85, 0.86], 4: [0.71, 0.72, 0.73, 0.74, 0.75, 0.76]}
    best = {t: to_curve([after[1][t], after[2][t], after[2][t], after[4][t]]) for t in range(6)}
    best[6] = to_curve([0.9])  # a paused one says nothing about the end
    first, second, third = measure_agreement(Promotion(epochs=8), best, {t: math.log(v) for t, v in enumerate(final)})
    assert (first.epoch, second.epoch, third.epoch) == (1, 2, 4)
    assert first.spearman == pytest.approx(-1) and third.spearman == pytest.approx(1) and first.trials == 6
    assert second.spearman == pytest.approx(1 - 6 * 2 / (6 * 35))
    assert third.shrunk == pytest.approx(6 / 9)


def test_agreement_of_too_few_or_all_alike_is_none() -> None:
    alike = {t: to_curve([0.5, 0.4]) for t in range(5)}
    assert [a.spearman for a in measure_agreement(Promotion(epochs=2), alike, {t: math.log(0.4) for t in alike})] == [None]
    two = {0: to_curve([0.5, 0.4]), 1: to_curve([0.6, 0.3])}
    assert [a.shrunk for a in measure_agreement(Promotion(epochs=2), two, {0: math.log(0.4), 1: math.log(0.3)})] == [None]


@pytest.mark.parametrize("audit,each", [(0.05, 20), (0.1, 10), (0.5, 2), (1.0, 1)])
def test_the_audit_takes_one_trial_of_every_stretch_and_others_with_another_seed(audit: float, each: int) -> None:
    rule = Promotion(epochs=8, audit=audit)
    chosen = [t for t in range(200) if is_audited(rule, t, seed=0)]
    assert [t // each for t in chosen] == list(range(200 // each))
    if audit < 0.5:
        assert chosen != [t for t in range(200) if is_audited(rule, t, seed=1)]


def test_a_part_that_divides_nothing_is_kept_over_many_trials() -> None:
    rule = Promotion(epochs=8, audit=0.3)
    assert sum(is_audited(rule, t, seed=3) for t in range(1000)) == pytest.approx(300, abs=10)  # two may fall on one number


def test_the_audit_begins_at_forty_trials_and_ends_when_its_trials_have() -> None:
    rule = Promotion(epochs=8)
    few = {t: to_curve([0.5]) for t in range(AUDITED_FROM - 1)}
    many = {t: to_curve([0.5]) for t in range(AUDITED_FROM)}
    assert find_audited(rule, few, dict.fromkeys(few, 1), seed=0) is None
    paused = dict.fromkeys(many, 1)
    chosen = [t for t in many if is_audited(rule, t, seed=0)]
    assert len(chosen) == 2
    paused[chosen[1]] = 4  # it has come farther
    assert find_audited(rule, many, paused, seed=0) == chosen[1]
    del paused[chosen[1]]
    assert find_audited(rule, many, paused, seed=0) == chosen[0]
    del paused[chosen[0]]
    assert find_audited(rule, many, paused, seed=0) is None
    assert find_audited(Promotion(epochs=8, audit=0), many, dict.fromkeys(many, 1), seed=0) is None


def test_what_the_audit_found_is_said_with_what_it_cannot_exclude() -> None:
    final = {0: -2.0, 1: -1.5, 2: -1.0, 3: -1.2, 4: -0.9, 5: -0.8, 6: -0.7, 7: -2.5}
    none = read_audit(final, {1, 2, 3, 4, 5, 6})
    assert (none.checked, none.won, none.sentence) == (6, 0, "of 6 checked, none would have won")
    assert none.most == pytest.approx(1 - 0.05 ** (1 / 6))  # none of n: the rule of three's exact form
    assert read_audit(final, {7, 6}).sentence == "of 2 checked, 1 would have won"
    small = {trial: 1.0 if trial == 6 else 2.0 for trial in final}  # the best of its size, though the others are more accurate
    front = read_audit(final, {6, 5}, small)
    assert front.sentence == "of 2 checked, 1 would have been on the front"
    assert read_audit({0: -1.0}, set()).sentence == "none of the trials left paused was checked"


def test_the_race_goes_on_only_for_what_speaks_against_the_rule() -> None:
    """Five that the search finished keep their order, so a sixth that is behind them is given up. The audit trained a seventh."""
    rule = Promotion(epochs=2)
    best = {trial: to_curve([0.50 + 0.01 * trial, 0.40 + 0.01 * trial]) for trial in range(5)}
    final = {trial: curve[-1] for trial, curve in best.items()}
    best |= {5: to_curve([0.65]), 6: to_curve([0.7, 0.5])}
    alone = estimate_chances(rule, best, final, {5: 1})[5]
    assert alone < rule.chance and find_raced(rule, best, final, {5: 1}) is None
    for end, goes_on in ((0.39, True), (0.57, False), (0.7, False)):  # 0.57 is as foretold
        audited = {6: math.log(end)}
        assert find_raced(rule, best, final, {5: 1}, audited=audited) == (5 if goes_on else None)
        assert (estimate_chances(rule, best, final, {5: 1}, audited=audited)[5] > alone) is goes_on


def test_what_the_audit_trained_to_the_best_end_has_to_be_beaten() -> None:
    rule = Promotion(epochs=2)
    best = {0: to_curve([0.5, 0.4]), 1: to_curve([0.5]), 2: to_curve([0.5, 0.2])}
    final = {0: math.log(0.4)}
    better, best_of_all = (estimate_chances(rule, best, final, {1: 1}, audited={2: math.log(end)})[1] for end in (0.41, 0.2))
    assert better > 0.3 > best_of_all


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"fraction": 0}, {"fraction": 1.2}, {"first": 0}, {"chance": 0}, {"audit": -0.1}, {"audit": 2}, {"val_images": 0}],
)
def test_parameters_without_sense_are_refused(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=f"^{name} must be "):
        Promotion(**{"epochs": 8, **wrong})  # type: ignore[arg-type]


def test_the_audit_is_a_fair_sample() -> None:
    """Over many seeds each trial of a stretch is chosen about equally often."""
    rule = Promotion(epochs=8)
    counts = np.array([sum(is_audited(rule, t, seed=seed) for seed in range(1000)) for t in range(20)])
    assert counts.sum() == 1000 and counts.min() > 25 and counts.max() < 80
