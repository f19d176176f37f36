"""What a search would do and cost: its space, and real steps of its smallest and its largest network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from rich.table import Table

from ..config.dimension import Choice, Dimension
from ..config.hyperparameters import DEFAULTS, find_width_pattern
from ..config.study_config import StudyConfig
from ..config.trial_config import TrialConfig
from ..console.text import format_duration, format_params, format_value, open_console
from ..data import Dataset
from ..data.parts import Parts
from ..models import find_model
from ..placement import Placement
from ..study.search_space import applies, assemble, count_configurations, fit_seed
from ..study.studies import DEFAULT_TRIALS
from ..training import memory
from ..training.cuda_graph import choose_recorder
from ..training.run import Run
from .request import Request

STEPS = 3  # timed, after one that is not
EVALUATION_SPEEDUP = 3.0  # images a second, evaluated against trained: the backward pass is two thirds of a step


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One network on one worker: what an epoch of the study's images takes, and the memory it took here."""

    title: str
    config: TrialConfig
    parameters: int
    images_per_second: float
    epoch_seconds: float
    memory_mb: float


def dry_run(name: str, config: StudyConfig, dataset: Dataset, request: Request) -> None:
    """Print the space and the estimate. No storage is opened and no study is made."""
    trials = min(request.trials or DEFAULT_TRIALS, config.row_limit or 10**9)
    where = request.placements(trials)
    print_space(name, config, dataset)
    parts = Parts(dataset, config.data, where[0].device)
    estimates = [_estimate(title, find_extreme(config, end), parts, where[0]) for title, end in (("smallest", min), ("largest", max))]
    table = Table(title=f"Real steps on {where[0].device}, {where[0].threads} thread(s)", title_justify="left", box=None, pad_edge=False)
    for heading in ("network", "parameters", "batch size", "images/s", "epoch", "memory"):
        table.add_column(heading, justify="left" if heading == "network" else "right", no_wrap=True)
    for e in estimates:
        speed = (f"{e.images_per_second:,.0f}", format_duration(e.epoch_seconds), f"{e.memory_mb:,.0f} MB")
        table.add_row(f"{e.title} {e.config.model}", f"{e.parameters:,}", str(e.config.batch_size), *speed)
    open_console().print(table)
    epochs = sorted(config.possible("epochs"))
    rounds = -(-trials // len(where))
    low, high = (rounds * count * e.epoch_seconds for count, e in zip((epochs[0], epochs[-1]), estimates, strict=True))
    open_console().print(
        f"{trials} trials of {epochs[0]} to {epochs[-1]} epochs on {len(where)} worker(s): "
        f"between {format_duration(low)} and {format_duration(high)}; pruning ends bad trials sooner. "
        f"Memory: up to {estimates[1].memory_mb * len(where):,.0f} MB.",
        highlight=False,
    )


def print_space(name: str, config: StudyConfig, dataset: Dataset) -> None:
    """What is searched and what is fixed."""
    console, total = open_console(), count_configurations(config)
    data = f"{config.data.source}: {len(dataset.train_images):,} training images (validation included), {len(dataset.classes)} classes"
    console.print(f"Study {name}: {' or '.join(config.models)} on {data}", highlight=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    for key, dimension in config.space.items():
        pattern = find_width_pattern(key)
        table.add_row(key if pattern is None else f"x {pattern}", format_dimension(dimension))
    fixed = {key: config.fixed.get(key, default) for key, default in DEFAULTS.items() if key not in config.space}
    table.add_row("fixed", format_params({**fixed, **{k: v for k, v in config.fixed.items() if find_width_pattern(k) is not None}}))
    for index, row in enumerate(config.start, start=1):
        table.add_row(f"start {index}", format_params(row))
    console.print(table)
    console.print("The space is continuous." if total is None else f"The space holds {total:,} configurations.", highlight=False)


def format_dimension(dimension: Dimension) -> str:
    if isinstance(dimension, Choice):
        return " | ".join(format_value(value) for value in dimension.values)
    kind = ", log" if dimension.log else f", step {format_value(dimension.step)}" if dimension.step else ""
    return f"{format_value(dimension.low)} to {format_value(dimension.high)}{kind}"


def find_extreme(config: StudyConfig, end: Callable[..., float]) -> TrialConfig:
    """The configuration of the study's smallest (`min`) or largest (`max`) network, with the largest batch."""

    def cost(model: str) -> int:
        return sum(find_model(model).widths.values())

    def pick(dimension: Dimension) -> float:
        return float(end(dimension.values) if isinstance(dimension, Choice) else end(dimension.low, dimension.high))

    values = DEFAULTS | dict(config.fixed)
    values["model"] = end(config.models, key=cost)
    for key, dimension in config.space.items():
        if find_width_pattern(key) is not None:
            values[key] = pick(dimension)
    values |= {"batch_size": max(config.possible("batch_size")), "lr": 1e-4}
    named = {key: value for key, value in values.items() if applies(key, values["model"])}
    return assemble(named, config, seed=fit_seed(config.seed), threads=1, precision="fp32")


def _estimate(title: str, config: TrialConfig, parts: Parts, placement: Placement) -> Estimate:
    memory.reset_peak(placement.device)
    run = Run(
        replace(config, threads=placement.threads, precision=placement.precision),
        parts.train(config.augment),
        parts.val(),
        classes=parts.classes,
        device=placement.device,
        recorder=choose_recorder(placement.device, placement.capture),
    )
    generator = torch.Generator().manual_seed(0)
    seconds = []
    for _ in range(STEPS + 1):
        began = time.perf_counter()
        run.step(*run.train.batch(torch.arange(config.batch_size, device=placement.device), generator))
        if placement.device.startswith("cuda"):
            torch.cuda.synchronize(placement.device)
        seconds.append(time.perf_counter() - began)
    speed = config.batch_size / min(seconds[1:])
    return Estimate(
        title=title,
        config=config,
        parameters=run.parameters,
        images_per_second=speed,
        epoch_seconds=len(run.train) / speed + len(parts.val()) / speed / EVALUATION_SPEEDUP,
        memory_mb=memory.read_peak(placement.device),
    )
