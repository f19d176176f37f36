"""What is done to a search, and when: drawn from a seed, counted in epochs."""

from __future__ import annotations

import random
from dataclasses import dataclass

KILLS = ("SIGKILL", "SIGTERM", "SIGSTOP")


@dataclass(frozen=True, kw_only=True)
class Event:
    """`kind` is a signal for a worker, `supervisor`, `outage`, `clock` (set) or `terminal` (closed).

    It comes once so many epochs are reported.

    `target` picks among the processes that are there then, from 0 to 1. An outage with `kill` meets a dying worker too.
    """

    after: int
    kind: str
    target: float
    kill: bool = False


def schedule(*, epochs: int, kills: int, supervisors: int, outages: int, seed: int, steps: int = 0, terminals: int = 0) -> list[Event]:
    """Events spread evenly over the search, in a seeded order, the kills one third of each kind.

    Every second outage has one of the kills inside it.
    """
    draw = random.Random(seed)
    inside = min(outages // 2, kills)
    kinds = [KILLS[index % len(KILLS)] for index in range(inside, kills)]
    kinds += ["supervisor"] * supervisors + ["outage"] * (outages - inside) + ["outage with a kill"] * inside
    kinds += ["clock"] * steps + ["terminal"] * terminals
    draw.shuffle(kinds)
    first, last = 2, epochs * 4 // 5  # what comes too late would meet nobody
    events = []
    for index, kind in enumerate(kinds):
        after = first + (last - first) * index // max(1, len(kinds))
        events.append(Event(after=after, kind=kind.split()[0], target=draw.random(), kill=kind.endswith("kill")))
    return events
