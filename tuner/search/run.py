"""A search from its request to its closing table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shlex import quote

from ..config.named_code import name_stored_code
from ..config.objective import check_classes, check_target
from ..config.settled_weights import settle_weights
from ..config.study_config import StudyConfig
from ..config.study_files import DEFAULT_URL, find, list_available
from ..console.live import show_progress
from ..console.tables import print_best
from ..console.text import Say, say, say_nothing
from ..console.ticker import tell_time
from ..dashboard.sources import keep_sources
from ..data import Dataset, load, split
from ..errors import Interrupted, TunerError, UsageError, nearest
from ..models.own_code import find_permitted
from ..placement import Placement
from ..study import studies
from ..study.advice import give_advice
from ..study.database_url import find_sqlite_path, parse
from ..study.earlier import Earlier, collect_earlier
from ..study.retry import StorageAway
from ..study.storage import Storage
from ..study.study import Study
from ..study.trials import find_best
from ..study.trying import try_methods
from ..workers.crew import choose_workers
from ..workers.engine import Engine
from ..workers.local import LocalEngine
from ..workers.supervisor import Stop, StopReason, Supervisor
from .dry_run import dry_run
from .ended import is_over, tell_end
from .limits import check_limits
from .request import Request
from .try_networks import try_networks


def run(request: Request, *, engine: Engine | None = None) -> Study:
    """Make the study or go on with it, until its total is reached or something ends the search.

    `engine` starts the workers in place of the one that the request names.
    Errors: UsageError and TunerError before anything is written, Interrupted after a clean stop.
    """
    request.check()
    name, config, storage = _find_study(request)
    check_target(config.objective, request.target)
    config = settle_weights(config)
    # Unusable devices, images and options are told before a storage is made.
    if request.engine == "local":
        request.placements()
    dataset, val_images = _load_images(config, request.progress)
    try_methods(config)
    try_networks(config, dataset)
    check_limits(config, len(dataset.classes))
    _check_ends(request, config)
    storage = storage or Storage(request.storage, make=request.more is None and request.earlier is None)
    known = _find_earlier(storage, name, config, dataset.fingerprint, request)
    study = studies.create_or_load(
        storage,
        name,
        config,
        dataset.fingerprint,
        trials=request.trials,
        more=request.more,
        checkpoints=request.checkpoints,
        classes=dataset.classes,
        accept_changed_code=request.accept_changed_code,
        val_images=val_images,
        known=known,
    )
    study.leases.set_rules(budget=request.budget_seconds, patience=request.patience, images=val_images)
    keep_sources(study, [find_permitted(spec) for spec in study.config.code])
    if known is not None:
        taken, total = len(study.earlier), study.leases.counts().n_trials
        say(f"The sampler knows {taken} of {known.finished} finished trials of study {known.study!r}, which lie in this space;")
        say(f"none of them counts among the {total} trials of study {name!r}.")
    ended = study.read_facts(study.finished_trials(), "run") if request.more is not None else []
    left = sum("chance" in facts.get("run", {}) for facts in ended)
    if left:
        say(f"{left} trials that were left where they paused are finished: they are not taken up again, new ones begin.")
    supervise(study, request, engine)
    return study


def estimate(request: Request) -> None:
    """Print what the search would do and cost. No storage is opened. Errors: UsageError."""
    request.check(dry_run=True)
    name, path = find(request.study)
    if path is None:
        raise _unknown(name)
    config = _read(path, request)
    check_target(config.objective, request.target)
    config = replace(config, weights=config.weights and "none")  # steps take as long with any: nothing is downloaded
    try_methods(config)
    with tell_time("reading the images", shown=request.progress):
        dataset, _ = _load_images(config, request.progress)
    try_networks(config, dataset)
    check_limits(config, len(dataset.classes))
    dry_run(name, config, dataset, request)


def supervise(study: Study, request: Request, engine: Engine | None = None) -> None:
    """Run workers on a study to the end, and say how it ended."""
    _check_ends(request, study.config)
    tell, show = _speak(request)
    counts = study.leases.counts()
    left = counts.n_trials - counts.finished
    if left <= 0:
        done = f"{counts.finished} of {counts.n_trials} trials"
        tell(f"Study {study.name!r} is finished: {done}. To go on: tuner search {quote(study.name)} --more 10")
        show(study)
        return
    if is_over(counts):
        tell(tell_end(study, counts))
        show(study)
        return
    top = find_best(study) if request.target is not None else []
    if request.target is not None and top and top[0].value is not None and study.objective.reaches(top[0].value, request.target):
        reached = f"validation {study.objective.title} {top[0].value:.4f} of trial {top[0].number} reaches the target {request.target:g}"
        tell(f"Nothing to do for study {study.name!r}, {reached}: {counts.finished} of {counts.n_trials} trials finished.")
        show(study)
        return
    with (
        _choose_engine(study, request, left, engine) as (chosen, placements),
        show_progress(study, placements, counts, shown=request.progress) as view,
    ):
        supervisor = Supervisor(
            study,
            request.storage,
            placements,
            view,
            chosen,
            source=request.source,
            keep=request.keep,
            timeout=request.timeout,
            target=request.target,
            stall=request.stall,
            trial_timeout=request.trial_timeout,
        )
        study.retry.stop_with(supervisor.interrupted, view.say)
        stop = supervisor.run()
    _conclude(study, stop, request)


def _check_ends(request: Request, config: StudyConfig) -> None:
    """Errors: UsageError for an end by accuracy alone where that is not all that is asked for."""
    if config.cost is None:
        return
    if request.target is not None:
        raise UsageError(f"--target {request.target:g} is an accuracy, and objectives names {config.cost} too: leave --target out")
    if request.patience:
        raise UsageError(
            f"--stop-when-flat {request.patience} asks what accuracy gains, and objectives names {config.cost} too: leave it out"
        )


@contextmanager
def _choose_engine(study: Study, request: Request, left: int, engine: Engine | None) -> Iterator[tuple[Engine, list[Placement]]]:
    """What starts the workers, and the placement of each."""
    if request.engine == "local":
        placements = request.placements(left)
        if request.workers is None and placements[0].device.startswith("cuda"):
            workers = choose_workers(study, placements[0], request.source, left, say)
            placements = replace(request, workers=workers).placements(left)
        yield engine or LocalEngine(), placements
        return
    from ..workers.on_ray import connect_ray  # an extra

    wanted = (request.workers or 1) * request.threads
    share = request.gpus_per_worker
    with connect_ray(study, request.address, gpus=share, device=request.device, local_cpus=wanted) as ray:
        yield (
            ray,
            ray.placements(request.workers, at_most=left, threads=request.threads, precision=request.precision, capture=request.capture),
        )


def _speak(request: Request) -> tuple[Say, Callable[[Study], None]]:
    """What says how a search ended, and what prints its best trials."""
    return (say, _show_end) if request.closing else (say_nothing, lambda study: None)


def _conclude(study: Study, stop: Stop, request: Request) -> None:
    tell, show = _speak(request)
    try:
        counts = study.leases.counts()
    except StorageAway:
        if stop.reason in (StopReason.FAILED, StopReason.STORAGE_AWAY):
            raise StorageAway(stop.text) from None
        raise
    standing = f"{counts.finished} of {counts.n_trials} trials"
    queued = f"{counts.queued} back in the queue" + (f", {counts.paused} paused" if counts.paused else "")
    if request.trials is not None and study.config.row_limit is None and counts.n_trials != request.trials:
        tell(
            f"The total of study {study.name!r} is now {counts.n_trials}, and no longer --trials {request.trials}: a later command set it."
        )
    match stop.reason:
        case StopReason.FAILED | StopReason.STORAGE_AWAY:
            error = StorageAway if stop.reason is StopReason.STORAGE_AWAY else TunerError
            raise error(f"{stop.text}; {standing} are finished, `tuner show {quote(study.name)}` has the details")
        case StopReason.INTERRUPTED:
            raise Interrupted(f"interrupted: {standing} finished, {queued}; the same command goes on")
        case StopReason.FULL if counts.running and (stale := study.leases.stale_trials()):
            left = f"{len(stale)} RUNNING without a worker of tuner"
            raise TunerError(f"only {standing} are finished, {left}: `tuner repair {quote(study.name)}` puts them back in the queue")
        case StopReason.FULL | StopReason.EXHAUSTED if counts.ended is not None and counts.finished < counts.n_trials:
            tell(tell_end(study, counts))
        case StopReason.FULL:
            tell(f"Study {study.name!r} is finished: {standing}.")
        case StopReason.EXHAUSTED:
            space = "its space that is within its limits" if study.config.limits else "its space"
            tell(f"Study {study.name!r} is finished: every configuration of {space} was tried, {standing}.")
        case StopReason.TIMEOUT | StopReason.TARGET | StopReason.STOPPED:
            tell(f"Search ended, {stop.text}: {standing} finished, {queued}.")
    show(study)
    if request.publish:
        from ..dashboard.publish import publish_quietly  # here, because plots are slow to import

        publish_quietly(study, request.keep)
    tell(f"Next: tuner best {quote(study.name)} --export config.yaml, then tuner train config.yaml")


def _show_end(study: Study) -> None:
    """The closing table, and what the trials advise."""
    print_best(study)
    for line in give_advice(study):
        say(f"Advice: {line}")


def _find_study(request: Request) -> tuple[str, StudyConfig, Storage | None]:
    """The study's name and definition: from its file, else from the storage, which is then open."""
    name, path = find(request.study)
    if path is not None:
        return name, _read(path, request), None
    where = find_sqlite_path(parse(DEFAULT_URL))
    if not request.storage and where is not None and not Path(where).exists():
        raise _unknown(name)
    storage = Storage(request.storage, make=request.more is None)
    if name not in studies.list_studies(storage):
        raise UsageError(f"no study {name!r} in ./studies, among the shipped ones or in the storage: {nearest(name, list_available())}")
    config = studies.load(storage, name).config
    config = config.with_code(name_stored_code(config.code, request.study, accept=request.accept_changed_code))
    return name, config.override(source=request.source, seed=request.seed), storage


def _find_earlier(storage: Storage, name: str, config: StudyConfig, data: str, request: Request) -> Earlier | None:
    """The trials that --from names. Errors: UsageError."""
    if request.earlier is None:
        return None
    source, _ = find(request.earlier)
    if source == name:
        raise UsageError(f"--from {request.earlier} is the study itself: give the new file another name")
    return collect_earlier(studies.load(storage, source), config, data)


def _read(path: Path, request: Request) -> StudyConfig:
    return StudyConfig.from_file(path).override(source=request.source, seed=request.seed)


def _unknown(name: str) -> UsageError:
    return UsageError(f"no study {name!r} in ./studies or among the shipped ones: {nearest(name, list_available())}")


def _load_images(config: StudyConfig, progress: bool) -> tuple[Dataset, int]:
    """The images, decoded once before any worker starts, and how many are held out; checked against the batch sizes and
    the objective of the study."""
    dataset = load(config.data, progress=say if progress else None)
    check_classes(config.objective, len(dataset.classes))
    train, validation = split(dataset, config.data)
    largest = max(config.possible("batch_size"))
    if largest > len(train):
        raise UsageError(f"batch_size {largest} is more than the {len(train)} images of the training part: choose a smaller one")
    return dataset, len(validation)
