"""Figures of sides that took turns: medians, spreads, ratios pair by pair, and the machine they belong to."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from .sides import Side, Turn, alternate


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Sides in one setting: a value a round each, the first side being the one that the others are compared with.

    `cost` says that less is better: then a ratio is the first side's value over the other's.
    """

    setting: str
    unit: str
    values: dict[str, list[float]]
    cost: bool = False
    least: float | None = None  # the ratio to reach
    notes: dict[str, Any] = field(default_factory=dict)

    def ratios(self, side: str) -> list[float]:
        """Round by round, so that what slows the machine for a while slows both."""
        first = next(iter(self.values.values()))
        pairs = zip(first, self.values[side], strict=True)
        return [a / b if self.cost else b / a for a, b in pairs]

    def plain(self) -> dict[str, Any]:
        names = list(self.values)
        sides = {name: {"median": median(v), "min": min(v), "max": max(v), "values": v} for name, v in self.values.items()}
        for name in names[1:]:
            ratios = self.ratios(name)
            sides[name]["ratio"] = {"median": median(ratios), "min": min(ratios), "max": max(ratios)}
        rounds = len(self.values[names[0]])
        return {"setting": self.setting, "unit": self.unit, "n": rounds, "to_reach": self.least, "sides": sides, **self.notes}


def compare(setting: str, sides: Sequence[Side], options: argparse.Namespace, *, least: float | None = None) -> Comparison:
    """Images a second of sides that take turns."""
    turns = alternate(sides, rounds=options.rounds, seconds=options.seconds)
    values = {name: [turn.rate for turn in taken] for name, taken in turns.items()}
    cpu = {name: median(turn.images / turn.cpu for turn in taken) for name, taken in turns.items()}
    return Comparison(setting=setting, unit="images/s", values=values, least=least, notes={"images_per_cpu_second": cpu})


def rate(turns: Sequence[Turn]) -> float:
    """Median images a second."""
    return median(turn.rate for turn in turns)


def arguments(
    description: str, *, rounds: int, seconds: float, more: Callable[[argparse.ArgumentParser], object] | None = None
) -> argparse.Namespace:
    """The options that every script has, and `more` of them.

    `rounds` and `seconds` a turn where they are not given; little of both when quick.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it runs: its figures mean nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"turns of each side  [default: {rounds}]")
    parser.add_argument("--seconds", type=float, metavar="S", help=f"length of a turn, about  [default: {seconds:g}]")
    if more is not None:
        more(parser)
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else rounds)
    options.seconds = options.seconds or (0.05 if options.quick else seconds)
    return options


def machine() -> dict[str, Any]:
    """What the figures belong to."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _cpu(),
        "cores": cores,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "torch": version("torch"),
        "torchvision": version("torchvision"),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    name = facts.get("model name", platform.machine())
    if "cpu family" in facts:
        name += f" (family {facts['cpu family']}, model {facts['model']})"
    return name


def machine_line() -> str:
    facts = machine()
    return f"{facts['cpu']}, {facts['cores']} cores; {facts['system']}; Python {facts['python']}, torch {facts['torch']}; {facts['date']}"


def console() -> Console:
    """Wide enough for the tables wherever the output goes."""
    return Console(width=150, no_color=True, highlight=False)


def table(title: str, comparisons: Sequence[Comparison]) -> Table:
    """A line a side: median and spread, and its ratio to the setting's first side."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for heading in ("setting", "side"):
        made.add_column(heading)
    for heading in ("unit", "median", "min - max", "ratio", "min - max", "n", "to reach"):
        made.add_column(heading, justify="right", no_wrap=True)
    for comparison in comparisons:
        plain = comparison.plain()
        for number, (name, side) in enumerate(plain["sides"].items()):
            ratio = side.get("ratio")
            made.add_row(
                "" if number else comparison.setting,
                name,
                comparison.unit,
                figure(side["median"]),
                f"{figure(side['min'])} - {figure(side['max'])}",
                f"{ratio['median']:.2f}" if ratio else "",
                f"{ratio['min']:.2f} - {ratio['max']:.2f}" if ratio else "",
                str(plain["n"]),
                f"{comparison.least:g}" if ratio and comparison.least else "",
            )
    return made


def figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def write_json(path: Path | None, content: dict[str, Any]) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"machine": machine(), **content}, indent=1, default=str) + "\n", encoding="utf-8")


def conclude(title: str, comparisons: Sequence[Comparison], options: argparse.Namespace) -> None:
    """Print the table and the machine, and write the JSON."""
    out = console()
    out.print(table(title, comparisons))
    if options.quick:
        out.print("--quick: these figures mean nothing")
    out.print(machine_line())
    write_json(options.json, {"title": title, "quick": options.quick, "comparisons": [c.plain() for c in comparisons]})
