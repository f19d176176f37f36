"""What a search would do and cost: its space, and real steps of its smallest and its largest network."""

from __future__ import annotations

from dataclasses import replace

from rich.table import Table

from ..config.conditions import describe_when
from ..config.dimension import Choice, Dimension
from ..config.hyperparameters import DEFAULTS, find_width_pattern, list_fixed
from ..config.objective import describe_optimised
from ..config.study_config import StudyConfig
from ..console.narrow import print_table
from ..console.text import format_duration, format_params, format_value, open_console, say
from ..console.ticker import tell_time
from ..data import Dataset
from ..data.parts import Parts
from ..errors import TunerError
from ..study.examples import find_extreme
from ..study.search_space import count_configurations
from ..study.studies import DEFAULT_TRIALS
from ..training import memory
from ..workers.leased_trial import MOST_MICRO_BATCHES
from ..workers.precision import choose_precision
from .limits import measure_share
from .measuring import measure
from .request import Request


def dry_run(name: str, config: StudyConfig, dataset: Dataset, request: Request) -> None:
    """Print the space and the estimate. No storage is opened and no study is made."""
    trials = min(request.trials or DEFAULT_TRIALS, config.row_limit or 10**9)
    where = request.placements(trials)
    print_space(name, config, dataset)
    parts = Parts(dataset, config.data, where[0].device)
    placement = where[0]
    if placement.precision == "auto":
        with tell_time("choosing the precision", shown=request.progress):
            decision, told = choose_precision(config, trials, parts, placement, stop=lambda: False, say=say)
        placement = replace(placement, precision=decision["precision"])
        if told:
            open_console().print(told, highlight=False)
    with tell_time("measuring", shown=request.progress) as tell:
        ends = (("smallest", min), ("largest", max))
        estimates = [measure(title, find_extreme(config, end), parts, placement, tell) for title, end in ends]
    table = Table(title=f"Real steps on {where[0].device}, {where[0].threads} thread(s)", title_justify="left", box=None, pad_edge=False)
    for heading in ("network", "parameters", "batch size", "images/s", "epoch", "memory"):
        table.add_column(heading, justify="left" if heading == "network" else "right", no_wrap=True)
    for e in estimates:
        pieces = f" in {e.config.micro_batches} micro-batches" if e.config.micro_batches > 1 else ""
        speed = (f"{e.images_per_second:,.0f}", format_duration(e.epoch_seconds), f"{e.memory_mb:,.0f} MB")
        cells = speed if e.fits else ("", "", "does not fit")
        table.add_row(f"{e.title} {e.config.model}", f"{e.parameters:,}", f"{e.config.batch_size}{pieces}", *cells)
    print_table(open_console(), table)
    if not all(e.fits for e in estimates):
        remedy = "narrow the space, or its batch sizes"
        raise TunerError(
            f"the {next(e.title for e in estimates if not e.fits)} network does not fit into the memory of {placement.device}, even in "
            f"{MOST_MICRO_BATCHES} micro-batches: {remedy if placement.device == 'cpu' else f'such trials are pruned; {remedy}'}"
        )
    epochs = sorted(config.possible("epochs"))
    rounds = -(-trials // len(where))
    low, high = (rounds * count * e.epoch_seconds for count, e in zip((epochs[0], epochs[-1]), estimates, strict=True))
    open_console().print(
        f"{trials} trials of {epochs[0]} to {epochs[-1]} epochs on {len(where)} worker(s): "
        f"between {format_duration(low)} and {format_duration(high)}; pruning ends bad trials sooner. "
        f"Memory: up to {estimates[1].memory_mb * len(where):,.0f} MB.",
        highlight=False,
    )
    if placement.device == "cpu" and estimates[1].memory_mb * len(where) > (room := memory.read_room()):
        at_most = max(1, int(room // estimates[1].memory_mb))
        open_console().print(f"That does not fit into the {room:,.0f} MB that are free: give --workers {at_most}.", highlight=False)


def print_space(name: str, config: StudyConfig, dataset: Dataset) -> None:
    """What is searched and what is fixed."""
    console, total = open_console(), count_configurations(config)
    data = f"{config.data.source}: {len(dataset.train_images):,} training images (validation included), {len(dataset.classes)} classes"
    console.print(f"Study {name}: {' or '.join(config.models)} on {data}{describe_optimised(config)}", highlight=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    for key, dimension in config.space.items():
        pattern = find_width_pattern(key)
        earned = "" if key in config.drawn else ", as many as a trial earns"
        table.add_row(key if pattern is None else f"x {pattern}", format_dimension(dimension) + earned)
    fixed = {key: value for key, value in list_fixed(config.fixed).items() if key not in config.space}
    table.add_row("fixed", format_params({**fixed, **{k: v for k, v in config.fixed.items() if k not in DEFAULTS}}))
    for index, row in enumerate(config.start, start=1):
        table.add_row(f"start {index}", format_params(row))
    if config.limits:
        table.add_row("limits", str(config.limits))
    console.print(table)
    if config.limits.known_before and config.drawn:
        share = measure_share(config, len(dataset.classes))
        console.print(f"Of 100 configurations drawn at random {100 * share:.0f} are within {config.limits.known_before}.", highlight=False)
    console.print("The space is continuous." if total is None else f"The space holds {total:,} configurations.", highlight=False)


def format_dimension(dimension: Dimension) -> str:
    if isinstance(dimension, Choice):
        return " | ".join(format_value(value) for value in dimension.values) + describe_when(dimension.when)
    kind = ", log" if dimension.log else f", step {format_value(dimension.step)}" if dimension.step else ""
    return f"{format_value(dimension.low)} to {format_value(dimension.high)}{kind}{describe_when(dimension.when)}"
