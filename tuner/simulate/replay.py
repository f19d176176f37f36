"""One search replayed: some workers train recorded curves, a rule says which."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .recording import Recording
from .rules import Rule, Step

UNEQUAL = (0.7, 1.3)  # how the speeds of configurations differ where they were not recorded


@dataclass(frozen=True, kw_only=True)
class Completion:
    """A trial that was trained to its end. `spent` epochs and `seconds` had gone by then, of all workers together."""

    trial: int
    error: float
    spent: int
    seconds: float


@dataclass(kw_only=True)
class Replay:
    """What a replayed search did. `configurations` gives the row of the recording that each trial trained."""

    completions: list[Completion] = field(default_factory=list)
    configurations: list[int] = field(default_factory=list)
    spent: int = 0  # epochs
    seconds: float = 0.0  # of all workers together
    wall: float = 0.0
    resumed: int = 0


def replay(
    recording: Recording,
    rule: Rule,
    *,
    seed: int,
    workers: int = 1,
    trials: int | None = None,
    budget: float = math.inf,
    target: float = -math.inf,
    draw: Callable[[int], int] | None = None,
) -> Replay:
    """Replay until nothing is left to do, `budget` epochs are spent, or a completed trial has reached `target`.

    Configurations come in random order, each once, and again when all were tried; or `draw` gives the row of the trial of that
    number. With `trials` None new ones always may begin.
    """
    rng = np.random.default_rng(seed)
    order = [int(i) for i in rng.permutation(len(recording))]
    durations = recording.seconds
    if durations is None:
        durations = rng.uniform(*UNEQUAL, len(recording)) if workers > 1 else np.ones(len(recording))
    done, reached = Replay(), list[int]()
    running: list[tuple[float, int, int]] = []  # (when its epoch ends, worker, trial)
    idle: list[int] = []

    def assign(now: float, worker: int) -> None:
        more = trials is None or len(reached) < trials
        trial = rule.choose(more=more)
        if trial is not None:
            done.resumed += 1
        elif more:
            if draw is None and len(reached) == len(order):
                order.extend(int(i) for i in rng.permutation(len(recording)))
            trial = len(reached)
            done.configurations.append(order[trial] if draw is None else draw(trial))
            reached.append(0)
            rule.begin(trial)
        else:
            idle.append(worker)
            return
        heapq.heappush(running, (now + durations[done.configurations[trial]], worker, trial))

    for worker in range(workers):
        assign(float(rng.uniform(0, durations.mean())) if workers > 1 else 0.0, worker)
    while running and done.spent < budget:
        now, worker, trial = heapq.heappop(running)
        row = done.configurations[trial]
        reached[trial] += 1
        done.spent += 1
        done.seconds += float(durations[row])
        done.wall = float(now)
        error = float(recording.errors[row, reached[trial] - 1])
        if reached[trial] == recording.epochs:
            done.completions.append(Completion(trial=trial, error=error, spent=done.spent, seconds=done.seconds))
            rule.complete(trial, error)
            if error <= target:
                break
        elif rule.report(trial, reached[trial], error) is Step.GO:
            heapq.heappush(running, (now + durations[row], worker, trial))
            continue
        free, idle[:] = [worker, *idle], []
        for each in free:
            assign(now, each)
    return done
