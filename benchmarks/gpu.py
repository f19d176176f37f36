"""Everything to be measured on a GPU, checks first: `gpu.sh --device cuda:0 --data DIR --out DIR`. Also runs on a CPU.

check    the fast form against the plain one in fp64 and fp32, the captured step against the eager one, bf16 against fp32
speed    training, images/s and seconds an epoch of 50,000: report A's loop against ours; ratio to the arithmetic and memory floors
workers  how many workers one GPU should be given
journal  report A's nine rows: accuracy beside the report's, seconds beside the naive loop's
search   `tuner search`, then `tuner train` on its best configuration: wall times and accuracies
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import os
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.table import Table

from . import images
from .measure import Comparison, compare, console, figure, machine_line, rate, table, write_json
from .sides import Side, alternate

EPOCH = 50_000  # images
FLOORS = {"mynet": (0.48, 0.43), "googlenet": (0.74, 0.66)}  # H100: seconds an epoch of arithmetic in bf16, of memory traffic


def main() -> None:
    options = _options()
    stages: dict[str, Callable[[argparse.Namespace], Any]] = {
        "check": check,
        "speed": speed,
        "workers": workers,
        "journal": journal,
        "search": search,
    }
    chosen = options.only.split(",") if options.only else list(stages)
    if unknown := set(chosen) - set(stages):
        raise SystemExit(f"--only takes {', '.join(stages)}, not {', '.join(sorted(unknown))}")
    device = _device(options)
    tables, failed = [], []
    for name in (stage for stage in stages if stage in chosen):
        began = time.monotonic()
        try:
            found, shown = stages[name](options)
            tables.append(shown)
        except Exception:
            found = {"error": traceback.format_exc()}
            print(found["error"], flush=True)
        if "error" in found:
            failed.append(name)
        write_json(options.out / f"{name}.json", {"device": device, "quick": options.quick, name: found})
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    out = console()
    for shown in tables:
        out.print()
        out.print(shown)
    out.print(f"\n{device}; {machine_line()}" + ("\n--quick: these figures mean nothing" if options.quick else ""))
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gpu.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it runs: its figures mean nothing")
    parser.add_argument("--data", type=Path, metavar="DIR", help="holds train/ and test/, or cifar-10-batches-py/; else generated images")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where results go  [default: $OUT, else benchmarks/results]")
    parser.add_argument("--only", metavar="STAGE,...", help="some of: check, speed, workers, journal, search")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16", help="of ours in workers, journal and search")
    parser.add_argument("--no-capture", action="store_true", help="workers, journal and search without CUDA graphs")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of a turn, about")
    parser.add_argument("--seeds", type=int, default=1, help="of the journal")
    parser.add_argument("--minutes", type=float, default=8.0, help="of the journal, and of the search")
    parser.add_argument("--study", default="mynet", help="the study to search")
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--workers", type=int, default=1, help="workers on the GPU in the search")
    options = parser.parse_args()
    options.gpu = options.device.startswith("cuda")
    options.capture = options.gpu and not options.no_capture
    options.out = options.out or Path(os.environ.get("OUT") or Path(__file__).parent / "results")
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.gpu:
        options.precision = "fp32"  # bf16 loses on a CPU
    options.naive_threads = None if options.gpu else 1  # PyTorch's default, as its author had it
    options.width, options.images = (0.0625, 64) if options.quick else (1.0, 10_000)
    if options.quick:
        options.rounds, options.seconds, options.trials = 2, 0.02, 1
    return options


def _device(options: argparse.Namespace) -> str:
    """The card's name and its software's versions. SystemExit where there is none."""
    import torch

    if not options.gpu:
        return f"device {options.device}"
    if not torch.cuda.is_available():
        raise SystemExit(f"--device {options.device}: no GPU is here; --device cpu --quick runs everything on the CPU")
    from tuner.training.provenance import name_device, read_device_versions

    versions = read_device_versions(options.device)
    return ", ".join([name_device(options.device), *(f"{name} {version}" for name, version in versions.items())])


def check(options: argparse.Namespace) -> tuple[dict[str, Any], Table]:
    from .checks import checks

    found = checks(options.device, quick=options.quick)
    shown = _table("Checks: largest relative difference", "check", "difference", "at most", "")
    for each in found:
        shown.add_row(each.name, f"{each.difference:.1e}", f"{each.most:.0e}", "ok" if each.passed else "FAILED")
    failed = [each.name for each in found if not each.passed]
    plain = {"checks": [dataclasses.asdict(each) for each in found]}
    return plain | ({"error": f"too far apart: {failed}"} if failed else {}), shown


def _ours(options: argparse.Namespace, **settings: Any) -> dict[str, Any]:
    return {"device": options.device, "threads": 1, "precision": options.precision, "capture": options.capture, **settings}


def speed(options: argparse.Namespace) -> tuple[dict[str, Any], Table]:
    found: list[Comparison] = []
    epochs = _table("Seconds an epoch of 50,000 images", "network", "batch", "side", "seconds", "x the greater H100 floor")
    for model in ("mynet",) if options.quick else ("mynet", "googlenet"):
        for batch in (8,) if options.quick else (8, 64, 512):
            common: dict[str, Any] = {
                "model": model,
                "width": 0.0625 if options.quick else 1.0,
                "batch": batch,
                "images": 64 if options.quick else 10_000,
            }
            naive = common | {"device": options.device, "workers": 2, "threads": options.naive_threads}
            sides = [Side(name="naive", make="naive.training", settings=naive)]
            forms = [("fp32", False), ("fp32", True), ("bf16", False), ("bf16", True)] if options.gpu else [("fp32", False)]
            for precision, capture in forms:
                name = f"ours {precision}{', captured' if capture else ''}"
                settings = _ours(options, **common, precision=precision, capture=capture)
                sides.append(Side(name=name, make="ours.training", settings=settings))
            comparison = compare(f"{model}, batch {batch}", sides, options)
            found.append(comparison)
            for name, side in comparison.plain()["sides"].items():
                seconds = EPOCH / side["median"]
                epochs.add_row(model, str(batch), name, figure(seconds), f"{seconds / max(FLOORS[model]):.2f}" if options.gpu else "")
    console().print(table(f"Training on {options.device}, 32x32 images in memory", found))
    return {"floors_h100": FLOORS, "comparisons": [c.plain() for c in found]}, epochs


def workers(options: argparse.Namespace) -> tuple[dict[str, Any], Table]:
    found = []
    for batch in (8,) if options.quick else (8, 64, 512):
        settings = _ours(
            options, model="mynet", width=0.0625 if options.quick else 1.0, batch=batch, images=64 if options.quick else 10_000
        )
        counts = (1, 2) if options.quick else (1, 2, 4) if batch > 64 else (1, 2, 4, 8)
        sides = [Side(name=f"{n} workers", make="ours.training", settings=settings, processes=n) for n in counts]
        found.append(compare(f"mynet, batch {batch}", sides, options))
    return {"comparisons": [c.plain() for c in found]}, table(f"Workers on {options.device}, images/s in all", found)


def _data(options: argparse.Namespace) -> tuple[tuple[images.Array, images.Array], tuple[images.Array, images.Array]]:
    """Training and test images with their labels."""
    if options.data is None:
        train, test = (100, 20) if options.quick else (50_000, 10_000)
        return images.generated(train), images.generated(test, seed=1)
    if (options.data / images.BATCHES).is_dir():
        *train_part, test_images, test_labels = images.unpickled(options.data)
        return (train_part[0], train_part[1]), (test_images, test_labels)
    from tuner.config.data_config import DataConfig
    from tuner.data import load

    data = load(DataConfig(source=f"folder:{options.data}"), progress=print)
    return (data.train_images, data.train_labels), (data.test_images, data.test_labels)


def journal(options: argparse.Namespace) -> tuple[dict[str, Any], Table]:
    from . import journal as rows_of

    train, test = _data(options)
    deadline = time.monotonic() + 60 * options.minutes
    width, rows = options.width, 1 if options.quick else len(rows_of.ROWS)
    common = {"device": options.device, "precision": options.precision, "capture": options.capture, "width": width, "rows": rows}
    found = [row for seed in range(options.seeds) for row in rows_of.journal(train, test, **common, seed=seed, deadline=deadline)]
    naive: dict[tuple[str, int], float] = {}
    for model, batch in dict.fromkeys((row.model, row.batch) for row in found):
        settings = {"model": model, "width": width, "batch": batch, "images": options.images, "device": options.device}
        side = Side(name="naive", make="naive.training", settings=settings | {"workers": 2, "threads": options.naive_threads})
        naive[model, batch] = rate(alternate([side], rounds=options.rounds, seconds=options.seconds)["naive"])
    title = "Report A's journal (naive seconds: reckoned from its images/s)" + ("" if options.data else "; GENERATED images")
    shown = _table(title, "network", "epochs", "batch", "lr", "seed", "report", "ours", "seconds", "naive s")
    plain = []
    for row in found:
        reckoned = row.epochs * len(train[1]) / naive[row.model, row.batch]
        plain.append(dataclasses.asdict(row) | {"naive_seconds_reckoned": reckoned})
        cells = (row.model, row.epochs, row.batch, row.lr, row.seed, f"{row.reported:.2f}", f"{row.accuracy:.4f}")
        shown.add_row(*map(str, cells), f"{row.seconds:.1f}", f"{reckoned:.0f}")
    return {"rows": plain, "of": rows * options.seeds, "data": str(options.data or "generated")}, shown


def search(options: argparse.Namespace) -> tuple[dict[str, Any], Table]:
    if missing := [name for name in ("optuna", "sqlalchemy", "alembic", "tenacity") if importlib.util.find_spec(name) is None]:
        raise RuntimeError(f"no {', '.join(missing)} here: carry the wheels and give them with --wheels DIR")
    from . import searches

    with tempfile.TemporaryDirectory() as name:
        data, study = options.data, options.study
        if data is None or not (data / "train").is_dir():
            data = images.write_folder(Path(name) / "images", *_data(options))
        if options.quick:
            study = str(Path(name) / "quick.yaml")
            Path(study).write_text(searches.QUICK_STUDY, encoding="utf-8")
        where = ["--gpu", options.device.partition(":")[2] or "0"] if options.gpu else ["--device", "cpu"]
        how = ["--workers", str(options.workers), "--precision", options.precision, "--capture" if options.capture else "--no-capture"]
        limit = 60 * options.minutes
        done = searches.search(study, data.absolute(), where, trials=options.trials, how=how, device=options.device, timeout=limit)
    title = f"tuner search {done['study']}, then tuner train" + ("" if options.data else "; GENERATED images")
    shown = _table(title, "trials", "search s", "val accuracy", "train s", "test accuracy")
    figures = (done["search_seconds"], done["val_accuracy"], done["train_seconds"], done["test_accuracy"])
    shown.add_row(str(done["trials"]), *(f"{value:.4g}" for value in figures))
    return done, shown


def _table(title: str, *headings: str) -> Table:
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        made.add_column(heading, justify="left" if heading in ("check", "network", "side") else "right")
    return made


if __name__ == "__main__":
    main()
