"""A search from its command line to its table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .board import board
from .config import StudyConfig
from .data import Dataset, load, split
from .errors import Interrupted, TunerError, UsageError, nearest
from .output import print_best, say
from .places import Place, places
from .study import record as records
from .study.patience import StorageAway
from .study.record import Record
from .study.sampler import make_pruner, make_sampler
from .study.storage import Storage
from .studyfiles import available, find
from .workers.engine import Engine
from .workers.local import LocalEngine
from .workers.supervisor import Supervisor, Verdict


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for on the command line."""

    study: str
    trials: int | None = None
    more: int | None = None
    gpu: str | None = None
    device: str = "auto"
    workers: int | None = None
    threads: int = 1
    source: str | None = None
    seed: int | None = None
    timeout: float | None = None
    target: float | None = None
    checkpoints: Path | None = None
    keep: int = 5
    precision: str = "fp32"
    capture: bool = False
    engine: str = "local"
    address: str | None = None
    gpus_per_worker: float | None = None
    publish: bool = True
    storage: str | None = None
    progress: bool = True


def run(request: Request, *, dry_run: bool = False) -> None:
    """Make the study or go on with it, until its total is reached or something ends the search.

    Errors: UsageError and TunerError before anything is written, Interrupted after a clean stop.
    """
    if request.trials is not None and request.more is not None:
        raise UsageError(f"--trials {request.trials} and --more {request.more} say two things: give one of them")
    _check_engine(request, dry_run)
    name, path = find(request.study)
    config = StudyConfig.from_file(path) if path is not None else None
    if dry_run:
        from .dryrun import dry_run as estimate

        if config is None:
            raise UsageError(f"no study {name!r} in ./studies or among the shipped ones: {nearest(name, available())}")
        config = config.overridden(source=request.source, seed=request.seed)
        estimate(name, config, _dataset(config, request.progress), request)
        return
    # Unusable devices and data are told before a storage is made.
    if config is not None:
        config = config.overridden(source=request.source, seed=request.seed)
    elif not request.storage and not Path("studies/tuner.db").exists():
        raise UsageError(f"no study {name!r} in ./studies or among the shipped ones: {nearest(name, available())}")
    if request.engine == "local":
        _places(request, 10**6)
    dataset = _dataset(config, request.progress) if config is not None else None
    if config is not None:
        make_sampler(config)
        make_pruner(config)
    storage = Storage(request.storage, make=request.more is None)
    if config is None:
        config = _stored(storage, name).overridden(source=request.source, seed=request.seed)
    if dataset is None:
        dataset = _dataset(config, request.progress)
    record = records.make_or_go_on(
        storage,
        name,
        config,
        dataset.fingerprint,
        trials=request.trials,
        more=request.more,
        checkpoints=request.checkpoints,
    )
    supervise(record, request)


def supervise(record: Record, request: Request) -> None:
    """Run workers on a study to the end, and say how it ended."""
    counts = record.ledger.counts()
    left = counts.slots - counts.finished
    if left <= 0:
        say(
            f"Study {record.name!r} is finished: {counts.finished} of {counts.slots} trials. To go on: tuner search {record.name} --more 10"
        )
        print_best(record)
        return
    with _placed(record, request, left) as (engine, where), board(record, where, counts, shown=request.progress) as view:
        supervisor = Supervisor(
            record,
            request.storage,
            where,
            view,
            engine,
            source=request.source,
            keep=request.keep,
            timeout=request.timeout,
            target=request.target,
        )
        record.ledger.patience.stop_with(supervisor.interrupted, view.say)
        verdict = supervisor.run()
    _conclude(record, verdict, request)


@contextmanager
def _placed(record: Record, request: Request, left: int) -> Iterator[tuple[Engine, list[Place]]]:
    """What starts the workers, and the place of each."""
    if request.engine == "local":
        yield LocalEngine(), _places(request, left)
        return
    from .workers.on_ray import ray_engine  # an extra

    wanted = (request.workers or 1) * request.threads
    share = request.gpus_per_worker
    with ray_engine(record, request.address, gpus=share, device=request.device, local_cpus=wanted) as engine:
        yield (
            engine,
            engine.places(request.workers, at_most=left, threads=request.threads, precision=request.precision, capture=request.capture),
        )


def _places(request: Request, at_most: int) -> list[Place]:
    return places(
        device=request.device,
        gpu=request.gpu,
        workers=request.workers,
        at_most=at_most,
        threads=request.threads,
        precision=request.precision,
        capture=request.capture,
    )


def _check_engine(request: Request, dry_run: bool) -> None:
    """Errors: UsageError for options that do not go together."""
    if request.engine == "local":
        for option, value in (("--address", request.address), ("--gpus-per-worker", request.gpus_per_worker)):
            if value is not None:
                raise UsageError(f"{option} {value} is for --engine ray: add it, or leave {option} out")
        return
    if request.gpu is not None:
        raise UsageError(f"--gpu {request.gpu} names a GPU of this machine, and Ray gives workers theirs: use --gpus-per-worker")
    if request.device not in ("auto", "cpu") or (request.device == "cpu" and request.gpus_per_worker):
        raise UsageError(f"--device {request.device} does not go with --engine ray: use --gpus-per-worker, or --device cpu without it")
    if request.address is not None and "://" in request.address:
        raise UsageError(f"--address {request.address} is Ray's client: give HOST:PORT of the head, such as 10.0.0.1:6379")
    if dry_run:
        raise UsageError("--dry-run times steps on this machine: leave --engine ray out")
    if find_spec("ray") is None:
        raise UsageError("--engine ray needs Ray: pip install 'optuna-tuner[ray]'")


def _conclude(record: Record, verdict: Verdict, request: Request) -> None:
    try:
        counts = record.ledger.counts()
    except StorageAway:
        if verdict.kind in ("failed", "away"):
            raise StorageAway(verdict.reason) from None
        raise
    standing = f"{counts.finished} of {counts.slots} trials"
    if verdict.kind in ("failed", "away"):
        error = StorageAway if verdict.kind == "away" else TunerError
        raise error(f"{verdict.reason}; {standing} are finished, `tuner show {record.name}` has the details")
    if verdict.kind == "interrupted":
        raise Interrupted(f"interrupted: {standing} finished, {counts.waiting} back in the queue; the same command goes on")
    words = {
        "full": f"Study {record.name!r} is finished: {standing}.",
        "exhausted": f"Study {record.name!r} is finished: every configuration of its space was tried, {standing}.",
    }
    say(words.get(verdict.kind, f"Search ended, {verdict.reason}: {standing} finished, {counts.waiting} back in the queue."))
    print_best(record)
    if request.publish:
        from .publish import publish_quietly  # here, because plots are slow to import

        publish_quietly(record, request.keep)
    say(f"Next: tuner best {record.name} --export config.yaml, then tuner train config.yaml")


def _stored(storage: Storage, name: str) -> StudyConfig:
    """The definition of a study whose file is not at hand."""
    if name not in records.names(storage):
        raise UsageError(f"no study {name!r} in ./studies, among the shipped ones or in the storage: {nearest(name, available())}")
    return records.load(storage, name).config


def _dataset(config: StudyConfig, progress: bool) -> Dataset:
    """The images, decoded once before any worker starts; checked against the batch sizes that the study may draw."""
    dataset = load(config.data, progress=say if progress else None)
    train, _ = split(dataset, config.data)
    largest = max(config.possible("batch_size"))
    if largest > len(train):
        raise UsageError(f"batch_size {largest} is more than the {len(train)} images of the training part: choose a smaller one")
    return dataset
