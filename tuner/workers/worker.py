"""A worker: a process that claims trials and trains them until the study is full, or until it is told to stop."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from ..config.named_code import blame_code
from ..errors import Interrupted, TunerError, blame_machine
from ..models.own_code import Code, blaming, check_digest, find_permitted, list_permitted, permit
from ..placement import Placement
from ..study.outcome import Outcome
from .events import Command, Event, Message, NothingLeft, StepsTaken, TrialEnded, Waiting, WorkerFailed
from .heartbeats import send_heartbeats
from .watch import STALL_SECONDS, Watch, share

EXIT_STOPPED = 75  # ended as it was told to, its trial back in the queue
EXIT_DEVICE_LOST = 70
EXIT_STALLED = 71  # never its own: its parent says so of a worker that it killed
PR_SET_PDEATHSIG = 1
SELF_CHECK = "TUNER_SELF_CHECK"  # "0" leaves out the check at a worker's start
ORPHAN_SECONDS = 15.0  # how long a worker whose supervisor is gone may take to stop
GO_ON_SECONDS = 10.0  # how long it waits for Command.GO_ON after a failed trial


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What a worker needs to know. It travels through a pipe, so a password in the URL shows nowhere."""

    url: str | None
    study: str
    source: str | None  # other data than the study names: the same images at another place
    keep: int  # how many of the best trials keep their weights
    placement: Placement
    stall: float = STALL_SECONDS  # what a step may take at least; 0 for no limit
    trial_timeout: float | None = None
    deadline: float | None = None  # by the wall clock: when the search ends
    code: tuple[Code, ...] = field(default_factory=list_permitted)  # of the user's own, which the one who assigns may run
    watched: Any = None  # what the worker shares with its parent process, which sets it


class Signals:
    """What may end a worker: `stop` now, its trial back in the queue; `finish` after this trial."""

    def __init__(self, connection: Connection) -> None:
        self.stop = threading.Event()
        self.finish = threading.Event()
        self.go_on = threading.Event()  # the supervisor has heard of a failed trial, and the search goes on
        self.lost = threading.Event()  # the lease of the trial in training was lost
        self._connection = connection
        self._sending = threading.Lock()
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):  # they reach the whole group; the supervisor passes them on
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self.stop.set())
        if sys.platform == "linux":
            # Woken when the supervisor dies, even while stopped, so that `_listen` sees the pipe's end.
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGCONT)
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self) -> bool:
        """Whether the trial in training has to stop now."""
        return self.stop.is_set() or self.lost.is_set()

    def _listen(self) -> None:
        told = {Command.STOP: self.stop, Command.FINISH: self.finish, Command.GO_ON: self.go_on}
        try:
            while True:
                told[self._connection.recv()].set()
        except (EOFError, OSError):
            self.stop.set()  # the supervisor is gone: no worker outlives it
            time.sleep(ORPHAN_SECONDS)
            os._exit(1)

    def _has_room(self) -> bool:
        """Whether a short message can be sent at once: a supervisor that was stopped must not hold up a step."""
        room = select.poll()
        room.register(self._connection.fileno(), select.POLLOUT)
        return bool(room.poll(0))

    def say(self, event: Event) -> None:
        if isinstance(event, StepsTaken) and not self._has_room():
            return
        failed = isinstance(event, TrialEnded) and event.outcome.state == "FAIL"
        self.go_on.clear()
        try:
            with self._sending:
                self._connection.send(event)
        except OSError:
            self.stop.set()
        if failed:
            self.go_on.wait(GO_ON_SECONDS)  # so that no fourth trial begins when a third failure in a row ends the search


def work(
    assignment: Assignment, connection: Connection, train: Callable[..., None] | None = None, tidy: Callable[..., None] | None = None
) -> None:
    """The process's main function. `train` and `tidy` are those of `objective` unless a benchmark wraps them.

    Exit codes: 0 where nothing is left to claim, EXIT_STOPPED where it was told to end or its heap is full, EXIT_DEVICE_LOST
    after a GPU error that only a new process gets over, 1 after an error sent as WorkerFailed.
    """
    signals = Signals(connection)
    try:
        _work(assignment, signals, train, tidy)
    except Exception as error:
        told = _blame(error)
        if told is None:
            raise  # a bug of ours
        signals.say(WorkerFailed(text=told.message, storage_away=False))
        sys.exit(1)


def _blame(error: Exception) -> TunerError | None:
    """The line for an error of the machine or of the database."""
    if told := blame_machine(error):
        return told
    from ..study.damage import blame_storage

    return blame_storage(error) or blame_code(error)


def _work(assignment: Assignment, signals: Signals, train: Callable[..., None] | None, tidy: Callable[..., None] | None) -> None:
    from ..study.retry import StorageAway
    from ..study.storage import NotOpen
    from . import objective
    from .ending import DeviceLost

    try:
        full = _train_trials(assignment, signals, train or objective.train_trial, tidy or objective.tidy)
    except (Interrupted, objective.HeapFull):
        sys.exit(EXIT_STOPPED)  # after HeapFull the supervisor starts another
    except DeviceLost as lost:
        signals.say(Message(text=f"GPU error: {lost}"))
        os._exit(EXIT_DEVICE_LOST)  # at once: nothing on the GPU can be put in order any more
    except TunerError as error:
        signals.say(WorkerFailed(text=error.message, storage_away=isinstance(error, (StorageAway, NotOpen))))
        sys.exit(1)
    if not full:
        sys.exit(EXIT_STOPPED)


def _train_trials(assignment: Assignment, signals: Signals, train: Callable[..., None], tidy: Callable[..., None]) -> bool:
    """Claim and train. True when nothing is left to claim, False when told to end."""
    import torch

    from ..data import load as load_data
    from ..data.parts import Parts
    from ..models import find_model
    from ..study.examples import find_example
    from ..study.lease import NothingToClaim, read_lease_seconds
    from ..study.pausing import PausingLeases
    from ..study.retry import Retry, open_again
    from ..study.studies import load
    from ..study.worker_id import WorkerId
    from ..training.run import Stopped
    from ..training.self_check import check_resuming, check_training
    from .precision import settle_precision

    torch.set_num_threads(assignment.placement.threads)
    say = signals.say

    def tell(text: str) -> None:
        say(Message(text=text))

    storage = open_again(assignment.url, stop=signals.stop, say=tell)
    retry = Retry(storage, stop=signals.stop, say=tell)
    study = retry(lambda: load(storage, assignment.study, retry))
    config = study.config.override(source=assignment.source)
    for code in assignment.code:
        check_digest(code, config.code.get(code.spec), f"study {study.name!r}", "let `tuner search` go on with --accept-changed-code")
    permit(assignment.code)
    dataset = load_data(config.data, progress=tell)
    if dataset.fingerprint != study.data:
        raise TunerError(
            f"data {config.data.source!r} is not what study {study.name!r} was made with "
            f"(fingerprint {dataset.fingerprint}, wanted {study.data}): give the same images with --data"
        )
    parts = Parts(dataset, config.data, assignment.placement.device)
    if isinstance(study.leases, PausingLeases):
        study.leases.count_images(len(parts.val()))
        study.leases.deadline = assignment.deadline
    watch = Watch(assignment.watched or share(), stall=assignment.stall, timeout=assignment.trial_timeout)

    def begin_step() -> bool:
        watch.step()
        return signals.stop.is_set()

    try:
        precision = settle_precision(study, parts, assignment.placement, stop=begin_step, say=tell)
    except Stopped:
        return False
    placement = replace(assignment.placement, precision=precision)
    if os.environ.get(SELF_CHECK) != "0":
        watch.begin("start of training")
        for model in config.models:
            if not find_model(model).takes_options:
                check_training(model, placement.device, precision)
                continue
            with blaming(find_permitted(model), "a step of training raised "):
                example = replace(find_example(config, model), precision=precision)
                check_resuming(example, parts.train("none"), parts.classes, placement.device)
    watch.end_trial()
    worker_id = WorkerId.here()
    retry.notice()  # there may have been an outage before we came: the others get a lease's time
    pause = 0.1
    while not (signals.stop.is_set() or signals.finish.is_set()):
        lease = study.leases.claim(worker_id, study.new_trial)
        for lost in lease.failed:  # faults like any other: they count for the rules that end a search
            say(TrialEnded(number=lost.number, outcome=Outcome.WORKER_LOST, reason=str(lost.failed)))
        if isinstance(lease, NothingToClaim):
            if not lease.held:
                tidy(study, assignment.keep)
                say(NothingLeft(exhausted=lease.exhausted, settled=lease.settled))
                return True
            say(Waiting(held=lease.held))
            signals.stop.wait(pause)
            pause = min(2 * pause, 1.0)
            continue
        pause = 0.1
        signals.lost.clear()
        watch.begin_trial()
        beat: Any = partial(study.leases.heartbeat, lease)
        try:
            with send_heartbeats(beat, every=read_lease_seconds() / 3, late=lambda: watch.late, lost=signals.lost):
                train(study, lease, parts, placement, stop=signals.ask, say=say, watch=watch)
        finally:
            watch.end_trial()
        tidy(study, assignment.keep)
    return False
