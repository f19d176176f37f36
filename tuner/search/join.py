"""Working on studies that another command made: what `tuner worker` does."""

from __future__ import annotations

import threading
from dataclasses import replace

from ..config.named_code import name_stored_code
from ..config.study_files import find
from ..console.text import say
from ..errors import Interrupted, TunerError
from ..signals import catch_signals
from ..study import studies
from ..study.confirmation import find_confirmation
from ..study.retry import Retry, StorageAway
from ..study.storage import NoStudyYet, NotOpen, Storage
from ..study.studies import Unfinished
from ..study.study import Study
from .confirm import NOTHING_KEPT
from .request import Request
from .run import supervise

POLL_SECONDS = 2.0


def join(request: Request) -> None:
    """Work on one study until its total is reached, or on its confirmation after that. An empty name is the study searched last."""
    storage = Storage(request.storage)
    study = _load(storage, request.study)
    confirmation = find_confirmation(study) if _is_finished(study) else None
    _work(study if confirmation is None or _is_finished(confirmation) else confirmation, request)


def _work(study: Study, request: Request) -> None:
    """Work on it to its end. What became of a confirmation says whoever began it."""
    if study.plan is None:
        supervise(study, request)
        return
    say(f"joining the confirmation {study.name!r}")
    supervise(study, replace(request, closing=False, keep=NOTHING_KEPT))


def _is_finished(study: Study) -> bool:
    counts = study.leases.counts()
    return counts.finished >= counts.n_trials


def _load(storage: Storage, named: str, left: Unfinished | None = None) -> Study:
    """The study, and its network's file where that is the user's own. Errors: UsageError where it is not here, or was changed.

    `left` says which of a study and its confirmation it is.
    """
    study = studies.join(storage, left.name if left else find(named)[0] if named else None)
    what = named or (left.of if left else study.name)
    name_stored_code(study.config.code, what, remedy="let `tuner search` go on with --accept-changed-code")
    return study


def join_every(request: Request) -> None:
    """Work on every study that has trials left, or on the one named, as searches begin. Only a signal ends it.

    A study whose work ended here (full, stopped, failed, out of configurations) is left alone until it is searched
    again. Errors: Interrupted.
    """
    wanted = find(request.study)[0] if request.study else ""
    over: dict[str, float] = {}
    with catch_signals() as stop:  # while a search is supervised, its supervisor has the signals
        storage = _open(request.storage, stop)
        retry = Retry(storage, stop=stop, say=say)
        waiting = False
        while not stop.is_set():
            try:
                left = retry(lambda: studies.list_unfinished(storage))
            except StorageAway as away:
                say(away.message)
                continue
            chosen = next((each for each in left if wanted in ("", each.name, each.of) and over.get(each.name) != each.searched), None)
            if chosen is None:
                if not waiting:
                    say(f"waiting for {f'study {request.study!r}' if request.study else 'searches'} in {str(storage)!r}; Ctrl-C ends it")
                waiting = True
                stop.wait(POLL_SECONDS)
                continue
            waiting = False
            say(f"joining study {chosen.of!r}")
            try:
                _work(_load(storage, request.study, chosen), replace(request, study=chosen.name))
            except Interrupted:
                raise
            except StorageAway as away:
                say(away.message)
                continue
            except TunerError as error:
                say(f"Error: {error.message}")
            over[chosen.name] = chosen.searched
    raise Interrupted("interrupted while waiting: no trial was being trained")


def _open(url: str | None, stop: threading.Event) -> Storage:
    """The storage, as soon as it opens."""
    said = False
    while True:
        try:
            return Storage(url)
        except (NotOpen, NoStudyYet) as error:
            if not said:
                say(f"{error.message}: waiting for it")
            said = True
            if stop.wait(POLL_SECONDS):
                raise Interrupted("interrupted while waiting: no trial was being trained") from None
