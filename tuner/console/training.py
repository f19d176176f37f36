"""How far `tuner train` is: on a terminal, a line that lives between the lines of its epochs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from ..config.trial_config import TrialConfig
from .text import Say, format_duration, open_console, say, say_nothing

SPEED_SECONDS = 30.0  # over which a speed is measured


@dataclass(frozen=True, kw_only=True)
class View:
    """What is told of each step before it is taken (its epoch from 1, its number from 0, the steps of an epoch), and what prints a line."""

    step: Callable[[int, int, int], None]
    say: Say


class PaceColumn(ProgressColumn):
    """Images a second and the time left, once they are known; evaluations and checkpoints are in both."""

    max_refresh = 0.5

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self._batch_size = batch_size

    def render(self, task: Task) -> Text:
        if not task.speed or task.time_remaining is None:
            return Text("")
        return Text(f"{task.speed * self._batch_size:,.0f} images/s, about {format_duration(task.time_remaining)} left")


@contextmanager
def show_steps(config: TrialConfig, epochs: int, *, shown: bool) -> Iterator[View]:
    """Where stderr is no terminal, steps are not shown: a log has the epochs."""
    if not shown or not sys.stderr.isatty():
        yield View(step=lambda epoch, step, steps: None, say=say if shown else say_nothing)
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), PaceColumn(config.batch_size))
    with Progress(*columns, console=open_console(stderr=True), transient=True, speed_estimate_period=SPEED_SECONDS) as progress:
        bar: TaskID | None = None

        def step_on(epoch: int, step: int, steps: int) -> None:
            nonlocal bar
            taken = (epoch - 1) * steps + step
            if bar is None:  # after an interruption the epochs trained before are no speed
                bar = progress.add_task("", total=epochs * steps, completed=taken)
            progress.update(bar, completed=taken, description=f"epoch {epoch}/{epochs} {step / steps:4.0%}")

        yield View(step=step_on, say=lambda line: progress.console.print(line, highlight=False))
