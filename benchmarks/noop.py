"""What a trial costs that trains nothing: six parameters, six reports, on SQLite. Ours beside plain `study.optimize`."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from tuner.config.study_config import StudyConfig
from tuner.placement import Placement
from tuner.study import studies
from tuner.study.facts import write_facts
from tuner.study.lease import Lease
from tuner.study.storage import Storage
from tuner.study.study import Study
from tuner.study.worker_id import WorkerId
from tuner.training.score import Score
from tuner.workers.events import Event, TrialEnded
from tuner.workers.objective import tidy, train_trial

EPOCHS = 6
SPACE = {
    "epochs": EPOCHS,
    "lr": {"low": 1e-4, "high": 1e-1, "log": True},
    "batch_size": [8, 16, 32, 64],
    "momentum": {"low": 0.8, "high": 0.98},
    "label_smoothing": {"low": 0.0, "high": 0.2},
    "widths": {"stem": {"low": 0.5, "high": 1.5, "step": 0.25}, "*.n3x3": {"low": 0.5, "high": 1.5, "step": 0.25}},
}
PARTS = SimpleNamespace(classes=10, train=lambda augment: range(45_000), val=lambda: range(5_000), split_by=lambda seed: PARTS)
AT_ONCE = 500  # rows a transaction, when a study is filled


class Plain:
    """A study as Optuna makes it from a SQLite URL, with its own defaults."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'plain.db'}"
        self.study = optuna.create_study(storage=self.url, study_name="noop", direction="maximize")

    def run(self, trials: int) -> None:
        self.study.optimize(self._objective, n_trials=trials)

    def _objective(self, trial: optuna.Trial) -> float:
        suggest_six(trial)
        for epoch in range(1, EPOCHS + 1):
            trial.report(accuracy(trial.number, epoch), epoch)
            if epoch < EPOCHS:
                trial.should_prune()  # asked, as a search asks; not obeyed, so that all trials do the same work
        return accuracy(trial.number, EPOCHS)

    def fill(self, count: int) -> None:
        """Add finished trials, through a connection that does not wait for the disk."""
        fast = optuna.storages.RDBStorage(self.url, engine_kwargs={"connect_args": {"factory": _Hasty}})
        like = self.study.get_trials(deepcopy=False)[0]
        optuna.load_study(study_name="noop", storage=fast).add_trials(list(islice(varied(like), count)))
        fast.engine.dispose()


class Ours:
    """A study of tuner, and a worker's whole way through a trial but for the training itself."""

    def __init__(self, folder: Path) -> None:
        self.storage = Storage(f"sqlite:///{folder / 'ours.db'}", make=True)
        # As above: asked with all its work, but ending no trial.
        plain = {"model": "mynet", "pruner": {"name": "median", "n_min_trials": 10**6}, "space": SPACE}
        self.study = studies.create_or_load(
            self.storage, "noop", StudyConfig.from_dict(plain), "0" * 16, trials=10**6, checkpoints=folder / "checkpoints"
        )

    def run(self, trials: int) -> None:
        for _ in range(trials):
            lease = self.study.leases.claim(WorkerId.here(), self.study.new_trial)
            assert isinstance(lease, Lease)
            train_nothing(self.study, lease, say=_check)

    def fill(self, count: int) -> None:
        first = self.study.frozen_trials()[0]
        [facts] = self.study.read_facts([first])
        like = varied(first)
        while count > 0:
            with self.storage.transaction():
                for trial in islice(like, min(AT_ONCE, count)):
                    trial_id = self.storage.optuna.create_new_trial(self.study.leases.study_id, trial)
                    changed = {"config": facts["config"] | {"lr": trial.params["lr"]}}
                    write_facts(self.storage, self.study.leases.study_id, trial_id, **(facts | changed))
            count -= AT_ONCE


def train_nothing(study: Study, lease: Lease, *, pause: float = 0.0, say: Callable[[Event], None] = lambda event: None) -> None:
    """A worker's whole way through a trial, but nothing is trained and no checkpoint written: an epoch is a pause of so many seconds."""
    make_run: Any = partial(_NoRun, pause=pause)
    parts: Any = PARTS
    make_writer: Any = _NoWriter
    train_trial(study, lease, parts, Placement(), stop=lambda: False, say=say, make_run=make_run, make_writer=make_writer)
    tidy(study, 5)


class _NoRun:
    """A run whose epochs are there at once, or after a pause."""

    def __init__(self, config: Any, train: Any, val: Any, *, pause: float, **_: Any) -> None:
        self.config, self.train, self.pause = config, train, pause
        self.curve: list[Score] = []
        self.parameters, self.classes, self.captured = 0, PARTS.classes, None

    @property
    def counted(self) -> Score:
        return self.curve[-1]

    def epochs(self) -> Iterator[Score]:
        for epoch in range(1, EPOCHS + 1):
            if self.pause:
                time.sleep(self.pause)
            value = accuracy(self.config.seed, epoch)
            score = Score(epoch=epoch, train_loss=1.0, train_accuracy=value, val_loss=1.0, val_accuracy=value, seconds=0.5)
            self.curve.append(score)
            yield score


class _NoWriter(nullcontext[Any]):
    """Where each epoch counts without a file."""

    written = True

    def __init__(self, path: Path, *, uid: str) -> None:
        super().__init__(self)
        self._score: Score | None = None

    def begin(self, run: Any, score: Score) -> None:
        self._score = score

    def commit(self, allowed: Callable[[], None] = lambda: None) -> Score | None:
        score, self._score = self._score, None
        return score


class _Hasty(sqlite3.Connection):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.execute("PRAGMA synchronous=OFF")
        self.execute("PRAGMA journal_mode=MEMORY")  # neither outlives the connection


def _check(event: Event) -> None:
    assert not isinstance(event, TrialEnded) or event.outcome.state == "COMPLETE", event


def suggest_six(trial: optuna.Trial) -> None:
    """Draw what `SPACE` searches, as plain Optuna has it."""
    trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    trial.suggest_categorical("batch_size", [8, 16, 32, 64])
    trial.suggest_float("momentum", 0.8, 0.98)
    trial.suggest_float("label_smoothing", 0.0, 0.2)
    trial.suggest_float("widths.stem", 0.5, 1.5, step=0.25)
    trial.suggest_float("widths.*.n3x3", 0.5, 1.5, step=0.25)


def accuracy(seed: int, epoch: int) -> float:
    return 0.5 + 0.05 * epoch + 0.001 * (seed % 97)


def varied(like: FrozenTrial) -> Iterator[FrozenTrial]:
    """Finished trials with all that the given one has, and parameters of their own."""
    chance = random.Random(0)
    while True:
        params = {}
        for name, distribution in like.distributions.items():
            if isinstance(distribution, optuna.distributions.CategoricalDistribution):
                params[name] = chance.choice(distribution.choices)
            elif distribution.step is not None:
                params[name] = distribution.low + distribution.step * chance.randrange(5)
            else:
                params[name] = chance.uniform(distribution.low, distribution.high)
        shift = chance.uniform(0, 0.1)
        reports = {step: value - shift for step, value in like.intermediate_values.items()}
        yield create_trial(
            state=TrialState.COMPLETE,
            value=reports[EPOCHS],
            params=params,
            distributions=like.distributions,
            user_attrs=dict(like.user_attrs),
            intermediate_values=reports,
        )


def costs(folder: Path, *, present: tuple[int, ...], rounds: int, trials: int) -> dict[int, dict[str, list[float]]]:
    """Milliseconds a trial with so many trials in the study, a value a round; the sides take turns of `trials` trials."""
    sides: dict[str, Plain | Ours] = {"plain study.optimize": Plain(folder), "ours": Ours(folder)}
    found: dict[int, dict[str, list[float]]] = {}
    there = 0
    for side in sides.values():
        side.run(1)
        there = 1
    for count in present:
        for side in sides.values():
            side.fill(max(0, count - there))
            side.run(1)  # reads what was filled in
        found[count] = {name: [] for name in sides}
        for _ in range(rounds):
            for name, side in sides.items():
                found[count][name].append(_milliseconds(side.run, trials) / trials)
        there = max(count, there) + 1 + rounds * trials
    return found


def _milliseconds(call: Callable[[int], None], trials: int) -> float:
    began = time.perf_counter()
    call(trials)
    return 1000 * (time.perf_counter() - began)
