"""What a command is doing, for how long already: said again and again, so that it is never silent for long."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .text import Say, format_duration, open_console, say, say_nothing

SECONDS = 1.5  # from line to line


@contextmanager
def tell_time(doing: str, *, shown: bool = True, seconds: float = SECONDS) -> Iterator[Say]:
    """Say on stderr what is done until the block ends: on a terminal in a line that lives, else in a new line every so many seconds.

    Yields a function that says what is done next. Results are to be printed after the block.
    """
    if not shown:
        yield say_nothing
    elif sys.stderr.isatty():
        with open_console(stderr=True).status(doing) as status:
            yield status.update
    else:
        with _speak(doing, seconds) as change:
            yield change


@contextmanager
def _speak(doing: str, seconds: float) -> Iterator[Say]:
    changed, over, now = threading.Event(), threading.Event(), [doing]

    def tick() -> None:
        began, last = time.monotonic(), ""
        while not over.is_set():
            if now[0] != last:
                began, last = time.monotonic(), now[0]
                say(last)
            else:
                say(f"{last}: {format_duration(time.monotonic() - began)} so far")
            changed.wait(seconds)
            changed.clear()

    def change(doing: str) -> None:
        now[0] = doing
        changed.set()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield change
    finally:
        over.set()
        changed.set()
        thread.join()
