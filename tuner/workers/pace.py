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
        self._counted = 0  # steps of this epoch when the speed was last measured
        self._measured = 0.0

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Another step of an epoch begins: its number from 0, of so many."""
        now = self._clock()
        if step == 0:
            self._counted, self._measured = 0, now
        elif now - self._measured >= PAUSE_SECONDS:
            speed = (step - self._counted) / (now - self._measured)
            self._counted, self._measured = step, now
            self._say(
                StepsTaken(
                    number=self._number,
                    epoch=epoch,
                    step=step,
                    steps=steps,
                    steps_per_second=speed,
                    images_per_second=speed * self._batch_size,
                )
            )
