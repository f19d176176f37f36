"""How many workers a GPU is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.nullcuda import NullDevice
from tests.test_gpu import Behind, Gpu, behind, gpu, study  # noqa: F401 - fixtures
from tests.test_search import edit
from tuner.workers.crew import double_while_it_pays


def speeds(*of_all: float | None) -> Callable[[int], float | None]:
    return lambda count: dict(zip((1, 2, 4, 8), of_all, strict=False))[count]


@pytest.mark.parametrize(
    "measured,at_most,count",
    [
        ((100, 109), 8, 1),  # a tenth more is wanted
        ((100, 111, 115), 8, 2),
        ((100, 150, 200, 300), 8, 8),
        ((100, 190), 3, 2),  # for three trials
        ((100, 190, None), 8, 2),  # memory does not hold four
        ((None,), 8, 1),
        ((100,), 1, 1),
    ],
)
def test_workers_are_doubled_while_all_together_train_a_tenth_more(measured: tuple[float | None, ...], at_most: int, count: int) -> None:
    assert double_while_it_pays(speeds(*measured), at_most)[0] == count


def test_a_long_search_tries_how_many_workers_a_gpu_is_given(gpu: Gpu, study: str, small_study: Path) -> None:  # noqa: F811
    """Once: the study keeps what was found, and the images a second it was found by."""
    edit(small_study, space={"lr": {"low": 0.01, "high": 0.1}, "batch_size": 32, "epochs": 2})
    command = ("search", study, "--gpu", "0", "--trials", "1000000", "--timeout", "1s", "--precision", "fp32", "--no-capture")
    first = gpu(*command)
    assert "trying how many workers cuda:0 is best given" in first.stderr
    assert "worker(s) for each GPU; images a second of all together: 1: " in first.stderr
    assert "trying" not in gpu(*command).stderr


def test_what_does_not_fit_beside_others_is_seen(null_device: NullDevice) -> None:
    """Four processes of 0.3 GB on a GPU of which each sees its own 0.2: not even the first gets ready."""
    found = null_device.python(
        """
        from tuner.workers.crew import Crew, Trial
        from tuner.placement import Placement
        config = {"width": 0.25, "data": "digits", "train_images": 200, "image_size": 32, "validation": 0.2,
                  "space": {"lr": [0.01], "batch_size": 128}}
        with Crew(Trial(config=config, source=None, placement=Placement(device="cuda:0", capture=False))) as crew:
            tell([crew.measure(1)])
        """,
        NULLCUDA_MEMORY=str(200 * 2**20),
    )
    assert found == [None]
