"""A dry run's measuring: small batches first, nothing tried that is foretold not to fit, and never silent."""

from __future__ import annotations

import threading

import pytest

from tests.test_objective import STUDY
from tuner.config.study_config import StudyConfig
from tuner.config.trial_config import TrialConfig
from tuner.console import ticker
from tuner.data import load as load_data
from tuner.data.parts import Parts
from tuner.placement import Placement
from tuner.search import measuring
from tuner.search.measuring import Estimate, foretell, list_sizes, measure
from tuner.training import memory

CONFIG = TrialConfig(width=0.0625, batch_size=64)


@pytest.mark.parametrize(
    "room,tried,pieces",
    [
        (1e6, [(8, 1), (16, 1), (32, 1), (64, 1)], 1),
        (500, [(8, 1), (16, 1), (32, 1), (64, 2)], 2),  # 740 MB were foretold for 64 images
        (300, [(8, 1), (16, 1), (64, 4)], 4),
        (200, [(8, 1), (16, 1)], 0),
        (0.1, [], 0),  # not even the weights
    ],
)
def test_on_a_cpu_nothing_is_tried_that_is_foretold_not_to_fit(
    monkeypatch: pytest.MonkeyPatch, room: float, tried: list[tuple[int, int]], pieces: int
) -> None:
    took: list[tuple[int, int]] = []

    def take_steps(title: str, config: TrialConfig, parts: Parts, placement: Placement, count: int) -> Estimate:
        took.append((config.batch_size, config.micro_batches))
        peak = 100 + 10.0 * config.batch_size / config.micro_batches
        return Estimate(title=title, config=config, parameters=1, images_per_second=5.0, memory_mb=peak)

    monkeypatch.setattr(measuring, "take_steps", take_steps)
    monkeypatch.setattr(memory, "read_room", lambda: room)
    told: list[str] = []
    config = StudyConfig.from_dict(STUDY)
    estimate = measure("largest", CONFIG, Parts(load_data(config.data), config.data, "cpu"), Placement(device="cpu"), told.append)
    assert took == tried and estimate.fits == bool(pieces) and estimate.config.batch_size == 64
    assert estimate.config.micro_batches == (pieces or (4 if tried else 1)) and told[0].endswith("8 images at a time")


def test_memory_is_foretold_on_the_line_through_the_two_largest_batches() -> None:
    assert foretell({8: 180, 16: 260}, 32) == 420 and foretell({8: 1, 16: 260, 32: 420}, 64) == 740
    assert foretell({8: 180}, 64) == 0
    assert list_sizes(64, foretold=True) == [8, 16, 32, 64] and list_sizes(5, foretold=True) == [1, 2, 5]
    assert list_sizes(64, foretold=False) == [8, 64] and list_sizes(1, foretold=False) == [1]


def test_what_takes_long_is_said_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    twice, changed = threading.Event(), threading.Event()

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 3:
            twice.set()
        if line == "measuring":
            changed.set()

    monkeypatch.setattr(ticker, "say", say)
    with ticker.tell_time("reading", seconds=0.01) as tell:
        assert twice.wait(60)
        tell("measuring")
        assert changed.wait(60)
    assert said[:3] == ["reading", "reading: 0 s so far", "reading: 0 s so far"] and "measuring" in said
    with ticker.tell_time("reading", shown=False) as tell:
        tell("measuring")
