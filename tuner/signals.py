"""Clean stops: signals, and a stderr that nobody reads any more, as an event that long work looks at between two steps.

SIGINT (Ctrl-C), SIGTERM, SIGHUP (the terminal was closed) and SIGUSR1 (Slurm's warning) all mean: end now, and lose nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TextIO, cast

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


@contextmanager
def handle_stop_signals(handle: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Let `handle` have every stop signal; outside the block they do what they did before. Under nohup, SIGHUP stays ignored.

    Only a process's main thread may: in any other, as a server may search in, signals stay what they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    kept = {number: signal.signal(number, handle) for number in STOP_SIGNALS if not (ignored and number == signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def catch_signals() -> Iterator[threading.Event]:
    """An event that every stop signal sets; outside the block they do what they did before."""
    stop = threading.Event()
    with handle_stop_signals(lambda *_: stop.set()):
        yield stop


@contextmanager
def end_cleanly() -> Iterator[None]:
    """For a whole command: until it catches signals itself, each is a KeyboardInterrupt; a stderr that is closed is one too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stderr = cast(TextIO | None, sys.stderr)
    try:
        with handle_stop_signals(_interrupt):
            if stderr is not None:
                sys.stderr = cast(TextIO, _Watched(stderr))
            yield
    finally:
        if stderr is not None:
            sys.stderr = stderr


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class _Watched:
    """A stderr whose reader may go away (a closed pipe or terminal): what is written then goes nowhere, and the command is stopped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._gone = False

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            self._leave()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._leave()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _leave(self) -> None:
        if self._gone:
            return
        self._gone = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())  # so that neither the last words nor the interpreter's end fail
        os.close(nowhere)
        os.kill(os.getpid(), signal.SIGUSR1)  # the main thread is told, whichever thread wrote
