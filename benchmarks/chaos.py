"""A search of small real trials while workers, supervisors and the database are taken away.

    python -m benchmarks.chaos --storage sqlite --trials 200 --kills 60 --outages 5
    python -m benchmarks.chaos --storage postgresql --trials 200 --kills 60 --outages 5
    python -m benchmarks.chaos --storage postgresql --trials 200 --steps 20 --terminals 3 --connections 8 --shared
    python -m benchmarks.chaos --storage postgresql --trials 200 --pruner promote
    python -m benchmarks.chaos --one-worker --trials 20 --kills 10

All but the last have two commands work on one study (`tuner search` and `tuner worker`). With --one-worker the same
search runs twice, undisturbed and disturbed, and is compared trial by trial. What happens is drawn from --seed and
comes when so many epochs are reported. Exit code 1 if something was lost, counted twice, left over or repeated.
"""

from __future__ import annotations

import argparse
import json
import platform
import signal
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from .chaos_clock import Clock
from .chaos_counts import counted
from .chaos_databases import Postgres, database
from .chaos_driver import Driver, Plan
from .chaos_schedule import schedule

STUDY = """
model: mynet
width: 0.0625
data: digits
train_images: 200
image_size: 8
validation: 0.2
pruner: %s
space:
  lr: {low: 1.0e-3, high: 1.0e-1, log: true}
  batch_size: [8, 16]
  epochs: %d
  momentum: {low: 0.0, high: 0.95}
"""
MOST_REPEATED = 0.03
TRAINED = {"promote": 0.4}  # the part of all epochs that is trained at least, by pruner; events come in it
FOREIGN = "trial-00001.json.theirs"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--storage", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=10, help="of each trial")
    parser.add_argument("--pruner", choices=["none", "promote"], default="none", help="with promote trials pause and go on")
    parser.add_argument("--kills", type=int, default=60, help="of workers: SIGKILL, SIGTERM, SIGSTOP past the lease")
    parser.add_argument(
        "--supervisors", type=int, default=None, help="kills of supervisors (default: a twentieth of the kills, at least 1)"
    )
    parser.add_argument("--outages", type=int, default=5)
    parser.add_argument("--steps", type=int, default=0, help="of the clock, 2 s to a day; needs a C compiler")
    parser.add_argument("--terminals", type=int, default=0, help="closed: SIGHUP")
    parser.add_argument("--connections", type=int, help="that PostgreSQL allows, for all together; 8 are enough")
    parser.add_argument("--shared", action="store_true", help="a checkpoint folder that others' files lie in")
    parser.add_argument("--outage-seconds", type=float, default=8.0)
    parser.add_argument("--lease-seconds", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--one-worker", action="store_true", help="compare one worker's search with and without the kills")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--log", type=Path, help="write all that the searches said to this file")
    options = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup the searches would inherit that it is ignored, and outlive their terminals
    with tempfile.TemporaryDirectory(prefix="tuner-chaos-") as folder:
        facts = compare(options, Path(folder)) if options.one_worker else survive(options, Path(folder))
    facts |= {"machine": f"{platform.machine()}, Python {platform.python_version()}", "command": " ".join(sys.argv[1:])}
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        for name, value in facts.items():
            print(f"{name.replace('_', ' '):28} {value}")
    return 1 if facts["missed"] else 0


def survive(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Several workers under two commands: nothing lost, nothing twice, the exact total."""
    facts = _one(options, folder, disturbed=True, workers=2, joined=1)
    facts.pop("figures")
    return facts


def compare(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One worker's search, through and disturbed: the same trials with the same figures."""
    through = _one(options, folder / "through", disturbed=False, workers=1, joined=0)
    facts = _one(options, folder / "disturbed", disturbed=True, workers=1, joined=0)
    one, other = through.pop("figures"), facts.pop("figures")
    equal = sum(a == b for a, b in zip(one, other, strict=False))
    facts["trials_equal_to_undisturbed"] = f"{equal} of {max(len(one), len(other))}"
    facts["missed"] += through["missed"]
    if equal != max(len(one), len(other)):
        facts["missed"].append("a trial differs from the undisturbed search's")
    return facts


def _one(options: argparse.Namespace, folder: Path, *, disturbed: bool, workers: int, joined: int) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chaos.yaml").write_text(STUDY % (options.pruner, options.epochs))
    supervisors = max(1, options.kills // 20) if options.supervisors is None else options.supervisors
    events = schedule(
        epochs=int(options.trials * options.epochs * TRAINED.get(options.pruner, 1.0)),
        kills=options.kills if disturbed else 0,
        supervisors=supervisors if disturbed else 0,
        outages=options.outages if disturbed else 0,
        seed=options.seed,
        steps=options.steps if disturbed else 0,
        terminals=options.terminals if disturbed else 0,
    )
    clock = Clock(folder) if disturbed and options.steps else None
    with clock.preloaded() if clock else nullcontext(), database(options.storage, folder) as taken:
        if options.connections and isinstance(taken, Postgres):
            taken.limit_connections(options.connections)
        shared = _share(folder / "shared") if options.shared else None
        plan = Plan(
            folder=folder,
            database=taken,
            events=events,
            trials=options.trials,
            workers=workers,
            joined=joined,
            lease_seconds=options.lease_seconds,
            outage_seconds=options.outage_seconds,
            log=options.log if disturbed else None,
            clock=clock,
            checkpoints=shared,
        )
        facts = judged(counted(Driver(plan)))
    if shared is not None and (shared / FOREIGN).read_text() != "theirs":
        facts["missed"].append("another's file in the folder of checkpoints was changed")
    return facts


def _share(folder: Path) -> Path:
    folder.mkdir()
    (folder / FOREIGN).write_text("theirs")
    return folder


def judged(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts with `missed`: every target that was not reached."""
    none = ("lost", "counted_twice", "surplus", "stale_left", "differing", "checkpoints_damaged", "false_deaths")
    missed = [f"{name} is {facts[name]}, not 0" for name in none if facts[name]]
    if facts["finished"] != facts["asked"]:
        missed.append(f"finished is {facts['finished']}, not {facts['asked']}")
    if facts["repeated_share"] > MOST_REPEATED:
        missed.append(f"repeated share is {facts['repeated_share']}, above {MOST_REPEATED}")
    if facts["unexplained_failures"] or facts["events_left"] or facts["gave_up"]:
        missed.append("a failure without a third death, an event that met nobody, or a search that gave up")
    return facts | {"missed": missed}


if __name__ == "__main__":
    sys.exit(main())
