"""Many workers on one PostgreSQL: what the study costs them, ours beside plain Optuna.

Worker processes without training: a trial draws six parameters and makes six reports, with a pause before each report
that stands for an epoch on a GPU of its own (none in a no-op trial). Plain Optuna is `study.optimize` with
`MaxTrialsCallback`, as its documentation has it for several processes. The two take turns, each on an empty database.
All of it, the server too, shares this machine's cores; `server CPU` is the server's part of it.

Latency is a trial's time without its pauses. Twice: trials that two workers trained. Surplus: trials finished beyond
the number asked for. Last, how many GPUs one database keeps busy, each with one trial at a time: reckoned from the
server's CPU a trial, and all of the server's work done by as many cores as this machine has.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

import optuna
import psutil
import sqlalchemy as sa
from optuna.trial import TrialState
from rich.table import Table

from .chaos_databases import database
from .measure import arguments, console, machine_line, write_json
from .noop import EPOCHS, SPACE, accuracy, suggest_six

WORKERS = (1, 2, 4, 8, 16, 32)
PAUSE = 0.2  # seconds an epoch of a short trial
NAME = "fleet"
DURATIONS = {"10 s": 10.0, "1 min": 60.0, "10 min": 600.0}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One side, one number of workers. Times are in seconds; `latency` is the median trial's, `slow` the 95th percentile."""

    kind: str
    side: str
    workers: int
    asked: int
    finished: int
    surplus: int
    twice: int
    errors: dict[str, int]
    wall: float
    rate: float
    latency: float
    slow: float
    server_cpu: float  # a trial
    connections: int


def plain_worker(url: str, total: int, pause: float, pipe: Connection) -> None:
    """A process of plain Optuna."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name=NAME, storage=url)
    told = _Told(pipe)

    def objective(trial: optuna.Trial) -> float:
        suggest_six(trial)
        told.numbers.append(trial.number)
        for epoch in range(1, EPOCHS + 1):
            time.sleep(pause)
            trial.report(accuracy(trial.number, epoch), epoch)
            if epoch < EPOCHS:
                trial.should_prune()
        return accuracy(trial.number, EPOCHS)

    def ended(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        told.ended(pause)

    full = optuna.study.MaxTrialsCallback(total, states=(TrialState.COMPLETE, TrialState.PRUNED))
    told.ready()
    try:
        study.optimize(objective, callbacks=[ended, full])
    except Exception as error:
        told.errors[type(error).__name__] += 1
    told.over()


def our_worker(url: str, total: int, pause: float, pipe: Connection) -> None:
    """A worker of tuner, with nothing but the training and the checkpoint's file taken out."""
    from tuner.study.lease import NothingToClaim
    from tuner.study.storage import Storage
    from tuner.study.studies import load
    from tuner.study.worker_id import WorkerId

    from . import noop

    study = load(Storage(url), NAME)
    told, worker_id, held_for = _Told(pipe), WorkerId.here(), 0.1
    told.ready()
    try:
        while True:
            lease = study.leases.claim(worker_id, study.new_trial)
            if isinstance(lease, NothingToClaim):
                if not lease.held:
                    break
                time.sleep(held_for)
                held_for = min(2 * held_for, 1.0)
                told.began = time.perf_counter()
                continue
            told.numbers.append(lease.number)
            noop.train_nothing(study, lease, pause=pause)
            told.ended(pause)
    except Exception as error:
        told.errors[type(error).__name__] += 1
    told.over()


class _Told:
    """What a worker tells the parent: that it is ready, and at the end its trials, their latencies and its errors."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.numbers: list[int] = []
        self.latencies: list[float] = []
        self.errors: Counter[str] = Counter()
        self.began = 0.0

    def ready(self) -> None:
        self._pipe.send("ready")
        self._pipe.recv()
        self.began = time.perf_counter()

    def ended(self, pause: float) -> None:
        now = time.perf_counter()
        self.latencies.append(now - self.began - EPOCHS * pause)
        self.began = now

    def over(self) -> None:
        self._pipe.send((self.numbers, self.latencies, dict(self.errors)))
        self._pipe.recv()


SIDES = {"plain Optuna": plain_worker, "ours": our_worker}


def measure(server: str, side: str, kind: str, workers: int, asked: int, pause: float, folder: Path) -> Outcome:
    """One run on an empty database."""
    url = make_empty(server, side)
    if side == "ours":
        make_ours(url, asked, folder)
    else:
        optuna.create_study(storage=url, study_name=NAME, direction="maximize")
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for _ in range(workers):
        ours, theirs = context.Pipe()
        processes.append(context.Process(target=SIDES[side], args=(url, asked, pause, theirs), daemon=True))
        processes[-1].start()
        pipes.append(ours)
    for pipe in pipes:
        assert pipe.recv() == "ready"
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    cpu, began, most = read_server_cpu(server), time.perf_counter(), 0
    for pipe in pipes:
        pipe.send("go")
    told: list[Any] = []
    counting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    waiting = list(pipes)
    with engine.connect() as connection:
        while waiting:
            most = max(most, connection.execute(counting).scalar_one())
            connection.rollback()
            for pipe in multiprocessing.connection.wait(waiting, timeout=0.1):
                told.append(pipe.recv())  # type: ignore[union-attr]
                waiting.remove(pipe)  # type: ignore[arg-type]
    wall, cpu = time.perf_counter() - began, read_server_cpu(server) - cpu
    for pipe, process in zip(pipes, processes, strict=True):
        pipe.send("end")
        process.join()
    study = optuna.load_study(study_name=NAME, storage=url.replace("postgresql:", "postgresql+psycopg:", 1))
    finished = sum(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in study.get_trials(deepcopy=False))
    numbers = Counter(number for each in told for number in each[0])
    latencies = sorted(seconds for each in told for seconds in each[1])
    errors: Counter[str] = sum((Counter(each[2]) for each in told), Counter())
    engine.dispose()
    return Outcome(
        kind=kind,
        side=side,
        workers=workers,
        asked=asked,
        finished=finished,
        surplus=finished - asked,
        twice=sum(count - 1 for count in numbers.values()),
        errors=dict(errors),
        wall=wall,
        rate=finished / wall,
        latency=median(latencies),
        slow=quantiles(latencies, n=20)[-1] if len(latencies) > 1 else latencies[0],
        server_cpu=cpu / finished,
        connections=most,
    )


def make_empty(server: str, side: str) -> str:
    """The URL of an empty database."""
    name = f"fleet_{side.split()[-1].lower()}"
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    driver = "postgresql" if side == "ours" else "postgresql+psycopg"
    return url.set(database=name, drivername=driver).render_as_string(hide_password=False)


def make_ours(url: str, asked: int, folder: Path) -> None:
    from tuner.config.study_config import StudyConfig
    from tuner.study.storage import Storage
    from tuner.study.studies import create_or_load

    plain = {"model": "mynet", "pruner": {"name": "median", "n_min_trials": 10**6}, "space": SPACE}
    storage = Storage(url, make=True)
    create_or_load(storage, NAME, StudyConfig.from_dict(plain), "0" * 16, trials=asked, checkpoints=folder)
    storage.close()


def read_server_cpu(server: str) -> float:
    """Seconds of CPU of the server and of all its connections, ended ones too."""
    engine = sa.create_engine(sa.make_url(server).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    with engine.connect() as connection:
        postmaster = psutil.Process(connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()).parent()
        assert postmaster is not None
        first = postmaster.cpu_times()
        used = first.user + first.system + first.children_user + first.children_system
        for child in postmaster.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                used += times.user + times.system
    engine.dispose()
    return used


def main() -> None:
    options = arguments(str(__doc__), rounds=1, seconds=0)
    counts = (1, 2) if options.quick else WORKERS
    found: list[Outcome] = []
    with TemporaryDirectory() as name, database("postgresql", Path(name)) as server:
        for kind, pause, each in (("no-op", 0.0, 40), ("short", 0.02 if options.quick else PAUSE, 6)):
            for workers in counts:
                asked = (2 if options.quick else each) * max(workers, 2)
                for side in SIDES:
                    found.append(measure(server.url, side, kind, workers, min(asked, 400), pause, Path(name)))
    out = console()
    out.print(_table(found))
    out.print(_reckoned(found))
    if options.quick:
        out.print("--quick: these figures mean nothing")
    out.print(machine_line())
    write_json(options.json, {"quick": options.quick, "outcomes": [asdict(each) for each in found]})


def _table(found: list[Outcome]) -> Table:
    made = Table(
        title=f"Workers on one PostgreSQL; short trials pause {EPOCHS} x {PAUSE:g} s", title_justify="left", box=None, pad_edge=False
    )
    for heading in ("trials", "side"):
        made.add_column(heading)
    for heading in (
        "workers",
        "asked",
        "finished",
        "surplus",
        "twice",
        "errors",
        "trials/s",
        "ms a trial",
        "95 %",
        "server CPU ms",
        "conn.",
    ):
        made.add_column(heading, justify="right", no_wrap=True)
    for o in found:
        errors = ", ".join(f"{count} {name}" for name, count in o.errors.items()) or "0"
        figures = (f"{o.rate:.1f}", f"{1000 * o.latency:.0f}", f"{1000 * o.slow:.0f}", f"{1000 * o.server_cpu:.1f}", str(o.connections))
        made.add_row(o.kind, o.side, str(o.workers), str(o.asked), str(o.finished), str(o.surplus), str(o.twice), errors, *figures)
    return made


def _reckoned(found: list[Outcome]) -> Table:
    """GPUs kept busy: trials a second that the server's CPU allows, times the seconds of a trial."""
    made = Table(title="GPUs that one database keeps busy, reckoned", title_justify="left", box=None, pad_edge=False)
    made.add_column("side")
    for heading in ("server CPU ms a trial", *(f"trials of {name}" for name in DURATIONS)):
        made.add_column(heading, justify="right")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for side in SIDES:
        most = max(o.workers for o in found)
        cost = max(o.server_cpu for o in found if o.side == side and o.workers == most)
        made.add_row(side, f"{1000 * cost:.1f}", *(f"{cores / cost * seconds:,.0f}" for seconds in DURATIONS.values()))
    return made


if __name__ == "__main__":
    main()
