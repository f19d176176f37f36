"""tuner worker: join a study from any machine."""

from __future__ import annotations

import click

from .completion import complete_stored
from .help import GroupedCommand
from .options import (
    capture_option,
    data_option,
    device_option,
    gpu_option,
    precision_option,
    progress_option,
    stall_option,
    storage_option,
    threads_option,
    trial_timeout_option,
    workers_option,
)

GROUPS = {
    "Work": ("wait", "keep"),
    "Hardware": ("gpu", "device", "workers", "threads", "precision", "capture", "stall", "trial_timeout"),
    "Data and storage": ("data", "storage"),
}


@click.command(cls=GroupedCommand, groups=GROUPS)
@click.argument("study", required=False, shell_complete=complete_stored)
@click.option("--wait", is_flag=True, help="Stay, and join every search of STUDY, or of all studies where none is named.")
@gpu_option
@device_option
@workers_option
@threads_option
@precision_option
@capture_option
@data_option
@click.option(
    "--keep", type=click.IntRange(min=1), default=5, show_default=True, metavar="K", help="Keep the weights of the best K trials."
)
@stall_option
@trial_timeout_option
@storage_option
@progress_option
def worker(
    study: str | None,
    wait: bool,
    gpu: str | None,
    device: str,
    workers: int | None,
    threads: int,
    precision: str,
    capture: bool | None,
    data: str | None,
    keep: int,
    stall: float,
    trial_timeout: float | None,
    storage: str | None,
    no_progress: bool,
) -> None:
    """Work on STUDY (the study searched last), which another command has made, until its total is reached.

    All that is needed is the storage, and the same images: --data says where they are on this machine.
    """
    from ..search.join import join, join_every
    from ..search.request import Request

    (join_every if wait else join)(
        Request(
            study=study or "",
            gpu=gpu,
            device=device,
            workers=workers,
            threads=threads,
            precision=precision,
            capture=capture,
            source=data,
            keep=keep,
            publish=False,  # whoever began the search does that
            stall=stall,
            trial_timeout=trial_timeout,
            storage=storage,
            progress=not no_progress,
        )
    )
