"""Who may train which trial: exact totals, claims and leases.

A study's total is `n_trials` (the column `slots`). A worker that finds nothing to resume, and fewer trials than the
total, makes one row and claims it, all in one transaction that takes the study's lock first. A claim gives a lease: a
worker's id and a number, the fence (the column `epoch`), that rises at every claim and revocation. Every write of a trial names both
in the same transaction, so a writer that lost its lease is refused, whenever it wakes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import sqlalchemy as sa
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState, create_trial

from ..errors import TunerError
from .contact import Contact
from .counts import count_used, read_counts
from .facts import count_forgiven, write_facts, write_run
from .holders import count_held, find_dead, left_behind, read_unfinished
from .lease import Counts, EndedByOtherTool, Lease, LeaseLost, NewTrial, NothingToClaim, Released, StaleTrial, read_lease_seconds
from .outcome import Outcome
from .retry import Retry
from .storage import Storage
from .tables import leases, studies, trials
from .worker_id import WorkerId

T = TypeVar("T")
_REVOKED = {"owner": None, "epoch": leases.c.epoch + 1}  # by others: a worker that wakes late does not take it for its own end
MOST_CRASHES = 3  # of workers in one trial without a further epoch; then the trial is at fault


def _describe_crashes(cause: str = "") -> str:
    return f"its worker died {MOST_CRASHES} times while training it{cause and f', at last because {cause}'}"


class Leases:
    """The rows of one study: which are leased, how many are left, and every write of a leased trial."""

    def __init__(self, storage: Storage, study_id: int, retry: Retry | None = None) -> None:
        self.storage = storage
        self.study_id = study_id
        self.retry = retry or Retry(storage)
        self._contact = Contact(self.retry)

    def counts(self) -> Counts:
        return self.retry(self.peek)

    def peek(self) -> Counts:
        """The counts, without waiting out an outage."""
        return read_counts(self.storage, self.study_id)

    def stop(self) -> None:
        """Tell every search of the study to let its running trials finish, and end."""

        def write() -> None:
            with self.storage.engine.begin() as connection:
                connection.execute(sa.update(studies).where(studies.c.study_id == self.study_id).values(stops=studies.c.stops + 1))

        self.retry(write)

    def claim(self, worker_id: WorkerId, new: Callable[[], NewTrial | None]) -> Lease | NothingToClaim:
        """Lease the oldest trial that no living worker holds, or a new one while there are fewer than the total.

        `new`, called under the study's lock, says what a new row starts with, or None where the space has nothing more.
        """
        made: Lease | None = None
        failed: dict[int, Released] = {}  # over all attempts: one whose acknowledgement was lost has ended trials too

        def attempt() -> Lease | NothingToClaim:
            nonlocal made
            with self._locked() as (connection, n_trials):
                if made is not None and self._renew(connection, made):
                    return made  # the commit before the outage had succeeded
                owners = count_held(connection, self.study_id)  # a RUNNING row that no worker of ours held is not waited for
                held = sum(owners.values())
                for row in self._unfinished(connection, left_behind(self.storage, find_dead(owners))):
                    if row.state is TrialState.RUNNING and not self._abandoned(row):
                        continue
                    crashed = row.state is TrialState.RUNNING
                    if self._fail_if_it_crashes_too_often(connection, row, crashed=crashed):
                        failed[row.number] = Released(number=row.number, failed=_describe_crashes())
                        held -= 1
                        continue
                    if not crashed:
                        self.storage.optuna.set_trial_state_values(row.trial_id, TrialState.RUNNING)
                    crashes = (row.deaths or 0) + int(crashed)
                    made = self._lease(connection, row.trial_id, row.number, worker_id, crashes=crashes, resumed=True)
                    return made
                found = self._find_more(connection, n_trials, held, worker_id, new)
                made = found if isinstance(found, Lease) else None
                return found

        claimed = self.retry(attempt)
        return replace(claimed, failed=tuple(failed.values())) if failed else claimed

    def _find_more(
        self, connection: sa.Connection, n_trials: int, held: int, worker_id: WorkerId, new: Callable[[], NewTrial | None]
    ) -> Lease | NothingToClaim:
        """What there is beside trials that were left behind: a new one."""
        if count_used(connection, self.study_id) >= n_trials:
            return NothingToClaim(held=held, full=True)
        if (fresh := new()) is None:
            return NothingToClaim(held=held, exhausted=True)
        template = create_trial(state=TrialState.RUNNING, system_attrs={"fixed_params": fresh.params} if fresh.params else {})
        trial_id = self.storage.optuna.create_new_trial(self.study_id, template)
        write_facts(self.storage, self.study_id, trial_id, **fresh.facts)
        number = connection.execute(sa.select(trials.c.number).where(trials.c.trial_id == trial_id)).scalar_one()
        return self._lease(connection, trial_id, number, worker_id, crashes=0, resumed=False)

    def _renew(self, connection: sa.Connection, lease: Lease) -> bool:
        """Renew the lease by a heartbeat. False where it is lost."""
        return connection.execute(self._renewal(lease)).rowcount == 1

    @contextmanager
    def _locked(self) -> Iterator[tuple[sa.Connection, int]]:
        """A transaction that holds the study's lock, and the study's total of trials."""
        with self.storage.transaction() as connection:
            mine = studies.c.study_id == self.study_id
            connection.execute(sa.update(studies).where(mine).values(turn=studies.c.turn + 1))
            found = connection.execute(sa.select(studies.c.slots, self.storage.now.label("now")).where(mine)).one_or_none()
            if found is None:
                raise TunerError("the study was deleted meanwhile: search again to make it anew")
            self._contact.note(found.now)
            yield connection, found.slots

    def _unfinished(self, connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Any]:
        return read_unfinished(connection, self.storage, self.study_id, *where)

    def _abandoned(self, row: Any) -> bool:
        """Whether a RUNNING row's worker is gone: seen to be dead, or silent for a lease's time.

        After an outage every lease looks expired at once, so each worker is given one lease's time for a heartbeat.
        An outage is noticed by a call that failed, or by what `Contact` heard.
        """
        if row.owner is None:
            return False
        return WorkerId.parse(row.owner).is_dead() or (bool(row.expired) and not self.retry.noticed_within(read_lease_seconds()))

    def _fail_if_it_crashes_too_often(self, connection: sa.Connection, row: Any, *, crashed: bool, cause: str = "") -> bool:
        """End a trial whose worker crashed for the third time without a further epoch. True where it ended."""
        crashes = (row.deaths or 0) + int(crashed)
        if not crashed or crashes < MOST_CRASHES or crashes - count_forgiven(self.storage, self.study_id, row.trial_id) < MOST_CRASHES:
            return False
        run = {"reason": _describe_crashes(cause), "outcome": Outcome.WORKER_LOST, "workers_lost": crashes}
        write_run(self.storage, self.study_id, row.trial_id, run)
        self.storage.optuna.set_trial_state_values(row.trial_id, TrialState.FAIL)
        connection.execute(sa.update(leases).where(leases.c.trial_id == row.trial_id).values(**_REVOKED, deaths=crashes))
        return True

    def _lease(self, connection: sa.Connection, trial_id: int, number: int, worker_id: WorkerId, *, crashes: int, resumed: bool) -> Lease:
        mine = leases.c.trial_id == trial_id
        values = {"owner": str(worker_id), "beat": self.storage.now, "deaths": crashes}
        updated = connection.execute(sa.update(leases).where(mine).values(epoch=leases.c.epoch + 1, study_id=self.study_id, **values))
        if updated.rowcount == 0:
            connection.execute(sa.insert(leases).values(trial_id=trial_id, study_id=self.study_id, epoch=1, **values))
        fence = connection.execute(sa.select(leases.c.epoch).where(mine)).scalar_one()
        self.storage.linger()  # its parameters are drawn next
        return Lease(trial_id=trial_id, number=number, worker_id=str(worker_id), fence=fence, crashes=crashes, resumed=resumed)

    # -- writes of a leased trial

    def write(self, lease: Lease, call: Callable[[], T], *, alone: bool = False) -> T:
        """Run `call`'s writes in one transaction that first proves the lease, and renews it.

        With `alone` the study's lock is held too. Errors: LeaseLost, EndedByOtherTool.
        """

        def attempt() -> T:
            with self.storage.transaction() as connection:
                if alone:
                    connection.execute(sa.update(studies).where(studies.c.study_id == self.study_id).values(turn=studies.c.turn + 1))
                if not self._renew(connection, lease):
                    raise _lost(lease)
                return self._unless_ended(connection, lease, call)

        return self.retry(attempt)

    def finish(self, lease: Lease, call: Callable[[], object]) -> None:
        """As `write`, and the lease is given up. Safe to repeat when the commit's acknowledgement was lost: it finds its work done."""

        def attempt() -> None:
            with self._ending(lease) as connection:
                if not self._renew(connection, lease):
                    if self._given_up(connection, lease):
                        return
                    raise _lost(lease)
                self._unless_ended(connection, lease, call)
                connection.execute(sa.update(leases).where(leases.c.trial_id == lease.trial_id).values(owner=None))
                self.storage.linger()  # the worker claims the next one

        self.retry(attempt)
        self.storage.write_through()

    @contextmanager
    def _ending(self, lease: Lease) -> Iterator[sa.Connection]:
        """The transaction in which a lease is given up."""
        with self.storage.transaction() as connection:
            yield connection

    def _unless_ended(self, connection: sa.Connection, lease: Lease, call: Callable[[], T]) -> T:
        try:
            state = connection.execute(sa.select(trials.c.state).where(trials.c.trial_id == lease.trial_id)).scalar()
            if state is TrialState.RUNNING:
                return call()
        except UpdateFinishedTrialError:
            pass
        raise EndedByOtherTool(f"trial {lease.number} was ended by another tool")

    def _renewal(self, lease: Lease) -> sa.Update:
        held = (leases.c.trial_id == lease.trial_id, leases.c.owner == lease.worker_id, leases.c.epoch == lease.fence)
        return sa.update(leases).where(*held).values(beat=self.storage.now)

    def _given_up(self, connection: sa.Connection, lease: Lease) -> bool:
        given = (leases.c.trial_id == lease.trial_id, leases.c.owner.is_(None), leases.c.epoch == lease.fence)
        return connection.execute(sa.select(leases.c.trial_id).where(*given)).first() is not None

    def heartbeat(self, lease: Lease) -> bool:
        """Say that the worker lives. False where the lease is lost. No waiting: the next heartbeat comes soon."""
        with self.storage.engine.begin() as connection:
            held = self._renew(connection, lease)
            now = connection.execute(sa.select(self.storage.now)).scalar_one()
        self._contact.note(now)
        return held

    def requeue(self, lease: Lease) -> None:
        """Put the trial back in the queue with all it has: a clean stop, no crash."""
        self.finish(lease, lambda: self.storage.optuna.set_trial_state_values(lease.trial_id, TrialState.WAITING))

    def drop(self, lease: Lease) -> None:
        """Give up the lease of a trial that another tool ended."""

        def write() -> None:
            with self.storage.engine.begin() as connection:
                connection.execute(self._renewal(lease).values(owner=None))

        self.retry(write)

    # -- trials that are left behind

    def release(self, worker_id: WorkerId, *, crashed: bool = True, cause: str = "") -> list[Released]:
        """A worker of ours has ended: trials it still held go back in the queue at once.

        With `crashed` that counts against them, and the third time ends them; `cause` is said then.
        """

        def attempt() -> list[Released]:
            with self._locked() as (connection, _):
                found = []
                for row in self._unfinished(connection, leases.c.owner == str(worker_id)):
                    if row.state is TrialState.RUNNING:
                        failed = self._fail_if_it_crashes_too_often(connection, row, crashed=crashed, cause=cause)
                        found.append(Released(number=row.number, failed=_describe_crashes(cause) if failed else None))
                        if not failed:
                            self._put_back(connection, row.trial_id, deaths=leases.c.deaths + int(crashed))
                return found

        return self.retry(attempt)

    def stale_trials(self) -> list[StaleTrial]:
        """RUNNING rows that no living worker holds."""

        def read() -> list[Any]:
            with self.storage.connect() as connection:
                return [row for row in self._unfinished(connection) if self._stale(row)]

        found = [(row, row.owner is not None) for row in self.retry(read)]
        why = {False: "no worker of tuner ever held it", True: "its worker is gone"}
        return [
            StaleTrial(trial_id=row.trial_id, number=row.number, why=why[held], silent=held and not WorkerId.parse(row.owner).is_dead())
            for row, held in found
        ]

    def requeue_stale(self, found: list[StaleTrial]) -> int:
        """Put stale trials back in the queue. How many still were stale."""

        def attempt() -> int:
            with self._locked() as (connection, _):
                wanted = {stale.trial_id for stale in found}
                rows = [row for row in self._unfinished(connection) if row.trial_id in wanted and self._stale(row)]
                for row in rows:
                    self._put_back(connection, row.trial_id)
                return len(rows)

        return self.retry(attempt)

    def _stale(self, row: Any) -> bool:
        return row.state is TrialState.RUNNING and (row.owner is None or self._abandoned(row))

    def _put_back(self, connection: sa.Connection, trial_id: int, **values: Any) -> None:
        self.storage.optuna.set_trial_state_values(trial_id, TrialState.WAITING)
        connection.execute(sa.update(leases).where(leases.c.trial_id == trial_id).values(**_REVOKED, **values))


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(f"trial {lease.number} was taken over by another worker")
