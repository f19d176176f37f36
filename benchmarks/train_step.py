"""Training, images a second: the loop of report A against ours.

One thread: each side is one process with one thread that makes its own batches and trains on them; the naive side's
DataLoader has no workers here, so that all its work is in that thread. What is timed is batch and step together.

Whole machine, wall clock: the naive loop as its author ran it (num_workers=2, PyTorch's default threads) against ours
as a search runs it (one process a core, one thread each; the images of all of them).
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from tuner.placement import count_cores

from .measure import Comparison, arguments, compare, conclude, figure
from .sides import Side

# (width, batch) -> ratio to reach
ONE_THREAD = {(0.25, 8): None, (0.25, 64): 2.0, (0.25, 256): None, (1.0, 8): 1.45, (1.0, 64): None, (1.0, 256): None}
WHOLE_MACHINE = {(0.25, 8): 2.2, (0.25, 64): 2.5}
QUICK = {(0.0625, 4): None}


def main() -> None:
    options = arguments(str(__doc__), rounds=7, seconds=4, more=_more)
    images = 64 if options.quick else 10_000
    one_thread, whole_machine = (QUICK, QUICK) if options.quick else (ONE_THREAD, WHOLE_MACHINE)
    found: list[Comparison] = []
    for (width, batch), least in one_thread.items() if options.only != "whole-machine" else ():
        common: dict[str, Any] = {"model": "mynet", "width": width, "batch": batch, "images": images, "threads": 1}
        sides = [
            Side(name="naive", make="naive.training", settings=common | {"workers": 0}),
            Side(name="ours", make="ours.training", settings=common),
        ]
        found.append(_compare(f"one thread, width x{width:g}, batch {batch}", sides, options, least))
    for (width, batch), least in whole_machine.items() if options.only != "one-thread" else ():
        common = {"model": "mynet", "width": width, "batch": batch, "images": images}
        count = count_cores()
        sides = [
            Side(name="naive, 2 loading workers", make="naive.training", settings=common | {"workers": 2, "threads": None}),
            Side(name=f"ours, {count} processes", make="ours.training", settings=common | {"threads": 1}, processes=count),
        ]
        found.append(_compare(f"whole machine, width x{width:g}, batch {batch}", sides, options, least))
    conclude("Training MyNet, 32x32 images in memory", found, options)


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", choices=["one-thread", "whole-machine"], help="one of the two parts")


def _compare(setting: str, sides: list[Side], options: Any, least: float | None) -> Comparison:
    print(f"measuring: {setting}", file=sys.stderr, flush=True)
    found = compare(setting, sides, options, least=least)
    told = (f"{name} {figure(side['median'])}" for name, side in found.plain()["sides"].items())
    print(f"measured: {setting}: {', '.join(told)} images/s", file=sys.stderr, flush=True)  # what follows may take longer than one waits
    return found


if __name__ == "__main__":
    main()
