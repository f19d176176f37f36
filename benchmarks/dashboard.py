"""A study of 3,000 trials in the browser: first load and refresh of `tuner dashboard` beside plain `optuna-dashboard`.

    python -m benchmarks.dashboard [--trials 3000] [--rounds 5] [--quick] [--wide]

The study is made up: six hyper-parameters (with --wide the shipped study `mynet`, with all its widths), 6 reports a
trial, no training. What is timed is GET /api/studies/ID, which
is all that a page waits for: `after=0` on a server just started, then `after=N` as an open page asks again and again.
Both servers run at once and are asked in turns. They keep trials for up to 10 s, so a refresh is asked for after more
than that. Then the report of the same study: its time and its size, and what `publish` writes.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from tests import fabricated
from tuner.config.yaml_file import read
from tuner.study.search_space import to_distributions
from tuner.study.storage import Storage
from tuner.study.study import Study

REPORTS = 6
SIX = {
    "lr": {"low": 1e-4, "high": 1e-1, "log": True},
    "batch_size": [8, 16, 32, 64, 128, 256],
    "epochs": {"low": 2, "high": 8},
    "momentum": {"low": 0.8, "high": 0.98},
    "weight_decay": [0, 1e-5, 1e-4, 5e-4],
    "widths": {"*.n1x1": {"low": 0.5, "high": 1.5, "step": 0.25}},
}
CACHED = 10.5  # seconds, longer than the servers keep trials


def trials(study: Study, count: int) -> Iterator[FrozenTrial]:
    """Trials all over the space. The accuracy hangs on the learning rate, the rest is chance; a third is pruned at its last report."""
    rng = random.Random(0)
    space = to_distributions(study.config)
    sampler = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(count):
        values = sampler.ask(space).params | {"epochs": REPORTS}
        good = max(0.2, 0.9 - 0.1 * abs(values["lr"] - 0.01) / values["lr"] * rng.random() + rng.gauss(0, 0.01))
        curve = [round(max(0.1, good * (1 - 0.5 * 0.5**epoch)), 4) for epoch in range(REPORTS)]
        state = TrialState.PRUNED if rng.random() < 1 / 3 else TrialState.COMPLETE
        seconds = rng.uniform(20, 60)
        size = rng.randrange(1_000_000, 8_000_000)
        yield fabricated.trial(study, values, curve, state=state, number=number, parameters=size, seconds=seconds)


def make(url: str, count: int, *, wide: bool = False) -> Study:
    storage = Storage(url, make=True)
    plain = read(Path(__file__).parent.parent / "studies" / "mynet.yaml")
    plain.pop("start", None)
    plain["pruner"] = "median"  # with it epochs are drawn
    if not wide:
        plain["space"] = SIX
    study = fabricated.study(storage, plain, name="large", trials=count)
    fabricated.add(study, trials(study, count))
    return study


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> tuple[float, int]:
    """Seconds until the whole answer was there, and its bytes."""
    began = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=300) as response:
        size = len(response.read())
    return time.perf_counter() - began, size


class Server:
    def __init__(self, name: str, command: list[str], port: int) -> None:
        self.name, self.port = name, port
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:  # until it answers
            try:
                get(port, "/api/meta")
                return
            except (urllib.error.URLError, ConnectionError):
                if self.process.poll() is not None:
                    raise RuntimeError(f"{name} ended with {self.process.returncode}") from None
                time.sleep(0.1)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()


def servers(url: str) -> list[Server]:
    one, two = free_port(), free_port()
    plain = shutil.which("optuna-dashboard", path=str(Path(sys.executable).parent)) or "optuna-dashboard"
    ours = [sys.executable, "-m", "tuner", "dashboard", "--storage", url, "--port", str(one), "--no-browser"]
    return [Server("tuner dashboard", ours, one), Server("optuna-dashboard URL", [plain, url, "--port", str(two)], two)]


def measure(url: str, study_id: int, count: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Seconds by server and by what was asked. Every round starts both servers anew."""
    found: dict[str, dict[str, list[float]]] = {}
    for turn in range(rounds):
        running = servers(url)
        order = running if turn % 2 == 0 else running[::-1]
        try:
            for server in order:
                seconds, size = get(server.port, f"/api/studies/{study_id}?after=0")
                figures = found.setdefault(server.name, {"first load": [], "refresh": [], "MB": []})
                figures["first load"].append(seconds)
                figures["MB"].append(size / 1e6)
            for _ in range(2):
                time.sleep(CACHED)
                for server in order:
                    found[server.name]["refresh"].append(get(server.port, f"/api/studies/{study_id}?after={count}")[0])
        finally:
            for server in running:
                server.end()
    return found


def line(name: str, values: list[float]) -> str:
    spread = f" +- {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"  {name:<12} {statistics.mean(values):6.2f}{spread} (n={len(values)}, {min(values):.2f} to {max(values):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="200 trials, one round: whether it works")
    parser.add_argument("--wide", action="store_true", help="the space of the shipped study mynet")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    count, rounds = (200, 1) if args.quick else (args.trials, args.rounds)
    folder = Path(tempfile.mkdtemp(prefix="tuner-dashboard-"))
    try:
        url = f"sqlite:///{folder}/large.db"
        began = time.perf_counter()
        study = make(url, count, wide=args.wide)
        made = time.perf_counter() - began
        print(f"{count:,} trials of {len(study.config.space)} hyper-parameters, {REPORTS} reports each, made in {made:.0f} s")
        print(f"{platform.machine()}, Python {platform.python_version()}, Optuna {optuna.__version__}, SQLite")
        from tuner.dashboard.publish import publish

        began = time.perf_counter()
        publish(study)
        published = time.perf_counter() - began
        print(f"publish (notes, plots, artifacts without weights): {published:.1f} s")
        figures = measure(url, study.leases.study_id, count, rounds)
        for name, by_kind in figures.items():
            print(f"{name}, seconds")
            for kind, values in by_kind.items():
                print(line(kind, values))
        reported = []
        for _ in range(rounds):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "tuner", "report", "large", "--storage", url, "--out", str(folder / "report.html")],
                check=True,
                stderr=subprocess.DEVNULL,
            )
            reported.append(time.perf_counter() - began)
        size = (folder / "report.html").stat().st_size / 1e6
        print("tuner report, the whole command, seconds")
        print(line("report", reported))
        print(f"  {size:.2f} MB of HTML")
        if args.json:
            everything = {"publish": published, "servers": figures, "report": reported, "report_mb": size}
            args.json.write_text(json.dumps(everything, indent=2) + "\n")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
