"""The best configurations of a study trained again on further seeds: what `tuner best --confirm` does."""

from __future__ import annotations

from dataclasses import replace
from shlex import quote

from ..config.named_code import name_stored_code
from ..config.study_files import find
from ..console.confirmed import name_contestants
from ..console.text import say, say_nothing
from ..data import load as load_images
from ..data import split
from ..errors import TunerError
from ..study import studies
from ..study.confirmation import begin, choose_contestants, find_confirmation, read_result
from ..study.contestants import Plan
from ..study.storage import Storage
from ..study.study import Study
from ..workers.engine import Engine
from .request import Request
from .run import supervise

ACCEPT = "let `tuner search` go on with --accept-changed-code"
SEEDS = 5
NOTHING_KEPT = 0  # weights: the winner's are those of its own trial


def confirm(request: Request, k: int, seeds: int | None, *, engine: Engine | None = None) -> Study:
    """Train the study's best `k` configurations and its first start row on `seeds` further seeds, or go on with that.

    Without `seeds` these are as many as there are, and SEEDS where there are none yet. What was trained before is not
    trained again; contestants and seeds are only ever added. Returns the study.

    Errors: NothingToShow without a COMPLETE trial, UsageError and TunerError before anything is written, Interrupted after a clean stop.
    """
    storage = Storage(request.storage)
    study = studies.join(storage, find(request.study)[0] if request.study else None)
    if study.plan is not None:
        raise TunerError(f"study {study.name!r} is a confirmation itself: name the study that it confirms")
    name_stored_code(study.config.code, request.study or study.name, remedy=ACCEPT)
    chosen = choose_contestants(study, k)
    confirmation = find_confirmation(study)
    if confirmation is None or confirmation.plan is None:
        plan = Plan(contestants=chosen, seeds=seeds or SEEDS, **_count_images(study, request))
    else:
        plan = confirmation.plan.merge(replace(confirmation.plan, contestants=chosen, seeds=seeds or confirmation.plan.seeds))
        if plan == confirmation.plan and read_result(confirmation) is not None:
            return study
        _count_images(study, request)  # the same images must be here
    threads = max(each.config.threads for each in plan.contestants)
    request = replace(request, threads=threads, keep=NOTHING_KEPT, closing=False)
    request.placements()  # an unusable device is told before anything is written
    confirmation = begin(study, plan)
    tell = say if request.progress else say_nothing
    counts = confirmation.leases.counts()
    tell(
        f"Confirming {name_contestants(plan)} of study {study.name!r} on {plan.seeds} further seeds: {counts.n_trials} trainings, "
        f"{counts.finished} of them finished. To help from elsewhere: tuner worker {quote(confirmation.name)}"
    )
    supervise(confirmation, replace(request, publish=False), engine)
    if request.publish and read_result(confirmation) is not None:
        from ..dashboard.publish import publish_notes_quietly  # here, because plots are slow to import

        publish_notes_quietly(study)
    return study


def _count_images(study: Study, request: Request) -> dict[str, int]:
    """How many images a split has on either side. Errors: TunerError where they are not the study's."""
    config = study.config.override(source=request.source)
    dataset = load_images(config.data, progress=say if request.progress else None)
    if dataset.fingerprint != study.data:
        raise TunerError(
            f"data {config.data.source!r} is not what study {study.name!r} was made with "
            f"(fingerprint {dataset.fingerprint}, wanted {study.data}): give the same images with --data"
        )
    train, validation = split(dataset, config.data)
    return {"train": len(train), "validation": len(validation)}
