"""Who may take which trial: exact totals, claims and leases.

A search's total is a number on the study, its slots. A worker that finds nothing to take up again, and fewer
slots used than there are, makes one row and claims it, all in one transaction that takes the study's lock
first. A claim is a lease: an owner and a number that rises at every claim. Every write of a trial names both in
the same transaction, so a writer that lost its lease is refused, whenever it wakes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState, create_trial

from ..errors import TunerError
from .claim import Claim, Counts, EndedOutside, LeaseLost, NewTrial, NoClaim, Reaped, Zombie, lease_seconds
from .owner import Owner
from .patience import Patience
from .storage import Storage
from .tables import leases, studies, trials

T = TypeVar("T")
DEATHS = 3
UNFINISHED = (TrialState.WAITING, TrialState.RUNNING)


def _third_death() -> str:
    return f"its worker died {DEATHS} times while training it"


class Ledger:
    """The rows of one study: what is claimed, what is left, and every write of a claimed trial."""

    def __init__(self, storage: Storage, study_id: int, patience: Patience | None = None) -> None:
        self.storage = storage
        self.study_id = study_id
        self.patience = patience or Patience(storage)
        self._in_touch = time.time()  # a clock that runs on while this process or its machine sleeps

    def _touch(self) -> None:
        """The database has answered. If it had not for long, then it was away or we were frozen: the others' beats may be missing."""
        silent, self._in_touch = abs(time.time() - self._in_touch), time.time()
        if silent > lease_seconds() * 2 / 3:
            self.patience.notice()

    # -- totals

    def counts(self) -> Counts:
        return self.patience(self.peek)

    def peek(self) -> Counts:
        """The counts, without waiting out an outage."""
        with self.storage.engine.connect() as connection:
            found = connection.execute(sa.select(studies.c.slots, studies.c.stops).where(studies.c.study_id == self.study_id)).one()
            by_state = sa.select(trials.c.state, sa.func.count()).where(trials.c.study_id == self.study_id).group_by(trials.c.state)
            states = {state.name.lower(): count for state, count in connection.execute(by_state)}
        return Counts(slots=found.slots, stops=found.stops, **states)

    def stop(self) -> None:
        """Tell every search of the study to let its running trials finish, and end."""

        def write() -> None:
            with self.storage.engine.begin() as connection:
                connection.execute(sa.update(studies).where(studies.c.study_id == self.study_id).values(stops=studies.c.stops + 1))

        self.patience(write)

    # -- claims

    def claim(self, owner: Owner, new: Callable[[], NewTrial | None], *, make: bool = True) -> Claim | NoClaim:
        """Take up the oldest trial that nobody holds, or make a new one while slots are left.

        `new` says what a new row starts with, or None where the space has nothing more; it is called under the
        study's lock. With `make` false only begun trials are taken up.
        """

        made: Claim | None = None

        def attempt() -> Claim | NoClaim:
            nonlocal made
            with self._locked() as (connection, slots):
                if made is not None and self._holds(connection, made):
                    return made  # the commit before the outage had succeeded
                held = 0
                for row in self._unfinished(connection):
                    if row.state is TrialState.RUNNING and not self._abandoned(row):
                        held += row.owner is not None  # a RUNNING row that was never ours is no one to wait for
                        continue
                    died = row.state is TrialState.RUNNING
                    if self._bury(connection, row, died=died):
                        continue
                    if not died:
                        self.storage.optuna.set_trial_state_values(row.trial_id, TrialState.RUNNING)
                    deaths = (row.deaths or 0) + int(died)
                    made = self._lease(connection, row.trial_id, row.number, owner, deaths=deaths, taken_up=True)
                    return made
                counted = sa.select(sa.func.count()).where(trials.c.study_id == self.study_id, trials.c.state != TrialState.FAIL)
                if connection.execute(counted).scalar_one() >= slots:
                    return NoClaim(held=held, full=True)
                fresh = new() if make else None
                if fresh is None:
                    return NoClaim(held=held, exhausted=make)
                system_attrs = {"fixed_params": fresh.params} if fresh.params else {}
                template = create_trial(state=TrialState.RUNNING, user_attrs=fresh.user_attrs, system_attrs=system_attrs)
                trial_id = self.storage.optuna.create_new_trial(self.study_id, template)
                number = connection.execute(sa.select(trials.c.number).where(trials.c.trial_id == trial_id)).scalar_one()
                made = self._lease(connection, trial_id, number, owner, deaths=0, taken_up=False)
                return made

        return self.patience(attempt)

    def _holds(self, connection: sa.Connection, claim: Claim) -> bool:
        return connection.execute(self._beat(claim)).rowcount == 1

    @contextmanager
    def _locked(self) -> Iterator[tuple[sa.Connection, int]]:
        """A transaction that holds the study's lock, and the study's slots."""
        with self.storage.transaction() as connection:
            mine = studies.c.study_id == self.study_id
            connection.execute(sa.update(studies).where(mine).values(turn=studies.c.turn + 1))
            self._touch()
            slots = connection.execute(sa.select(studies.c.slots).where(mine)).scalar_one_or_none()
            if slots is None:
                raise TunerError("the study was deleted meanwhile: search again to make it anew")
            yield connection, slots

    def _unfinished(self, connection: sa.Connection) -> list[Any]:
        joined = trials.outerjoin(leases, leases.c.trial_id == trials.c.trial_id)
        expired = (leases.c.beat < self.storage.now - lease_seconds()).label("expired")
        columns = (trials.c.trial_id, trials.c.number, trials.c.state, leases.c.owner, leases.c.deaths, expired)
        where = (trials.c.study_id == self.study_id, trials.c.state.in_(UNFINISHED))
        return list(connection.execute(sa.select(*columns).select_from(joined).where(*where).order_by(trials.c.number)))

    def _abandoned(self, row: Any) -> bool:
        """Whether a RUNNING row's owner is gone: seen to be dead, or silent for a lease's time.

        After an outage every lease looks expired at once, so each owner is given one lease's time to beat again.
        An outage is noticed by a call that failed, or by having heard nothing from the database for long.
        """
        if row.owner is None:
            return False
        return Owner.parse(row.owner).is_dead() or (bool(row.expired) and not self.patience.recent(lease_seconds()))

    def _bury(self, connection: sa.Connection, row: Any, *, died: bool) -> bool:
        """Write one more death on a trial, and end it at the third. True where it ended."""
        deaths = (row.deaths or 0) + int(died)
        if not died or deaths < DEATHS:
            return False
        self.storage.optuna.set_trial_user_attr(row.trial_id, "run", {"reason": _third_death(), "workers_lost": deaths})
        self.storage.optuna.set_trial_state_values(row.trial_id, TrialState.FAIL)
        connection.execute(sa.update(leases).where(leases.c.trial_id == row.trial_id).values(owner=None, deaths=deaths))
        return True

    def _lease(self, connection: sa.Connection, trial_id: int, number: int, owner: Owner, *, deaths: int, taken_up: bool) -> Claim:
        mine = leases.c.trial_id == trial_id
        values = {"owner": str(owner), "beat": self.storage.now, "deaths": deaths}
        updated = connection.execute(sa.update(leases).where(mine).values(epoch=leases.c.epoch + 1, study_id=self.study_id, **values))
        if updated.rowcount == 0:
            connection.execute(sa.insert(leases).values(trial_id=trial_id, study_id=self.study_id, epoch=1, **values))
        epoch = connection.execute(sa.select(leases.c.epoch).where(mine)).scalar_one()
        return Claim(trial_id=trial_id, number=number, owner=str(owner), epoch=epoch, deaths=deaths, taken_up=taken_up)

    # -- writes of a claimed trial

    def write(self, claim: Claim, call: Callable[[], T], *, alone: bool = False) -> T:
        """Run `call`'s writes in one transaction that first proves the lease, and beats it.

        With `alone` the study's lock is held too. Errors: LeaseLost, EndedOutside.
        """

        def attempt() -> T:
            with self.storage.transaction() as connection:
                if alone:
                    connection.execute(sa.update(studies).where(studies.c.study_id == self.study_id).values(turn=studies.c.turn + 1))
                if connection.execute(self._beat(claim)).rowcount == 0:
                    raise LeaseLost(f"trial {claim.number} is in other hands")
                return self._unless_ended(connection, claim, call)

        return self.patience(attempt)

    def finish(self, claim: Claim, call: Callable[[], object]) -> None:
        """As `write`, and the lease is given up. Repeated after a commit that did not say so, it finds its work done."""

        def attempt() -> None:
            with self.storage.transaction() as connection:
                if connection.execute(self._beat(claim)).rowcount == 0:
                    if self._given_up(connection, claim):
                        return
                    raise LeaseLost(f"trial {claim.number} is in other hands")
                self._unless_ended(connection, claim, call)
                connection.execute(sa.update(leases).where(leases.c.trial_id == claim.trial_id).values(owner=None))

        self.patience(attempt)

    def _unless_ended(self, connection: sa.Connection, claim: Claim, call: Callable[[], T]) -> T:
        try:
            state = connection.execute(sa.select(trials.c.state).where(trials.c.trial_id == claim.trial_id)).scalar()
            if state is TrialState.RUNNING:
                return call()
        except UpdateFinishedTrialError:
            pass
        raise EndedOutside(f"trial {claim.number} was ended from outside")

    def _beat(self, claim: Claim) -> sa.Update:
        held = (leases.c.trial_id == claim.trial_id, leases.c.owner == claim.owner, leases.c.epoch == claim.epoch)
        return sa.update(leases).where(*held).values(beat=self.storage.now)

    def _given_up(self, connection: sa.Connection, claim: Claim) -> bool:
        given = (leases.c.trial_id == claim.trial_id, leases.c.owner.is_(None), leases.c.epoch == claim.epoch)
        return connection.execute(sa.select(leases.c.trial_id).where(*given)).first() is not None

    def beat(self, claim: Claim) -> bool:
        """Say that the owner lives. False where the lease is lost. No waiting: the next beat comes soon."""
        with self.storage.engine.begin() as connection:
            held = self._holds(connection, claim)
        self._touch()
        return held

    def requeue(self, claim: Claim) -> None:
        """Put the trial back in the queue with all it has: a clean stop, no death."""
        self.finish(claim, lambda: self.storage.optuna.set_trial_state_values(claim.trial_id, TrialState.WAITING))

    def drop(self, claim: Claim) -> None:
        """Give up the lease of a trial that was ended from outside."""

        def write() -> None:
            with self.storage.engine.begin() as connection:
                held = (leases.c.trial_id == claim.trial_id, leases.c.owner == claim.owner, leases.c.epoch == claim.epoch)
                connection.execute(sa.update(leases).where(*held).values(owner=None))

        self.patience(write)

    def reap(self, owner: Owner, *, died: bool = True) -> list[Reaped]:
        """A worker of ours has ended: trials it still held go back in the queue at once.

        With `died` that counts against them, and the third time ends them.
        """

        def attempt() -> list[Reaped]:
            with self._locked() as (connection, _):
                found = []
                for row in self._unfinished(connection):
                    if row.state is TrialState.RUNNING and row.owner == str(owner):
                        buried = self._bury(connection, row, died=died)
                        found.append(Reaped(number=row.number, failed=_third_death() if buried else None))
                        if not buried:
                            self.storage.optuna.set_trial_state_values(row.trial_id, TrialState.WAITING)
                            where = leases.c.trial_id == row.trial_id
                            connection.execute(sa.update(leases).where(where).values(owner=None, deaths=leases.c.deaths + int(died)))
                return found

        return self.patience(attempt)

    # -- what other tools left behind

    def zombies(self) -> list[Zombie]:
        """RUNNING rows in nobody's hands."""

        def read() -> list[Zombie]:
            with self.storage.engine.connect() as connection:
                found = []
                for row in self._unfinished(connection):
                    if row.state is TrialState.RUNNING and (row.owner is None or self._abandoned(row)):
                        why = "no worker of tuner ever held it" if row.owner is None else "its worker is gone"
                        found.append(Zombie(trial_id=row.trial_id, number=row.number, why=why))
                return found

        return self.patience(read)

    def mend(self, found: list[Zombie]) -> int:
        """Put zombies back in the queue. How many still were."""

        def attempt() -> int:
            with self._locked() as (connection, _):
                wanted = {zombie.trial_id for zombie in found}
                mended = 0
                for row in self._unfinished(connection):
                    if row.trial_id in wanted and row.state is TrialState.RUNNING and (row.owner is None or self._abandoned(row)):
                        self.storage.optuna.set_trial_state_values(row.trial_id, TrialState.WAITING)
                        connection.execute(sa.update(leases).where(leases.c.trial_id == row.trial_id).values(owner=None))
                        mended += 1
                return mended

        return self.patience(attempt)
