"""A thousand tiny trials in one process on SQLite: does it grow, and does it slow down?

    python -m benchmarks.soak --trials 1000

Real training of a small network, with checkpoints, as a worker does it. Memory and open files are read after every tenth
of the trials. The last hundred trials take turns, ten by ten, with the first hundred of fresh studies, so that the
machine's other work meets both: `last against first` is the median of the pairs' ratios of time. Exit code 1 if files stay
open or the total is not reached.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import psutil
import torch

from tuner.config.study_config import StudyConfig
from tuner.data import load as load_data
from tuner.data.parts import Parts
from tuner.placement import Placement
from tuner.study.lease import Lease
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load
from tuner.study.study import Study
from tuner.study.worker_id import WorkerId
from tuner.workers.objective import tidy, train_trial

from .measure import machine_line

STUDY = {
    "width": 0.0625,
    "data": "digits",
    "train_images": 100,
    "image_size": 8,
    "validation": 0.2,
    "space": {"lr": {"low": 1e-3, "high": 1e-1, "log": True}, "batch_size": [32, 64], "epochs": 1},
}
KEEP = 5
TURNS, TURN = 10, 10  # the last hundred trials, ten by ten


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the process holds after so many trials."""

    trials: int
    memory_mb: float
    open_files: int
    threads: int


class Soak:
    """One process that trains; a study for each call of `begin`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._config = StudyConfig.from_dict(STUDY)
        self._parts = Parts(load_data(self._config.data), self._config.data, "cpu")
        self._worker_id = WorkerId.here()

    def begin(self, name: str, trials: int) -> Study:
        storage = Storage(f"sqlite:///{self._folder / name}.db", make=True)
        return create_or_load(storage, name, self._config, "0" * 16, trials=trials)

    def train(self, study: Study, trials: int) -> float:
        """Seconds for so many trials."""
        began = time.perf_counter()
        for _ in range(trials):
            lease = study.leases.claim(self._worker_id, study.new_trial)
            assert isinstance(lease, Lease), lease
            train_trial(study, lease, self._parts, Placement(), stop=lambda: False, say=lambda event: None)
            tidy(study, KEEP)
        return time.perf_counter() - began


def read(trials: int) -> Reading:
    process = psutil.Process()
    return Reading(
        trials=trials,
        memory_mb=round(process.memory_info().rss / 2**20, 1),
        open_files=process.num_fds(),
        threads=process.num_threads(),
    )


def soak(folder: Path, trials: int) -> dict[str, object]:
    made = Soak(folder)
    turn = min(TURN, max(1, trials // (2 * TURNS)))
    fresh = made.begin("warm", turn)
    made.train(fresh, turn)  # what is loaded once is loaded
    fresh.storage.close()
    study = made.begin("long", trials)
    readings = [read(0)]
    left, tenth = trials - TURNS * turn, max(1, trials // 10)
    while left > 0:
        count = min(tenth, left)
        made.train(study, count)
        left -= count
        readings.append(read(trials - TURNS * turn - left))
    ratios = []
    for index in range(TURNS):
        last = made.train(study, turn)
        fresh = made.begin(f"fresh{index}", turn)
        ratios.append(last / made.train(fresh, turn))
        fresh.storage.close()
    readings.append(read(trials))
    counts = study.leases.counts()
    study.storage.close()
    return {
        "asked": trials,
        "finished": counts.finished,
        "last_against_first": round(median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "readings": [asdict(each) for each in readings],
        "files_left_open": readings[-1].open_files - readings[1].open_files,
        "memory_mb_a_thousand_trials": round(1000 * (readings[-1].memory_mb - readings[1].memory_mb) / max(1, trials - tenth), 1),
        "machine": machine_line(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="tuner-soak-") as folder:
        facts = soak(Path(folder), options.trials)
    print(json.dumps(facts, indent=2))
    left_open = facts["files_left_open"]
    return int(facts["finished"] != options.trials or (isinstance(left_open, int) and left_open > 0))


if __name__ == "__main__":
    sys.exit(main())
