"""What a database outage is, and how long it is waited out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import optuna
import sqlalchemy as sa
import tenacity

from ..config.environment import read_seconds
from ..errors import Interrupted, TunerError
from .contact import read_clock
from .driver_errors import is_full, is_read_only, takes_no_writes
from .storage import NotOpen, Storage, read_first_line

T = TypeVar("T")
FULL_SECONDS = 5.0  # without a word: many workers that take turns at a server's connections are no outage
# SQLite's errors that another process causes and ends, or a disk that stutters.
_PASSING = ("locked", "busy", "unable to open", "disk is full", "disk i/o error", "locking protocol")


_AWAY_WAIT = tenacity.wait_random_exponential(multiplier=0.1, max=2.0)
# Every refusal costs a server that is full a process: hundreds that came back each second would keep it from the work they wait for.
_FULL_WAIT = tenacity.wait_random_exponential(multiplier=0.1, max=10.0)


def _choose_wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    return (_FULL_WAIT if error is not None and is_full(error) else _AWAY_WAIT)(state)


def is_outage(error: BaseException | None) -> bool:
    """Whether an error says that the database is away, rather than that a statement was wrong."""
    if isinstance(error, NotOpen):
        return True
    if isinstance(error, optuna.exceptions.StorageInternalError):
        error = error.__cause__
    if isinstance(error, (sa.exc.TimeoutError, sa.exc.PendingRollbackError, sa.exc.DisconnectionError)):
        return True
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        return True
    if not isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError)):
        return False
    if type(error.orig).__module__.startswith("sqlite3"):
        return any(word in str(error.orig).lower() for word in _PASSING)
    return True


class StorageAway(TunerError):
    """The database stayed away for longer than we wait. Nothing is lost: the same command goes on."""


def read_outage_seconds() -> float:
    """How long an outage is waited out."""
    return read_seconds("TUNER_PATIENCE_SECONDS")


def open_again(url: str | None, *, stop: threading.Event, say: Callable[[str], None]) -> Storage:
    """Open a storage that another process of ours had open already: if it is away now, that is waited out.

    Errors: NotOpen when it stays away, Interrupted when `stop` is set meanwhile.
    """
    away = False

    def sleep(seconds: float) -> None:
        stop.wait(seconds)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(NotOpen),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=5.0),  # hundreds that begin at once do not come back at once
        stop=tenacity.stop_after_delay(read_outage_seconds()),
        sleep=sleep,
        reraise=True,
    )
    for attempt in retrying:
        with attempt:
            if away and stop.is_set():
                raise Interrupted("stopped while the database was away")
            try:
                storage = Storage(url)
            except NotOpen as error:
                if not away:
                    say(f"{error.message}: waiting for it")
                away = True
                raise
    if away:
        say("database back")
    return storage


class Retry:
    """Runs calls that may meet an outage. `noticed` is when one was last met, by `clock`."""

    def __init__(
        self,
        storage: Storage,
        *,
        stop: threading.Event | None = None,
        say: Callable[[str], None] | None = None,
        clock: Callable[[], float] = read_clock,
    ) -> None:
        self.storage = storage
        self.seconds = read_outage_seconds()
        self.clock = clock
        self.noticed: float | None = None
        self._stop = stop or threading.Event()
        self._say = say or (lambda line: None)
        self._searching = say is not None  # a search could write when it began; a command of a moment is told at once that it cannot

    def __call__(self, call: Callable[[], T]) -> T:
        """The call's result, tried again while the database is away.

        The call must be one transaction that is safe to repeat when its commit's acknowledgement was lost.
        Inside a transaction nothing is tried again: whoever began it does that.
        Errors: StorageAway when the database stays away, Interrupted when `stop` is set meanwhile.
        """
        if self.storage.in_transaction:
            return call()
        away = said = False
        began = self.clock()
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._passes),
            wait=_choose_wait,
            stop=tenacity.stop_after_delay(self.seconds),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            for attempt in retrying:
                with attempt:
                    if away and self._stop.is_set():
                        raise Interrupted("stopped while the database was away")
                    try:
                        result = call()
                    except Exception as error:
                        if self._passes(error):
                            away = True
                            if not said and not (is_full(error) and self.clock() - began < FULL_SECONDS):
                                self._say(f"database away ({read_first_line(error)}): waiting for it")
                                said = True
                            self.notice()  # now, not at the end: the next attempt may already judge leases
                            self.storage.drop_cache()
                        raise
        except Exception as error:
            if self._passes(error):
                away_for = f"storage {str(self.storage)!r} was away for {self.seconds:.0f} s ({read_first_line(error)})"
                raise StorageAway(f"{away_for}: search again to go on") from None
            if is_read_only(error):
                raise self.storage.refuse_to_write(error) from None
            raise
        if said:
            self._say("database back")
        return result

    def _passes(self, error: BaseException) -> bool:
        """Whether an error is worth waiting for. In a search that is also a database that takes no writes, as after a failover."""
        return is_outage(error) or (self._searching and not self.storage.read_only and takes_no_writes(error))

    def stop_with(self, stop: threading.Event, say: Callable[[str], None]) -> None:
        """From now on end a wait when `stop` is set, and say when one begins and ends."""
        self._stop, self._say, self._searching = stop, say, True

    def give_up(self) -> None:
        """Wait for no further outage: this one was waited for already, by another process."""
        self.seconds = 0.0

    def _sleep(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def notice(self) -> None:
        """The database is, or may have been, away."""
        self.noticed = self.clock()

    def noticed_within(self, seconds: float) -> bool:
        """Whether an outage was noticed less than so many seconds ago."""
        return self.noticed is not None and self.clock() - self.noticed < seconds
