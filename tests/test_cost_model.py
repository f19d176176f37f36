"""Seconds of an epoch foretold from a configuration's size, and the time left of a search."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests import fabricated
from tuner.config.trial_config import TrialConfig
from tuner.console.progress import Progress
from tuner.console.time_left import TimeLeft
from tuner.models.size import measure_size
from tuner.placement import Placement
from tuner.study.cost_model import LEAST_POINTS, describe_features, expect_epoch, fit_costs
from tuner.study.forecast import Forecast, read_forecast
from tuner.study.lease import Counts
from tuner.study.outcome import Outcome
from tuner.study.storage import Storage
from tuner.training.run import build_network
from tuner.training.score import Score
from tuner.workers.events import EpochReported, TrialEnded, TrialStarted

CONFIGS = [TrialConfig(width=width, batch_size=size, epochs=4) for width in (0.0625, 0.125, 0.25, 0.5) for size in (4, 16, 64)]
RATES = (3.0, 2e-8, 2e-7)  # of a planted machine


def take(config: TrialConfig) -> float:
    """Seconds of an epoch on the planted machine."""
    return sum(rate * feature for rate, feature in zip(RATES, describe_features(config, 10), strict=True))


def test_a_network_is_counted_without_training_it_and_draws_nothing() -> None:
    config = TrialConfig(width=0.125, widths={"stem": 2.0})
    size = measure_size("mynet", config.channels, {}, classes=10, pixels=(32, 32))
    network, state = build_network(config, 10).eval(), torch.random.get_rng_state()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 32, 32))
    assert (size.parameters, size.macs) == (sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2)
    other = replace(config, model="googlenet")
    plain = sum(p.numel() for p in build_network(other, 10).parameters())
    assert measure_size("googlenet", other.channels, {}, classes=10, pixels=(32, 32)).parameters == plain
    resnet = measure_size("torchvision:resnet18", {}, {}, classes=1000, pixels=(224, 224))
    assert (resnet.parameters, resnet.macs) == (11_689_512, 1_814_073_344) and torch.equal(state, torch.random.get_rng_state())
    smaller = measure_size("mynet", config.channels, {}, classes=10, pixels=(16, 16))
    assert smaller.parameters == size.parameters and size.macs > 3 * smaller.macs


def test_what_took_so_long_foretells_what_a_larger_network_and_another_batch_take() -> None:
    draw = random.Random(0)
    points = [(describe_features(each, 10), take(each) * draw.uniform(0.95, 1.05)) for each in CONFIGS]
    model = fit_costs(points)
    assert model is not None and all(rate >= 0 for rate in model.rates)
    for config in (TrialConfig(width=1.0, batch_size=8), TrialConfig(width=0.0625, batch_size=256), TrialConfig(width=0.5, batch_size=2)):
        assert model.predict(describe_features(config, 10)) == pytest.approx(take(config), rel=0.15)
    assert fit_costs(points[: LEAST_POINTS - 1]) is None and fit_costs(points[:1] * 20) is None, "too few that differ"
    few = Forecast(classes=10, points=[(points[0][0], 2.0), (points[1][0], 4.0), (points[2][0], 9.0)])
    assert few.predict(CONFIGS[5]) == 4.0 and few.predict(CONFIGS[5], [7.0]) == 7.0 and Forecast(classes=10).predict(CONFIGS[0]) is None


def test_a_trial_s_own_epochs_count_more_than_the_model() -> None:
    assert expect_epoch([]) is None and expect_epoch([], 3.0) == 3.0
    assert expect_epoch([8.0], 2.0) == 4.0, "its first epoch and the model"
    assert expect_epoch([30.0, 5.0, 6.0, 4.0], 2.0) == 5.0, "the first one warms up"


def test_a_forecast_is_read_from_the_trials_of_a_study(tmp_path: Path) -> None:
    storage = Storage(f"sqlite:///{tmp_path}/x.db", make=True)
    study = fabricated.study(storage, {"data": "digits", "width": 0.0625, "space": {"batch_size": [4, 8, 16, 32, 64], "epochs": 2}})
    fabricated.add(study, [fabricated.trial(study, {"batch_size": size}, [0.4, 0.5], seconds=64 / size) for size in (4, 8, 16, 32)])
    foretold = read_forecast(study).predict(replace(CONFIGS[0], width=0.0625, batch_size=64))
    assert foretold == pytest.approx(1.0, rel=0.05)


def play(workers: int, costs: Mapping[int, tuple[TrialConfig, float]], ask: float) -> tuple[float | None, float]:
    """A search without pruning: the estimate at the part `ask` of its time, and what is left then. An epoch takes its cost."""
    free, plan = [0.0] * workers, []
    for number, (config, seconds) in costs.items():
        worker = min(range(workers), key=lambda each: free[each])
        plan.append((number, config, seconds, free[worker]))
        free[worker] += config.epochs * seconds
    now = ask * max(free)
    left, trained, ended = TimeLeft(workers, 10), dict[int, float](), 0
    for number, config, seconds, begun in sorted(plan, key=lambda each: each[3]):
        if begun > now:
            continue
        left.begin(number, config, begun)
        whole = min(config.epochs, int((now - begun) / seconds + 1e-9))
        for epoch in range(1, whole + 1):
            left.epoch(number, epoch, seconds, new=True)
        if whole == config.epochs:
            left.end(number, begun + config.epochs * seconds)
            ended += 1
        else:
            trained[number] = (now - begun) / seconds
    return left.estimate(len(costs) - ended, trained), max(free) - now


def test_the_time_left_of_planted_searches_is_right_on_the_average() -> None:
    """60 searches of 40 trials whose costs differ by a factor of 30: what one of them has yet to draw nobody knows."""
    for workers, ask in itertools.product((1, 2), (0.2, 0.5, 0.8)):
        ratios = []
        for seed in range(60):
            draw = random.Random(seed)
            configs = [replace(draw.choice(CONFIGS[:9]), epochs=draw.choice([2, 4, 8])) for _ in range(40)]
            estimate, left = play(workers, {number: (config, take(config)) for number, config in enumerate(configs)}, ask)
            assert estimate is not None
            ratios.append(estimate / left)
        assert median(ratios) == pytest.approx(1.0, abs=0.1), (workers, ask)
    assert play(2, {0: (CONFIGS[0], 1.0), 1: (CONFIGS[1], 1.0)}, 0.001)[0] is None, "nothing has ended"


def test_a_view_says_what_is_left_and_never_more_than_the_budget(tmp_path: Path) -> None:
    class Shown(Progress):
        shows = True

    storage = Storage(f"sqlite:///{tmp_path}/x.db", make=True)
    study = fabricated.study(storage, {"data": "digits", "space": {"lr": [0.01, 0.1]}})
    view = Shown(study, [Placement()] * 2, Counts(n_trials=11))
    config = TrialConfig(width=0.0625, batch_size=8, epochs=2)
    view.event(0, TrialStarted(number=0, config=config, epoch=0))
    assert view.left() == ""
    for epoch in (1, 2):
        score = Score(epoch=epoch, train_loss=1, train_accuracy=0.5, val_loss=1, val_accuracy=0.5, seconds=50.0)
        view.event(0, EpochReported(number=0, epochs=2, score=score, new=True))
    view.event(0, TrialEnded(number=0, outcome=Outcome.TRAINED, reason="", value=0.5))
    view.counts(Counts(n_trials=11, complete=1))
    assert view.left() == "about 8 min left", "ten trials of 100 s on two workers"
    view.counts(Counts(n_trials=11, complete=1, budget=300.0, spent=100.0))
    assert view.left() == "at most about 2 min left" and "2 min of 5 min spent" in view.summary()
    view.counts(Counts(n_trials=11, waiting=3, rungs={1: 3}, budget=300.0, spent=200.0))
    assert view.left() == "at most about 50 s left"
    view.counts(Counts(n_trials=11, waiting=3, rungs={1: 3}))
    assert view.left() == ""
