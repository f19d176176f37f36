"""bf16 against fp32 where the processor or GPU computes in bf16 itself: speed of a step, and accuracy over seeds.

Steps: report A's loop, ours in fp32 and ours in the precision that `--precision auto` takes there, in turns.
Accuracy: the same network, images and seeds in both precisions; on the test part, after the last epoch.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from statistics import mean, stdev
from typing import Any

import torch

from tuner.config.data_config import DataConfig
from tuner.config.trial_config import TrialConfig
from tuner.data import load
from tuner.data.parts import Parts, make_resident
from tuner.training.precision import has_fast_bf16, measure
from tuner.training.run import Run

from .measure import Comparison, arguments, compare, conclude, console
from .sides import Side

STEPS = ((0.25, 8), (0.25, 64), (1.0, 8), (1.0, 64))
QUICK = ((0.0625, 4),)


def main() -> None:
    options = arguments(str(__doc__), rounds=7, seconds=4, more=_more)
    data = DataConfig(source=options.data, train_images=64 if options.quick else options.images, validation=0.1)
    found = [_compare_steps(width, batch, data, options) for width, batch in (QUICK if options.quick else STEPS) if not options.accuracy]
    found.append(_compare_accuracy(data, options))
    conclude("fp32 and bf16", found, options)


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", default="digits", metavar="SPEC", help="images, such as folder:PATH  [default: digits]")
    parser.add_argument("--images", type=int, default=2000, metavar="N", help="training images  [default: 2000]")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="runs in each precision  [default: 5]")
    parser.add_argument("--accuracy", action="store_true", help="leave the steps out")


def _compare_steps(width: float, batch: int, data: DataConfig, options: argparse.Namespace) -> Comparison:
    parts = Parts(load(data), data, "cpu")
    config = TrialConfig(width=width, batch_size=batch, lr=0.001, data=data)
    evidence = measure(config, [batch], parts.train("none"), classes=parts.classes, device="cpu")
    faults = evidence.list_faults() if has_fast_bf16("cpu") else ["the processor has no units for it"]
    auto = "fp32" if faults else "bf16"
    console().print(
        f"width x{width:g}, batch {batch}: auto is {auto} ({'; '.join(faults) or f'{evidence.speedup:.2f} times as fast'}); {evidence}"
    )
    common: dict[str, Any] = {"model": "mynet", "width": width, "batch": batch, "images": 64 if options.quick else 10_000, "threads": 1}
    sides = [
        Side(name="naive", make="naive.training", settings=common | {"workers": 0}),
        Side(name="ours fp32", make="ours.training", settings=common),
        Side(name=f"ours auto ({auto})", make="ours.training", settings=common | {"precision": auto}),
    ]
    return compare(f"one thread, width x{width:g}, batch {batch}", sides, options)


def _compare_accuracy(data: DataConfig, options: argparse.Namespace) -> Comparison:
    """MyNet x0.25, batch 32, lr 0.01, 4 epochs."""
    config = TrialConfig(width=0.0625 if options.quick else 0.25, batch_size=32, lr=0.01, epochs=1 if options.quick else 4, data=data)
    dataset = load(data)
    train = Parts(dataset, data, "cpu").train("none")
    test = make_resident(dataset, data, "cpu", None)
    values: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for seed in range(2 if options.quick else options.seeds):
        for precision, figures in values.items():
            run = Run(replace(config, seed=seed, precision=precision), train, test, classes=len(dataset.classes))
            *_, score = run.epochs()
            figures.append(100 * (score.val_accuracy or 0.0))
            print(f"seed {seed} {precision}: {figures[-1]:.2f} %", file=sys.stderr, flush=True)
    for precision, figures in values.items():
        console().print(f"{precision}: {mean(figures):.2f} % +- {stdev(figures):.2f} (n={len(figures)})")
    differences = [b - a for a, b in zip(values["fp32"], values["bf16"], strict=True)]
    console().print(f"bf16 - fp32, seed by seed: {mean(differences):+.2f} +- {stdev(differences):.2f} points")
    title = f"accuracy, {len(train):,} training and {len(test):,} test images, width x{config.width:g}, {config.epochs} epochs"
    return Comparison(setting=title, unit="%", values=values)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
