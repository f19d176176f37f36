"""What a search costs beside its training.

1. Where the wall time of a real search goes: `tuner search` on the digits, two workers, its live view drawn on a
   terminal, clocks round the workers' functions. Overhead is all of a trial's wall time that is neither training
   nor evaluation nor building the network, with the claim before it, the beats beside it and the supervisor's CPU.
2. A trial that trains nothing, with six parameters and six reports: a worker's whole way through it, beside plain
   `study.optimize` on the storage that Optuna makes from a SQLite URL. Milliseconds of wall time. Plain Optuna waits
   for the disk at every commit; where the disk does not really sync, `--fsync 2` makes each fsync take 2 ms longer,
   for both sides (it needs a C compiler).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from . import noop
from .measure import Comparison, arguments, console, machine_line, table, write_json
from .split import AROUND, WORK, search

LEAST = 3.0
MOST = 2.0  # percent
SLOW = "TUNER_SLOW_FSYNC_MS"
FULL = {"trials": 4, "workers": 2, "width": 0.25, "images": 1400, "size": 32, "epochs": 6}
QUICK = {"trials": 2, "workers": 1, "width": 0.0625, "images": 100, "size": 8, "epochs": 2}


def main() -> None:
    options = arguments(str(__doc__), rounds=5, seconds=0, more=_more)
    if options.fsync and SLOW not in os.environ:
        _again_with_slow_fsync(options.fsync)
    spent = None if options.only == "noop" else search(**(QUICK if options.quick else FULL))
    out = console()
    content: dict[str, Any] = {"quick": options.quick}
    if spent is not None:
        out.print(_split_table(spent))
        content["split"] = spent | {"overhead_percent": overhead(spent)}
    if options.only != "split":
        content |= _noop(options, out)
    if options.quick:
        out.print("--quick: these figures mean nothing")
    out.print(machine_line())
    write_json(options.json, content)


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", choices=["split", "noop"], help="one of the two parts")
    parser.add_argument("--fsync", type=float, metavar="MS", help="make each fsync take so much longer")


def _again_with_slow_fsync(milliseconds: float) -> None:
    """Replace this process by one whose fsync is slow."""
    library = Path(tempfile.mkdtemp()) / "slow_fsync.so"
    source = Path(__file__).with_name("slow_fsync.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"], check=True)
    os.environ |= {"LD_PRELOAD": str(library), SLOW: str(milliseconds)}
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks.search_overhead", *sys.argv[1:]])


def _noop(options: argparse.Namespace, out: Console) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        disk = f"{_file_system(Path(name))} (an fsync takes {_fsync(Path(name)):.2g} ms)"
        present = (10, 20) if options.quick else (10, 1000, 5000)
        found = noop.costs(Path(name), present=present, rounds=options.rounds, trials=1 if options.quick else 5)
    comparisons = [Comparison(setting=f"{n:,} trials there", unit="ms", values=v, cost=True, least=LEAST) for n, v in found.items()]
    out.print(table(f"A trial without training, SQLite on {disk}", comparisons))
    return {"disk": disk, "comparisons": [c.plain() for c in comparisons]}


def trial_wall(spent: dict[str, float]) -> float:
    """Seconds of all trials, from the claim to the tidying up."""
    return spent["trials"] + spent["claiming"] + spent["tidying"]


def overhead(spent: dict[str, float]) -> float:
    """Percent of the trials' wall time."""
    beside = trial_wall(spent) - sum(spent[name] for name in WORK) + spent.get("beats", 0.0) + spent["view"]
    return 100 * beside / trial_wall(spent)


def _split_table(spent: dict[str, float]) -> Table:
    whole = trial_wall(spent)
    each = whole / spent["number"]
    made = Table(
        title=f"A search of {spent['number']} trials of {each:.1f} s", title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    made.add_column("part")
    for heading in ("seconds, all trials", "ms a trial", "% of trial wall"):
        made.add_column(heading, justify="right")

    def line(name: str, seconds: float) -> None:
        made.add_row(name, f"{seconds:.3f}", f"{1000 * seconds / spent['number']:.1f}", f"{100 * seconds / whole:.2f}")

    known = 0.0
    for name in (*WORK, *AROUND):
        line(name, spent.get(name, 0.0))
        known += spent.get(name, 0.0)
    line("rest", whole - known)
    line("beside: beats (a thread)", spent.get("beats", 0.0))
    line("beside: supervisor and live view, CPU", spent["view"])
    made.add_row("overhead", "", "", f"{overhead(spent):.2f}", style="bold")
    made.add_row(f"(to reach: under {MOST:g} %)", "", "", "")
    line("once a worker: start-up", spent.get("start-up", 0.0))
    return made


def _file_system(path: Path) -> str:
    mounts: list[Any] = sorted(psutil.disk_partitions(all=True), key=lambda part: len(part.mountpoint))
    return next((part.fstype for part in reversed(mounts) if path.is_relative_to(part.mountpoint)), "an unknown file system")


def _fsync(folder: Path) -> float:
    """Milliseconds, the median of 30: what plain Optuna pays for at every commit depends on the disk most of all."""
    seconds = []
    with (folder / "synced").open("wb") as file:
        for _ in range(30):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - began)
    return 1000 * median(seconds)


if __name__ == "__main__":
    main()
