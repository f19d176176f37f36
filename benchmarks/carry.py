"""How many workers one PostgreSQL carries that stands as it comes, with 100 connections.

    python -m benchmarks.carry --workers 50 100 200 400 1000 --trial 10 --seconds 60

A simulated worker is a thread that does all that a worker does with the database, heartbeats too, with connections of its own,
and pauses where it would train: a trial of --trial seconds has six epochs. Workers begin spread over one trial. `kept up` is the
share of the trials that they would finish if the database took no time; 1 means that it costs them nothing. All of it,
the server too, shares this machine's cores: where `CPU` nears them, the limit is this machine's and not the server's.
The run ends when its trials are finished; nothing may be lost, twice or in surplus.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as Flag
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import sqlalchemy as sa
from rich.table import Table

from .chaos_databases import database
from .fleet import NAME, make_empty, make_ours, read_server_cpu
from .measure import console, machine_line, write_json
from .noop import EPOCHS

KEPT_UP = 0.9  # what counts as carried
OPENING = threading.Semaphore(4)  # of a process: so many workers open the storage at once


@dataclass(frozen=True, kw_only=True)
class Carried:
    """One number of workers. Times in seconds."""

    workers: int
    trial: float
    asked: int
    finished: int
    twice: int
    taken_over: int
    errors: dict[str, int]
    waits: int  # times that a worker said the database was away
    wall: float
    kept_up: float
    latency: float  # the median trial's, without its pauses
    connections: int  # at most at once
    allowed: int
    cpu: float  # cores in use, of all processes
    server_cpu: float  # cores


def work(url: str, numbers: range, workers: int, trial: float, gave_up: Flag, pipe: Connection) -> None:
    """A process of simulated workers."""
    told = _Told()
    ready = threading.Barrier(len(numbers) + 1)
    given = (trial, ready, gave_up, told)
    threads = [threading.Thread(target=_simulate, args=(url, number / workers * trial, *given)) for number in numbers]
    for thread in threads:
        thread.start()
    ready.wait()  # all have opened the study
    pipe.send("ready")
    pipe.recv()
    ready.wait()
    for thread in threads:
        thread.join()
    pipe.send((told.numbers, told.latencies, told.counts, time.process_time()))


class _Told:
    """What the workers of a process have seen; appending and counting hold Python's own lock."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.latencies: list[float] = []
        self.counts: Counter[str] = Counter()


def _simulate(url: str, offset: float, trial: float, ready: threading.Barrier, gave_up: Flag, told: _Told) -> None:
    from tuner.study.driver_errors import find_cause
    from tuner.study.lease import NothingToClaim, read_lease_seconds
    from tuner.study.retry import Retry, StorageAway, open_again
    from tuner.study.storage import read_first_line
    from tuner.study.studies import load
    from tuner.study.worker_id import WorkerId
    from tuner.workers.events import Event, TrialEnded
    from tuner.workers.heartbeats import send_heartbeats

    from . import noop

    def say(line: str) -> None:
        told.counts["wait"] += "away" in line

    def hear(event: Event) -> None:
        if isinstance(event, TrialEnded):
            told.counts[event.outcome.value] += 1

    with OPENING:  # a machine of their own would open them: here a thousand share two cores
        storage = open_again(url, stop=threading.Event(), say=say)
    retry = Retry(storage, say=say)
    study = retry(lambda: load(storage, NAME, retry))
    worker_id, lost = WorkerId.here(), threading.Event()
    ready.wait()
    ready.wait()
    time.sleep(offset)
    try:
        while True:
            began = time.perf_counter()
            lease = study.leases.claim(worker_id, study.new_trial)
            if isinstance(lease, NothingToClaim):
                if lease.full or not lease.held or gave_up.is_set():
                    break
                time.sleep(1.0)
                continue
            told.numbers.append(lease.number)
            beat: Any = partial(study.leases.heartbeat, lease)
            with send_heartbeats(beat, every=read_lease_seconds() / 3, late=lambda: False, lost=lost):
                noop.train_nothing(study, lease, pause=trial / EPOCHS, say=hear)
            told.latencies.append(time.perf_counter() - began - trial)
    except Exception as error:
        told.counts[f"error {type(error).__name__}"] += 1
        if not isinstance(error, StorageAway):
            cause = find_cause(error)
            print(f"a worker gave up: {type(error).__name__}: {type(cause).__name__}: {read_first_line(cause)}", file=sys.stderr)
        gave_up.set()  # its process lives, so nobody will take up its trial: the others need not wait for it
    storage.close()


def measure(server: str, workers: int, trial: float, seconds: float, folder: Path) -> Carried:
    """One run on an empty database: so many trials that they would take the workers about so many seconds."""
    url = make_empty(server, "ours")
    asked = workers * max(1, round(seconds / trial))
    make_ours(url, asked, folder)
    processes = min(workers, 2 * (os.cpu_count() or 1))
    context = multiprocessing.get_context("spawn")
    pipes, children, gave_up = [], [], context.Event()
    for index in range(processes):
        ours, theirs = context.Pipe()
        given = (url, range(index, workers, processes), workers, trial, gave_up, theirs)
        children.append(context.Process(target=work, args=given, daemon=True))
        children[-1].start()
        pipes.append(ours)
    for pipe in pipes:
        assert pipe.recv() == "ready"
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    counting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    before = sum(_read_cpu(child.pid) for child in children)
    server_before, began, most = read_server_cpu(server), time.perf_counter(), 0
    for pipe in pipes:
        pipe.send("go")
    told: list[Any] = []
    waiting = list(pipes)
    with engine.connect() as connection:
        allowed = int(connection.execute(sa.text("SHOW max_connections")).scalar_one())
        while waiting:
            most = max(most, connection.execute(counting).scalar_one())
            for pipe in multiprocessing.connection.wait(waiting, timeout=0.2):
                told.append(pipe.recv())  # type: ignore[union-attr]
                waiting.remove(pipe)  # type: ignore[arg-type]
        wall = time.perf_counter() - began
        query = sa.text("SELECT count(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED')")
        finished = int(connection.execute(query).scalar_one())
    engine.dispose()
    server_cpu = read_server_cpu(server) - server_before
    counts: Counter[str] = sum((each[2] for each in told), Counter())
    numbers = Counter(number for each in told for number in each[0])
    for child in children:
        child.join()
    ideal = trial * asked / workers + trial * (workers - 1) / workers  # the last one begins that much later
    return Carried(
        workers=workers,
        trial=trial,
        asked=asked,
        finished=finished,
        twice=sum(count - 1 for count in numbers.values()),
        taken_over=counts["taken_over"],
        errors={name: count for name, count in counts.items() if name.startswith("error")},
        waits=counts["wait"],
        wall=wall,
        kept_up=ideal / wall,
        latency=median([seconds for each in told for seconds in each[1]] or [0.0]),
        connections=most,
        allowed=allowed,
        cpu=(sum(each[3] for each in told) - before + server_cpu) / wall,
        server_cpu=server_cpu / wall,
    )


def _read_cpu(pid: int | None) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.carry", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[50, 100, 200, 400, 700, 1000])
    parser.add_argument("--trial", type=float, default=10.0, help="seconds")
    parser.add_argument("--seconds", type=float, default=60.0, help="about how long each number of workers is run")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    found: list[Carried] = []
    out = console()
    with TemporaryDirectory() as name, database("postgresql", Path(name)) as server:
        for workers in options.workers:
            found.append(measure(server.url, workers, options.trial, options.seconds, Path(name)))
            out.print(f"{workers} workers: kept up {found[-1].kept_up:.2f}")
    out.print(_table(found))
    whole = [each for each in found if each.kept_up >= KEPT_UP and each.finished == each.asked and not each.errors and not each.taken_over]
    out.print(f"carried: {max((each.workers for each in whole), default=0)} workers with trials of {options.trial:g} s")
    most = found[-1]
    by_connections = most.allowed * options.trial / max(most.latency, 1e-9)
    out.print(f"{most.allowed} connections, each held for at most {most.latency:.2f} s a trial: enough for {by_connections:,.0f} workers")
    out.print(machine_line())
    write_json(options.json, {"outcomes": [asdict(each) for each in found]})


def _table(found: list[Carried]) -> Table:
    made = Table(title="Workers that one PostgreSQL carries", title_justify="left", box=None, pad_edge=False)
    headings = (
        "workers",
        "asked",
        "finished",
        "twice",
        "taken over",
        "errors",
        "waits",
        "kept up",
        "ms a trial",
        "connections",
        "CPU",
        "server CPU",
    )
    for heading in headings:
        made.add_column(heading, justify="right")
    for c in found:
        errors = ", ".join(f"{count} {name}" for name, count in c.errors.items()) or "0"
        counted = (str(c.workers), str(c.asked), str(c.finished), str(c.twice), str(c.taken_over), errors, str(c.waits))
        made.add_row(
            *counted,
            f"{c.kept_up:.2f}",
            f"{1000 * c.latency:.0f}",
            f"{c.connections} of {c.allowed}",
            f"{c.cpu:.2f}",
            f"{c.server_cpu:.2f}",
        )
    return made


if __name__ == "__main__":
    main()
