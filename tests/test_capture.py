"""Which step is recorded, when anew, and that recording leaves no trace. The recorder here only pretends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from tests.runs import STRICT, make, same
from tuner.config.trial_config import TrialConfig
from tuner.training.cuda_graph import CapturedStep, Step, choose_recorder


class Pretender:
    """Warms up by running three times, and replays by running again, as a CUDA graph would on the same memory."""

    def __init__(self, *, check: bool = False) -> None:
        self.events: list[str] = []
        self.check = check

    def warm_up(self, run: Callable[[], None]) -> None:
        self.events.append("warm up")
        for _ in range(3):
            run()

    def record(self, run: Callable[[], None]) -> Callable[[], None]:
        self.events.append("record")

        def replay() -> None:
            self.events.append("replay")
            run()

        return replay


def captured(size: int) -> tuple[Step, Pretender, torch.Tensor, list[int]]:
    """A step that adds up its images in `total`, and notes the memory that it read them from."""
    total, places, recorder = torch.zeros(()), [], Pretender()

    def step(images: torch.Tensor, labels: torch.Tensor) -> None:
        total.add_(images.sum() + labels.sum())
        places.append(images.data_ptr())

    return partial(CapturedStep(size, recorder, {"total": total}), step), recorder, total, places


def batch(count: int, value: float, size: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.full((count, 3, size, size), value), torch.zeros(count, dtype=torch.int64)


def test_full_batches_are_recorded_once_and_replayed_from_the_same_memory() -> None:
    step, recorder, total, places = captured(4)
    for value in (1.0, 2.0, 3.0):
        step(*batch(4, value))
    assert recorder.events == ["warm up", "record", "replay", "replay", "replay"]
    assert total == 48 * (1 + 2 + 3), "the warm-up left no trace"
    assert len(set(places)) == 1


def test_a_short_batch_is_stepped_as_it_is_and_the_recording_stands() -> None:
    step, recorder, total, _ = captured(4)
    step(*batch(3, 1.0))
    assert recorder.events == [] and total == 36
    step(*batch(4, 1.0))
    step(*batch(1, 1.0))
    step(*batch(4, 1.0))
    assert recorder.events == ["warm up", "record", "replay", "replay"] and total == 36 + 48 + 12 + 48


def test_images_of_another_shape_are_recorded_anew() -> None:
    step, recorder, total, _ = captured(4)
    step(*batch(4, 1.0))
    step(*batch(4, 1.0, size=3))
    step(*batch(4, 1.0, size=3))
    assert recorder.events == ["warm up", "record", "replay"] * 2 + ["replay"] and total == 48 + 108 + 108


@pytest.mark.parametrize("config", STRICT.values(), ids=STRICT)
def test_a_captured_run_has_the_same_course_taken_up_again_too(config: TrialConfig) -> None:
    plain = make(config)
    scores = list(plain.epochs())
    recorder = Pretender()
    run = make(config, recorder=recorder)
    epochs = run.epochs()
    assert next(epochs) == scores[0]
    state = run.state()
    assert list(epochs) == scores[1:] and same(run.weights(), plain.weights())
    assert recorder.events == ["warm up", "record"] + ["replay"] * 9, "of 4 batches an epoch the last is short"
    run.load_state(state)
    assert list(run.epochs()) == scores, "loading is in place: the recording stands"
    assert recorder.events.count("record") == 1


def test_on_a_cpu_capture_does_nothing() -> None:
    assert choose_recorder("cpu", capture=True) is None


class Wrong(Pretender):
    """Its replays take the step twice."""

    def record(self, run: Callable[[], None]) -> Callable[[], None]:
        replay = super().record(run)
        return lambda: (replay(), replay())  # type: ignore[func-returns-value,return-value]


class Full(Pretender):
    """Memory suffices for a step, and not for recording one."""

    def record(self, run: Callable[[], None]) -> Callable[[], None]:
        run()
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")


def test_a_replay_that_is_checked_and_equal_is_used() -> None:
    config = STRICT["adamw"]
    plain, run = make(config), make(config, recorder=Pretender(check=True))
    assert list(run.epochs()) == list(plain.epochs()) and same(run.weights(), plain.weights())
    assert run.captured is not None and run.captured.refusal == ""


class Unable(Pretender):
    """The step holds an operation that cannot be recorded."""

    def record(self, run: Callable[[], None]) -> Callable[[], None]:
        run()
        raise RuntimeError("operation not permitted when stream is capturing\nand more")


@pytest.mark.parametrize(
    "recorder,refusal",
    [
        (Wrong(check=True), "a replay gives another pre_layers.0.weight than an eager step"),
        (Full(), "there is too little memory to record it"),
        (Unable(check=True), "it cannot be recorded (operation not permitted when stream is capturing)"),
    ],
    ids=["another result", "out of memory", "cannot be recorded"],
)
def test_a_step_that_cannot_be_replayed_is_taken_eagerly_and_it_is_said_why(recorder: Pretender, refusal: str) -> None:
    config = STRICT["sgd"]
    plain, run = make(config), make(config, recorder=recorder)
    assert list(run.epochs()) == list(plain.epochs()) and same(run.weights(), plain.weights()), "the attempt left no trace"
    assert run.captured is not None and run.captured.refusal == refusal
    assert recorder.events.count("warm up") == 1, "it is tried once"


def test_a_recording_that_was_asked_for_and_fails_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="not permitted"):
        list(make(STRICT["sgd"], recorder=Unable()).epochs())


def test_memory_that_does_not_even_hold_a_copy_of_the_state_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: CapturedStep) -> dict[str, torch.Tensor]:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 30 MiB")

    monkeypatch.setattr(CapturedStep, "_copy", full)
    plain, run = make(STRICT["sgd"]), make(STRICT["sgd"], recorder=Pretender(check=True))
    assert list(run.epochs()) == list(plain.epochs()) and same(run.weights(), plain.weights())
    assert run.captured is not None and run.captured.refusal == "there is too little memory to record it"
