"""Options that several commands share."""

from __future__ import annotations

import re
from typing import Any

import click

from ..config.data_sources import SOURCES, list_specs
from ..config.trial_config import PRECISIONS
from ..errors import UsageError

NONE = "none"  # lifts a rule that the study has


class WorkerCount(click.ParamType[int | None]):
    """A number of workers, or `auto` for None."""

    name = "workers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        return None if value == "auto" else click.IntRange(min=1).convert(value, param, ctx)


storage_option = click.option(
    "--storage",
    envvar="TUNER_STORAGE",
    metavar="URL",
    help="sqlite:///FILE or postgresql://...  [default: TUNER_STORAGE, else studies/tuner.db]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
_layouts = "; ".join(source.layout for source in SOURCES.values() if source.layout)
data_option = click.option("--data", metavar="SPEC", help=f"{list_specs()} ({_layouts}).")
device_option = click.option("--device", default="auto", show_default=True, metavar="NAME", help="auto, cpu, cuda:0 or mps.")
gpu_option = click.option("--gpu", metavar="N[,N...]", help="GPUs to use.")
workers_option = click.option(
    "--workers",
    type=WorkerCount(),
    metavar="K",
    help="Workers: K in all on the CPU, K a GPU; auto is one a core, at most 8, and on a GPU what a trial run finds best.  [default: auto]",
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="T",
    help="CPU threads a worker; more than one pays only for wide networks.",
)
capture_option = click.option(
    "--capture/--no-capture",
    default=None,
    help="Replay training steps from a CUDA graph.  [default: on a GPU, where a check shows that it gives the same]",
)
accept_code_option = click.option(
    "--accept-changed-code", is_flag=True, help="Go on though the file of your own network was changed since; that is recorded."
)
precision_option = click.option(
    "--precision",
    type=click.Choice(["auto", *PRECISIONS]),
    default="auto",
    show_default=True,
    help="Arithmetic of the whole study; auto is bf16 where a measurement shows it to be faster and as good, else fp32.",
)
force_option = click.option("--force", is_flag=True, help="Replace a file there that is something else.")
progress_option = click.option("--no-progress", is_flag=True, help="Print nothing while working.")


class Duration(click.ParamType[float]):
    """A time such as 90, 90s, 15m, 2h or 1h30m, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", str(value).strip())
        seconds = sum(float(part or 0) * unit for part, unit in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0.0
        if seconds <= 0:
            raise UsageError(f"{param.opts[0] if param else '--timeout'} takes a time such as 90s, 15m or 1h30m, not {value!r}")
        return seconds


class OrNone(click.ParamType[Any]):
    """What another type takes, or `none`."""

    def __init__(self, type: click.ParamType[Any]) -> None:
        self.name = type.name
        self._type = type

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == NONE else self._type.convert(value, param, ctx)


budget_option = click.option(
    "--budget",
    type=OrNone(Duration()),
    metavar="TIME",
    help="End when the whole study has trained for 2h, all workers added up; none lifts it.",
)
flat_option = click.option(
    "--stop-when-flat",
    type=OrNone(click.IntRange(min=1)),
    metavar="P",
    help="Begin no new trial once the last P brought no gain above noise; none lifts it.",
)
stall_option = click.option(
    "--stall",
    type=click.FloatRange(min=0),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="End a worker whose step takes that long, and 10 times the trial's slowest; 0 for never.",
)
trial_timeout_option = click.option(
    "--trial-timeout", type=Duration(), metavar="TIME", help="End a worker that is at one trial for longer; the trial is tried again."
)
