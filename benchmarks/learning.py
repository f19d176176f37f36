"""What pruners cost and lose where a sampler learns and few images judge, on recorded curves: nothing is trained.

Recorded sets come in random order and are scored on 10,000 images. In a search later configurations are better than the
first ones, so that each is among the best of all before it, and a validation part of some hundred images tells few apart.
Here 50 configurations are drawn, after ten at random from the best part of the set alone, which shrinks to its best 15 %;
and what a pruner sees has the error of --images images, most of it the same at every epoch.

The winner is the one that looks best; `lost` is how many points of accuracy it truly lacks to the best of the 50. Without
pruning the winner is the luckiest of all, so that a pruner can lose less.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tuner.simulate.recording import Recording, load_shipped, read_recordings
from tuner.simulate.replay import replay
from tuner.simulate.rules import MakeRule, find_rule
from tuner.study.promotion import SMALLEST_ERROR

TRIALS = 50
AT_RANDOM = 10  # trials before the sampler has learnt anything
BEST_PART = 0.15  # of the set: what it draws from when it has learnt all it will
SHARED = 0.8  # of the error of few images: the part that is the same at every epoch; with the rest, squared, it makes 1


def draw(curves: Recording, *, learning: bool, seed: int) -> NDArray[np.float64]:
    """The true errors of one search's configurations in the order of their trials: [50, epochs]."""
    rng = np.random.default_rng([seed, 7])
    best_first = np.argsort(curves.errors[:, -1])
    parts = np.ones(TRIALS)
    if learning:
        parts[AT_RANDOM:] = np.maximum(BEST_PART, 1 - np.arange(1, TRIALS - AT_RANDOM + 1) / (TRIALS / 2))
    chosen: NDArray[np.float64] = curves.errors[best_first[(rng.uniform(0, parts) * len(curves)).astype(int)]]
    return chosen


def observe(true: NDArray[np.float64], images: int, *, seed: int) -> NDArray[np.float64]:
    """The same errors as a validation part of so many images shows them."""
    rng = np.random.default_rng([seed, 8])
    error = SHARED * rng.normal(size=(len(true), 1)) + np.sqrt(1 - SHARED**2) * rng.normal(size=true.shape)
    seen: NDArray[np.float64] = np.clip(true + np.sqrt(true * (1 - true)) / np.sqrt(images) * error, SMALLEST_ERROR, 1.0)
    return seen


def search(curves: Recording, make: MakeRule, images: int, *, learning: bool, seed: int) -> tuple[float, float]:
    """The share of the epochs that one search trains, and the points that its winner lacks."""
    true = draw(curves, learning=learning, seed=seed)
    shown = Recording(name=curves.name, errors=observe(true, images, seed=seed))
    done = replay(shown, make(curves.epochs, seed), seed=seed, trials=TRIALS, draw=lambda trial: trial)
    winner = min(done.completions, key=lambda completion: completion.error)
    return done.spent / true.size, 100 * float(true[winner.trial, -1] - true[:, -1].min())


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learning", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--curves", type=Path, metavar="FILE", help="sets of errors from 0 to 1; default: the three that come with tuner")
    parser.add_argument("--cut", type=int, default=8, metavar="E", help="look at the first E epochs only (default: 8)")
    parser.add_argument("--images", type=int, default=800, help="of the validation part (default: 800)")
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args(given)
    rules: dict[str, MakeRule] = {
        "none": find_rule("none"),
        "median": find_rule("median"),
        "promote": find_rule("promote", val_images=options.images),
    }
    sets = load_shipped() if options.curves is None else read_recordings(options.curves)
    sets = [each.cut(options.cut) for each in sets if each.errors.max() <= 1]
    table = Table(title=f"50 trials, {options.images} validation images, {options.seeds} seeds, mean of {len(sets)} sets", box=None)
    for heading in ("configurations", "pruner", "share of the epochs", "points lost"):
        table.add_column(heading)
    for learning in (False, True):
        for name, make in rules.items():
            found = [search(each, make, options.images, learning=learning, seed=seed) for each in sets for seed in range(options.seeds)]
            share, lost = np.mean(found, axis=0)
            table.add_row("better and better" if learning else "at random", name, f"{share:.2f}", f"{lost:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
