"""A worker: a process that claims trials and trains them until the study is full, or until it is told to stop."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from ..errors import Interrupted, TunerError
from ..places import Place

EXIT_STOPPED = 75  # ended as it was told to, its trial back in the queue
PR_SET_PDEATHSIG = 1
ORPHAN_SECONDS = 15.0
JUDGED_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What a worker needs to know. It travels through a pipe, so a password in the URL shows nowhere."""

    url: str | None
    study: str
    source: str | None  # other data than the study names: the same images at another place
    keep: int  # how many of the best trials keep their weights
    place: Place


class Signals:
    """What may end a worker: `stop` now, its trial back in the queue; `finish` after this trial."""

    def __init__(self, connection: Connection) -> None:
        self.stop = threading.Event()
        self.finish = threading.Event()
        self.judged = threading.Event()  # the supervisor has heard of a failed trial, and let us go on
        self.lost = threading.Event()  # the lease of the trial in hand
        self._connection = connection
        self._sending = threading.Lock()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor passes it on
        signal.signal(signal.SIGTERM, lambda *_: self.stop.set())
        if sys.platform == "linux":
            # Woken when the supervisor dies, even while stopped, so that `_listen` sees the pipe's end.
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGCONT)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                word = self._connection.recv()
                {"stop": self.stop, "finish": self.finish, "judged": self.judged}[word].set()
        except (EOFError, OSError):
            self.stop.set()  # the supervisor is gone: no worker outlives it
            time.sleep(ORPHAN_SECONDS)
            os._exit(1)

    def say(self, kind: str, **facts: Any) -> None:
        failed = kind == "end" and facts["state"] == "FAIL"
        self.judged.clear()
        try:
            with self._sending:
                self._connection.send((kind, facts))
        except OSError:
            self.stop.set()
        if failed:
            self.judged.wait(JUDGED_SECONDS)  # the third in a row ends the search, before a fourth begins


def work(assignment: Assignment, connection: Connection) -> None:
    """The process's main function. Exit codes: 0 the study is full, EXIT_STOPPED, 1 an error that was said."""
    signals = Signals(connection)
    from ..study.patience import StorageAway
    from ..study.storage import NotOpen

    try:
        full = _serve(assignment, signals)
    except Interrupted:
        sys.exit(EXIT_STOPPED)
    except TunerError as error:
        signals.say("fatal", text=error.message, away=isinstance(error, (StorageAway, NotOpen)))
        sys.exit(1)
    if not full:
        sys.exit(EXIT_STOPPED)


def _serve(assignment: Assignment, signals: Signals) -> bool:
    """Claim and train. True when nothing is left to claim, False when told to end."""
    import torch

    from ..data import load as load_data
    from ..data.parts import Parts
    from ..objective import tidy, train_trial
    from ..study.claim import NoClaim, lease_seconds
    from ..study.owner import Owner
    from ..study.patience import Patience, open_again
    from ..study.record import load

    torch.set_num_threads(assignment.place.threads)
    say = signals.say
    storage = open_again(assignment.url, stop=signals.stop, say=lambda text: say("say", text=text))
    patience = Patience(storage, stop=signals.stop, say=lambda text: say("say", text=text))
    record = patience(lambda: load(storage, assignment.study, patience))
    config = record.config.overridden(source=assignment.source)
    dataset = load_data(config.data, progress=lambda text: say("say", text=text))
    if dataset.fingerprint != record.data:
        raise TunerError(
            f"data {config.data.source!r} is not what study {record.name!r} was made with "
            f"(fingerprint {dataset.fingerprint}, wanted {record.data}): give the same images with --data"
        )
    parts = Parts(dataset, config.data, assignment.place.device)
    owner = Owner.here()
    patience.notice()  # there may have been an outage before we came: the others get a lease's time
    pause = 0.1
    while not (signals.stop.is_set() or signals.finish.is_set()):
        claim = record.ledger.claim(owner, record.new_trial)
        if isinstance(claim, NoClaim):
            if not claim.held:
                say("full", exhausted=claim.exhausted)
                return True
            say("idle", held=claim.held)
            signals.stop.wait(pause)
            pause = min(2 * pause, 1.0)
            continue
        pause = 0.1
        signals.lost.clear()
        done = threading.Event()
        beating = threading.Thread(
            target=_beat, args=(lambda c=claim: record.ledger.beat(c), lease_seconds() / 3, done, signals.lost), daemon=True
        )
        beating.start()
        try:
            train_trial(record, claim, parts, assignment.place, stop=lambda: signals.stop.is_set() or signals.lost.is_set(), say=say)
        finally:
            done.set()
        tidy(record, assignment.keep)
    return False


def _beat(beat: Callable[[], bool], interval: float, done: threading.Event, lost: threading.Event) -> None:
    """Say now and then that the owner lives. An outage is no reason to stop: the next beat may get through."""
    from sqlalchemy.exc import SQLAlchemyError

    while not done.wait(interval):
        try:
            if not beat():
                lost.set()
                return
        except SQLAlchemyError:
            continue
