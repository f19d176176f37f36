"""How a trial gets on within an epoch: its steps, counted as they are begun. The device is never waited for."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..config.trial_config import TrialConfig
from .events import StepsTaken

PAUSE_SECONDS = 0.5  # from message to message


class Pace:
    """Counts the steps of one trial and says now and then how many there were, and how fast they are.

    Speeds are of the steps since the last message, or since the epoch began: evaluations and checkpoints are not in them.
    """

    def __init__(
        self, number: int, config: TrialConfig, say: Callable[[StepsTaken], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._number = number
        self._batch_size = config.batch_size
        self._say = say
        self._clock = clock
        self._steps = 0  # of an epoch
        self._taken = 0  # since the trial's first epoch
        self._counted = 0  # of them when the speed was last measured
        self._measured = 0.0

    def begin(self, images: int, epochs: int) -> None:
        """The training of a trial with so many images an epoch begins, or goes on after so many epochs."""
        self._steps = -(-images // self._batch_size)
        self._taken = epochs * self._steps

    def step(self) -> None:
        """Another step begins."""
        now, epoch, step = self._clock(), *divmod(self._taken, self._steps)
        if step == 0:
            self._counted, self._measured = self._taken, now
        elif now - self._measured >= PAUSE_SECONDS:
            speed = (self._taken - self._counted) / (now - self._measured)
            self._counted, self._measured = self._taken, now
            self._say(
                StepsTaken(
                    number=self._number,
                    epoch=epoch + 1,
                    step=step,
                    steps=self._steps,
                    steps_per_second=speed,
                    images_per_second=speed * self._batch_size,
                )
            )
        self._taken += 1
