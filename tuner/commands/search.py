"""tuner search: run a study, or go on with it."""

from __future__ import annotations

from pathlib import Path

import click

from .completion import complete_searchable
from .help import GroupedCommand
from .options import (
    Duration,
    accept_code_option,
    budget_option,
    capture_option,
    data_option,
    device_option,
    flat_option,
    gpu_option,
    precision_option,
    progress_option,
    stall_option,
    storage_option,
    threads_option,
    trial_timeout_option,
    workers_option,
)

# The options of `tuner search --help`, under their headings.
GROUPS = {
    "Budget": ("trials", "more", "timeout", "target", "budget", "stop_when_flat", "dry_run"),
    "Hardware": ("gpu", "device", "workers", "threads", "precision", "capture", "stall", "trial_timeout"),
    "Data": ("data", "seed", "earlier", "accept_changed_code"),
    "Cluster": ("engine", "address", "gpus_per_worker"),
    "Output": ("storage", "checkpoints", "keep", "publish", "no_progress"),
}


@click.command(cls=GroupedCommand, groups=GROUPS)
@click.argument("study", default="mynet", shell_complete=complete_searchable)
@click.option("--trials", type=click.IntRange(min=1), metavar="N", help="The study's total of trials.  [default: 50 for a new study]")
@click.option("--more", type=click.IntRange(min=1), metavar="M", help="Add M to the study's total, once until they are done.")
@click.option("--from", "earlier", metavar="STUDY", help="Tell a new study's sampler the trials of this one that lie in its space.")
@gpu_option
@device_option
@workers_option
@threads_option
@data_option
@click.option("--seed", type=click.IntRange(min=0), metavar="S", help="The study's seed.  [default: the study file's]")
@click.option("--timeout", type=Duration(), metavar="TIME", help="End cleanly after 90s, 15m or 1h30m.")
@click.option(
    "--target",
    type=click.FloatRange(0, min_open=True),
    metavar="VALUE",
    help="End cleanly at this validation accuracy, or value of another objective.",
)
@budget_option
@flat_option
@click.option("--dry-run", is_flag=True, help="Show the space, time real steps, estimate the search; write nothing.")
@click.option(
    "--checkpoints",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="PATH",
    help="Where checkpoints go: to PATH/STUDY-ID/.  [default: checkpoints/ beside the SQLite file]",
)
@click.option(
    "--keep", type=click.IntRange(min=1), default=5, show_default=True, metavar="K", help="Keep the weights of the best K trials."
)
@accept_code_option
@precision_option
@capture_option
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="Who places the workers.")
@click.option(
    "--address", envvar="RAY_ADDRESS", metavar="HOST:PORT", help="A Ray cluster.  [default: RAY_ADDRESS, else one of this machine's own]"
)
@click.option(
    "--gpus-per-worker",
    type=click.FloatRange(0, min_open=True),
    metavar="F",
    help="With Ray, a worker's share of a GPU, such as 0.25.  [default: 1 where the cluster has GPUs]",
)
@click.option(
    "--publish/--no-publish",
    envvar="TUNER_PUBLISH",
    default=True,
    show_default=True,
    help="At the end make the dashboard's notes and pictures.",
)
@stall_option
@trial_timeout_option
@storage_option
@progress_option
def search(
    study: str,
    trials: int | None,
    more: int | None,
    earlier: str | None,
    gpu: str | None,
    device: str,
    workers: int | None,
    threads: int,
    data: str | None,
    seed: int | None,
    timeout: float | None,
    target: float | None,
    budget: float | str | None,
    stop_when_flat: int | str | None,
    dry_run: bool,
    checkpoints: Path | None,
    keep: int,
    accept_changed_code: bool,
    precision: str,
    capture: bool | None,
    engine: str,
    address: str | None,
    gpus_per_worker: float | None,
    publish: bool,
    stall: float,
    trial_timeout: float | None,
    storage: str | None,
    no_progress: bool,
) -> None:
    """Run STUDY, or go on with it.

    STUDY is a name (looked for in ./studies, then among the shipped ones: mynet, googlenet, mynet-cpu, mynet-fast,
    journal, quickstart, finetune) or the path of a YAML file. The same command again goes on after any interruption:
    the number of --trials is the study's total, and not one to add. Ctrl-C puts running trials back in the queue.

    \b
    Examples:
      tuner search quickstart                      digits: minutes on two cores
      tuner search mynet --trials 100 --gpu 0,1    CIFAR-10 on two GPUs
      tuner search mynet --data folder:photos --dry-run
                                                   what your images would take
    """
    from ..console.ticker import tell_time
    from ..search.request import Request

    request = Request(
        study=study,
        trials=trials,
        more=more,
        earlier=earlier,
        gpu=gpu,
        device=device,
        workers=workers,
        threads=threads,
        source=data,
        seed=seed,
        timeout=timeout,
        target=target,
        budget=budget,
        stop_when_flat=stop_when_flat,
        checkpoints=checkpoints,
        keep=keep,
        accept_changed_code=accept_changed_code,
        precision=precision,
        capture=capture,
        engine=engine,
        address=address if engine == "ray" or _given("address") else None,
        gpus_per_worker=gpus_per_worker,
        publish=publish,
        stall=stall,
        trial_timeout=trial_timeout,
        storage=storage,
        progress=not no_progress,
    )
    request.check(dry_run=dry_run)
    with tell_time("starting", shown=dry_run and not no_progress):  # PyTorch takes seconds
        from ..search.run import estimate, run
    (estimate if dry_run else run)(request)


def _given(option: str) -> bool:
    """Whether it was typed: a RAY_ADDRESS in the environment is no mistake where Ray is not used."""
    source = click.get_current_context().get_parameter_source(option)
    return source is click.core.ParameterSource.COMMANDLINE
