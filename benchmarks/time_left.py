"""How far off the time left is that a search says, at 20 %, 50 % and 80 % of its time: by the cost model, and by the pace of its trials.

A real search is recorded once, with what its workers said and when: digits, widths and batch sizes that differ, no trial cut short. Then
both estimates are asked along the same record, so that both know the same. Today's is `tuner.console.time_left`; the one before was the
time so far over the trials ended so far, times those that are left. An error is the estimate over the time that was really left, minus 1;
a median of the last tenth of the time before each mark, because the estimate of one moment is that of one trial's end.
`--record FILE` writes the record, `--replay FILE` takes one instead of searching.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from tuner.config.study_config import StudyConfig
from tuner.config.trial_config import TrialConfig
from tuner.console.time_left import TimeLeft
from tuner.data import load, split
from tuner.placement import Placement
from tuner.study.lease import Counts
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load
from tuner.workers.events import EpochReported, Event, StepsTaken, TrialEnded, TrialStarted
from tuner.workers.local import LocalEngine
from tuner.workers.supervisor import StopReason, Supervisor

from .measure import arguments, console, machine_line, write_json

MARKS = (0.2, 0.5, 0.8)
BEFORE = 0.1  # of the time, before a mark, over which the median is taken
ASKED = 200  # times along the record
FULL = {"trials": 24, "workers": 2, "epochs": 6, "images": 300}
QUICK = {"trials": 4, "workers": 1, "epochs": 2, "images": 100}
Record = dict[str, Any]


def main() -> None:
    options = arguments(str(__doc__), rounds=1, seconds=0, more=_more)
    sizes = QUICK if options.quick else FULL
    record = json.loads(options.replay.read_text()) if options.replay else record_search(**sizes)
    if options.record:
        options.record.write_text(json.dumps(record))
    errors = {name: measure(record, make) for name, make in ESTIMATES.items()}
    out = console()
    made = Table(
        title=f"Time left of a search of {record['n_trials']} trials on {record['workers']} worker(s), {record['seconds']:.0f} s",
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    made.add_column("estimate")
    for mark in MARKS:
        made.add_column(f"error at {mark:.0%}", justify="right")
    for name, found in errors.items():
        made.add_row(name, *("says nothing" if found[mark] is None else f"{found[mark]:+.0%}" for mark in MARKS))
    out.print(made)
    if options.quick:
        out.print("--quick: these figures mean nothing")
    out.print(machine_line())
    plain = {name: {f"{mark:g}": error for mark, error in found.items()} for name, found in errors.items()}
    write_json(options.json, {"quick": options.quick, "n_trials": record["n_trials"], "seconds": record["seconds"], "errors": plain})


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--record", type=Path, metavar="FILE", help="keep what the search said")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="ask along this record instead of searching")


# -- the record


@dataclass
class Recorder:
    """A view of a search that keeps what it is told, and when."""

    began: float = field(default_factory=time.monotonic)
    told: list[dict[str, Any]] = field(default_factory=list)

    def event(self, worker: int, event: Event) -> None:
        match event:
            case TrialStarted(number=number, config=config):
                said = {"kind": "begin", "number": number, "config": config.to_dict()}
            case EpochReported(number=number, score=score, epochs=epochs):
                said = {"kind": "epoch", "number": number, "epoch": score.epoch, "epochs": epochs, "seconds": score.seconds}
            case StepsTaken(number=number, epoch=epoch, step=step, steps=steps):
                said = {"kind": "steps", "number": number, "trained": epoch - 1 + step / steps}
            case TrialEnded(number=number, outcome=outcome) if outcome.state in ("COMPLETE", "PRUNED"):
                said = {"kind": "end", "number": number}
            case _:
                return
        self.told.append({"at": time.monotonic() - self.began, "worker": worker, **said})

    def counts(self, counts: Counts) -> None:
        pass


def record_search(*, trials: int, workers: int, epochs: int, images: int) -> Record:
    """What a search says that trains all of its trials to their end."""
    plain = {
        "data": "digits",
        "train_images": images,
        "image_size": 8,
        "validation": 0.2,
        "pruner": "none",
        "sampler": "random",
        "space": {
            "lr": {"low": 1e-3, "high": 1e-2, "log": True},
            "batch_size": [4, 8, 16, 32, 64],
            "epochs": {"low": max(1, epochs // 3), "high": epochs},
            "widths": {name: [0.0625, 0.125, 0.25] for name in ("stem", "?3.*", "?4.*", "?5.*")},
        },
    }
    config = StudyConfig.from_dict(plain)
    dataset = load(config.data)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/search.db"
        study = create_or_load(
            Storage(url, make=True),
            "time_left",
            config,
            dataset.fingerprint,
            trials=trials,
            classes=dataset.classes,
            val_images=len(split(dataset, config.data)[1]),
        )
        recorder = Recorder()
        stop = Supervisor(study, url, [Placement()] * workers, recorder, LocalEngine()).run()
        study.storage.close()
    if stop.reason is not StopReason.FULL:
        raise SystemExit(f"the search did not come to its end: {stop.reason.name.lower()} {stop.text}")
    seconds = max(said["at"] for said in recorder.told)
    return {"n_trials": trials, "workers": workers, "classes": len(dataset.classes), "seconds": seconds, "told": recorder.told}


# -- the estimates


@dataclass
class Pace:
    """The estimate before: the time so far over the trials ended so far, times those left. Nothing until each worker has ended one."""

    workers: int
    ended: int = 0
    after: float = 0.0

    def tell(self, said: Mapping[str, Any]) -> None:
        if said["kind"] == "end":
            self.ended, self.after = self.ended + 1, said["at"]

    def estimate(self, remaining: int, trained: Mapping[int, float], epochs: Mapping[int, int]) -> float | None:
        if self.ended < max(2, self.workers) or remaining <= 0:
            return None
        begun = sum(done / epochs[number] for number, done in trained.items())
        return self.after / self.ended * max(0.0, remaining - begun)


class Model:
    """The estimate that a search says."""

    def __init__(self, record: Record) -> None:
        self._left = TimeLeft(record["workers"], record["classes"])

    def tell(self, said: Mapping[str, Any]) -> None:
        number = said["number"]
        match said["kind"]:
            case "begin":
                self._left.begin(number, TrialConfig.from_dict(said["config"]), said["at"])
            case "epoch":
                self._left.epoch(number, said["epoch"], said["seconds"], new=True)
            case "end":
                self._left.end(number, said["at"])

    def estimate(self, remaining: int, trained: Mapping[int, float], epochs: Mapping[int, int]) -> float | None:
        return self._left.estimate(remaining, trained)


ESTIMATES: dict[str, Callable[[Record], Any]] = {"pace of the trials ended": lambda record: Pace(record["workers"]), "cost model": Model}


def measure(record: Record, make: Callable[[Record], Any]) -> dict[float, float | None]:
    """The error at each mark; None where nothing was said before it."""
    said = list(replay(record, make(record)))
    whole, found = record["seconds"], {}
    for mark in MARKS:
        errors = [left / (whole - at) - 1 for at, left in said if left is not None and mark - BEFORE <= at / whole <= mark]
        found[mark] = median(errors) if errors else None
    return found


def replay(record: Record, estimate: Any) -> Iterator[tuple[float, float | None]]:
    """Times along the record, and the time left as it is estimated there."""
    told, remaining = list(record["told"]), record["n_trials"]
    trained: dict[int, float] = {}
    epochs: dict[int, int] = {}
    for step in range(1, ASKED):
        at = record["seconds"] * step / ASKED
        while told and told[0]["at"] <= at:
            said = told.pop(0)
            estimate.tell(said)
            number = said["number"]
            match said["kind"]:
                case "begin":
                    trained[number], epochs[number] = 0.0, said["config"]["epochs"]
                case "epoch":
                    trained[number] = max(trained[number], said["epoch"])
                case "steps":
                    trained[number] = max(trained[number], said["trained"])
                case "end":
                    del trained[number]
                    remaining -= 1
        yield at, estimate.estimate(remaining, trained, epochs)


if __name__ == "__main__":
    main()
