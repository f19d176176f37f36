"""Samplers and their options on a surrogate, by the code of `tuner simulate --sampler`: nothing is trained.

    python -m benchmarks.samplers STUDY --storage URL --seeds 20

A forest is fitted to a study of 60 whole trials or more; each sampler searches on it. These are counts, not times, so the
machine may do other things meanwhile.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import optuna
from rich.console import Console

from tuner.console.text import say
from tuner.simulate.run import describe_samplers, make_sampler_table
from tuner.simulate.sampling import Method, judge_samplers
from tuner.study.storage import Storage
from tuner.study.studies import load

METHODS: dict[str, Method] = {
    "tpe, as Optuna has it": ("tpe", {}),
    "tpe, 5 at random first": ("tpe", {"n_startup_trials": 5}),
    "tpe, 12 at random first": ("tpe", {"n_startup_trials": 12}),
    "tpe, 20 at random first": ("tpe", {"n_startup_trials": 20}),
    "tpe, 100 candidates": ("tpe", {"n_ei_candidates": 100}),
    "tpe, each parameter alone": ("tpe", {"multivariate": False}),
    "tpe, alone, 5 at random first": ("tpe", {"multivariate": False, "n_startup_trials": 5}),
    "tpe, alone, 12 at random first": ("tpe", {"multivariate": False, "n_startup_trials": 12}),
    "tpe, alone, 20 at random first": ("tpe", {"multivariate": False, "n_startup_trials": 20}),
    "tpe, alone, 100 candidates": ("tpe", {"multivariate": False, "n_ei_candidates": 100}),
    "gp": ("gp", {}),
    "cmaes": ("cmaes", {}),
    "qmc": ("qmc", {}),
}


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.samplers", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("study")
    parser.add_argument("--storage", required=True, metavar="URL")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--method", action="append", choices=list(METHODS), help="only this one; repeatable")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(given)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    methods = {name: METHODS[name] for name in options.method or METHODS}
    study = load(Storage(options.storage), options.study)
    surrogate, rows = judge_samplers(study, methods, seeds=options.seeds, trials=options.trials, workers=[1], say=say)
    console = Console(width=140)
    console.print(make_sampler_table(rows))
    for line in describe_samplers(surrogate, rows):
        console.print(line, highlight=False)
    if options.json:
        options.json.write_text(
            json.dumps({"worth": surrogate.worth, "trials": surrogate.trials, "rows": [row.to_dict() for row in rows]}, indent=1)
        )


if __name__ == "__main__":
    main()
