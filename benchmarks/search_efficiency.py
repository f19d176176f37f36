"""What pruners cost and lose, by the code of `tuner simulate`: recorded learning curves are replayed, nothing is trained.

Two questions to each set of curves. How many epochs until a configuration of the top 2 % has been trained to its end, beside
no pruning, when configurations come in random order; a search that has spent 60 whole trainings is given up as missed. And:
of a search of 50 trials, which part of the epochs is trained, and how many points of accuracy does the winner lack.

`--curves FILE` takes an .npz of arrays [configurations, epochs] of errors in place of the three sets that come with tuner,
`--crossing` curves made to cross (`crossing.py`). `--cut E` looks at the first E epochs only. `--ray` and `--syne-tune`
replay their ASHAs too, by their own code.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from tuner.console.text import say
from tuner.simulate.recording import Recording, load_shipped, read_recordings
from tuner.simulate.rules import Nothing, Step, find_rule
from tuner.simulate.run import make_table, replay_all, sum_up

from .crossing import make_crossing

AGREEMENTS = (0.0, 0.3, 0.6, 0.9)
RULES = {
    "none": find_rule("none"),
    "median": find_rule("median"),
    "sha, eta 3": find_rule("sha", {"min_resource": 1, "reduction_factor": 3}),
    "hyperband": find_rule("hyperband"),
    "promote": find_rule("promote"),
    "promote, no audit": find_rule("promote", {"audit": 0}),
}


class RaysAsha(Nothing):
    """Ray's asynchronous successive halving: one bracket, from epoch 1, reduction factor 3."""

    def __init__(self, epochs: int) -> None:
        from ray.tune.schedulers.async_hyperband import _Bracket

        self._bracket = _Bracket(1, epochs, 3, 0)

    def report(self, trial: int, epoch: int, error: float) -> Step:
        told = SimpleNamespace(trial_id=trial)
        return Step.STOP if self._bracket.on_result(told, epoch, -error) == "STOP" else Step.GO


class SyneTunesAsha(Nothing):
    """Syne Tune's, of its kind that stops: as Ray's."""

    def __init__(self, epochs: int) -> None:
        from syne_tune.optimizer.schedulers.asha import Bracket

        self._bracket = Bracket(1, epochs, 3, 0)

    def report(self, trial: int, epoch: int, error: float) -> Step:
        return Step.STOP if self._bracket.on_result(trial, epoch, {"error": error}) == "STOP" else Step.GO


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=Path, metavar="FILE")
    parser.add_argument("--crossing", action="store_true", help="curves whose first half says nothing, little, more and much of their end")
    parser.add_argument("--cut", type=int, metavar="E")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--workers", type=int, action="append")
    parser.add_argument("--ray", action="store_true", help="Ray's ASHA too; wants `pip install 'ray[tune]'`")
    parser.add_argument("--syne-tune", action="store_true", help="Syne Tune's ASHA too; wants `pip install syne-tune`")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(given)
    if options.crossing and options.curves is not None:
        parser.error("--crossing makes its own curves: leave --curves away")
    sets: list[Recording] = load_shipped() if options.curves is None else read_recordings(options.curves)
    if options.crossing:
        sets = [make_crossing(agreement) for agreement in AGREEMENTS]
    if options.cut is not None:
        sets = [each.cut(options.cut) for each in sets]
    rules = dict(RULES)
    if options.ray:
        rules["ray's asha, eta 3"] = lambda epochs, seed: RaysAsha(epochs)
    if options.syne_tune:
        rules["syne tune's asha, eta 3"] = lambda epochs, seed: SyneTunesAsha(epochs)
    told: list[dict[str, Any]] = []
    for workers in options.workers or [1]:
        rows = [row for each in sets for row in replay_all(each, rules, workers=workers, seeds=options.seeds, trials=50, top=True, say=say)]
        Console(width=120).print(make_table(rows, seeds=options.seeds))
        for rule in list(rules)[1:]:
            line = sum_up([row for row in rows if row.pruner == rule], options.seeds)
            print(f"{line}, {workers} workers" if workers > 1 else line)
        told += [row.to_dict() for row in rows]
    if options.json is not None:
        curves = "made to cross" if options.crossing else "shipped" if options.curves is None else options.curves.name
        options.json.write_text(json.dumps({"curves": curves, "cut": options.cut, "seeds": options.seeds, "rows": told}, indent=1) + "\n")


if __name__ == "__main__":
    main()
