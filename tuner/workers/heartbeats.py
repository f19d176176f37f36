"""Heartbeats: while a trial is trained, its worker says now and then that it lives, so that nobody takes the trial over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def send_heartbeats(heartbeat: Callable[[], bool], *, every: float, late: Callable[[], bool], lost: threading.Event) -> Iterator[None]:
    """Call `heartbeat` every so many seconds until the block ends, from a thread of its own.

    While `late` says that the worker no longer gets on, none is sent: should nobody be there to end the process, its lease runs
    out. Where a heartbeat answers that the lease is lost, `lost` is set and no other one follows. An outage is no reason to
    stop: the next one may get through.
    """
    over = threading.Event()
    threading.Thread(target=_send, args=(heartbeat, every, late, lost, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _send(heartbeat: Callable[[], bool], every: float, late: Callable[[], bool], lost: threading.Event, over: threading.Event) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    pause = every
    while not over.wait(pause):
        pause = every
        if late():
            continue
        try:
            if not heartbeat():
                lost.set()
                return
        except SQLAlchemyError:
            pause = every / 8  # a server that has too few connections has one soon
