"""Processes that take turns: while one works, the others wait on a pipe.

Each side has processes of its own, because settings of malloc, of threads and of libraries hold for a whole process.
"""

from __future__ import annotations

import importlib
import math
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One turn's work. Times are seconds: wall on the machine's monotonic clock, CPU of the side's own processes."""

    images: int
    began: float
    ended: float
    cpu: float

    @property
    def rate(self) -> float:
        """Images a second, wall."""
        return self.images / (self.ended - self.began)


@dataclass(frozen=True, kw_only=True)
class Side:
    """`processes` processes that each call `make(**settings)` of a module here, and then work together."""

    name: str
    make: str  # "naive.training"
    settings: Mapping[str, Any]
    processes: int = 1


class _Player:
    def __init__(self, side: Side) -> None:
        context = multiprocessing.get_context("spawn")
        pairs = [context.Pipe() for _ in range(side.processes)]
        self._connections = [ours for ours, _ in pairs]
        # Not daemons: the naive side's DataLoader starts processes of its own.
        self._processes = [context.Process(target=_serve, args=(side.make, dict(side.settings), theirs)) for _, theirs in pairs]
        for process, (_, theirs) in zip(self._processes, pairs, strict=True):
            process.start()
            theirs.close()

    def ready(self) -> None:
        for connection in self._connections:
            assert connection.recv() == "ready"

    def play(self, steps: int) -> Turn:
        """All processes take `steps` steps; the turn ends with the last of them."""
        for connection in self._connections:
            connection.send(steps)
        turns = [connection.recv() for connection in self._connections]
        return Turn(
            images=sum(turn.images for turn in turns),
            began=min(turn.began for turn in turns),
            ended=max(turn.ended for turn in turns),
            cpu=sum(turn.cpu for turn in turns),
        )

    def end(self) -> None:
        for connection in self._connections:
            connection.close()
        for process in self._processes:
            process.join()


def _serve(make: str, settings: dict[str, Any], connection: Connection) -> None:
    module, name = make.split(".")
    turn = getattr(importlib.import_module(f"benchmarks.{module}"), name)(**settings)
    connection.send("ready")
    try:
        while True:
            steps = connection.recv()
            began, cpu = time.monotonic(), time.process_time()
            images = turn(steps)
            connection.send(Turn(images=images, began=began, ended=time.monotonic(), cpu=time.process_time() - cpu))
    except EOFError:
        pass  # the benchmark is over


@contextmanager
def players_of(sides: Sequence[Side]) -> Iterator[list[_Player]]:
    with ExitStack() as stack:
        players = []
        for side in sides:
            players.append(_Player(side))
            stack.callback(players[-1].end)
        for player in players:
            player.ready()
        yield players


def alternate(sides: Sequence[Side], *, rounds: int, seconds: float) -> dict[str, list[Turn]]:
    """Each side's turns, A B A B. A turn has as many steps as take about `seconds`: found in an untimed turn, which also warms up."""
    with players_of(sides) as players:
        steps = []
        for player in players:
            player.play(1)
            trial = player.play(2)
            steps.append(max(1, math.ceil(seconds * 2 / (trial.ended - trial.began))))
        turns: dict[str, list[Turn]] = {side.name: [] for side in sides}
        for _ in range(rounds):
            for side, player, count in zip(sides, players, steps, strict=True):
                turns[side.name].append(player.play(count))
    return turns
