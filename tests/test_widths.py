"""Widths by pattern: names, rounding, and the reported networks at factor 1."""

from __future__ import annotations

import pytest

from tuner.models import MODELS, find_model


@pytest.mark.parametrize("name", MODELS)
def test_at_factor_one_the_widths_are_the_reported_ones(name: str) -> None:
    assert find_model(name).channels() == find_model(name).widths


def test_channels_are_rounded_once_to_a_multiple_of_eight() -> None:
    # b5.n5x5red of MyNet: 48 * 0.25 = 12 -> 16 (half rounds up); 8 * 0.25 = 2 -> 8, the least.
    channels = find_model("mynet").channels(0.25)
    assert channels["b5.n5x5red"] == 16 and channels["a3.n5x5red"] == 8
    # 64 * 0.25 * 0.75 = 12 -> 16. Rounded twice it would be 16 * 0.75 = 12 -> 16 too, so take one that tells:
    # 96 * 0.125 * 1.5 = 18 -> 16; rounded twice 96 * 0.125 = 12 -> 16, * 1.5 = 24.
    assert find_model("mynet").channels(0.125, {"b3.n3x3red": 1.5})["b3.n3x3red"] == 16


def test_patterns_that_overlap_multiply() -> None:
    channels = find_model("mynet").channels(1.0, {"*.n1x1": 0.5, "a4.*": 0.5})
    assert channels["a4.n1x1"] == 40 and channels["b4.n1x1"] == 128 and channels["a4.n3x3"] == 128


def test_a_pattern_names_what_it_moves() -> None:
    assert find_model("googlenet").matches("?5.pool") == ["a5.pool", "b5.pool"]
    assert find_model("mynet").matches("stem") == ["stem"]
