"""A comparison from what was asked for to its rows."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from optuna.trial import FrozenTrial

from ..console.text import format_duration, say, say_nothing
from ..errors import Interrupted, TunerError
from ..signals import catch_signals
from ..study.storage import Storage
from ..training.provenance import read_versions
from . import rows as stored
from .batches import Images
from .contestants import Contestant, Field, enter, list_choices
from .cost import Cost, measure_cost
from .figures import rank
from .race import Runner, count_threads, race
from .rows import Rows

MODELS = ("alexnet", "vgg16", "resnet18", "googlenet")
BATCH_SIZE, GPU_BATCH_SIZE = 32, 100
SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_SAVES = 10.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for on the command line."""

    data: str
    models: Sequence[str] = MODELS
    weights: Mapping[str, Path] = field(default_factory=dict)
    configs: Mapping[str, Path] = field(default_factory=dict)
    device: str = "cpu"
    batch_size: int | None = None
    fresh: bool = False
    study: str | None = None
    storage: str | None = None
    progress: bool = True
    accept_changed_code: bool = False


@dataclass(kw_only=True)
class _Running:
    """A contestant whose trial this process has."""

    contestant: Contestant
    row: FrozenTrial
    runner: Runner
    cost: Cost


def compare(request: Request) -> tuple[str, list[dict[str, Any]]]:
    """The study's name and the rows of the models asked for, best first: run now, or found finished.

    Errors: UsageError and TunerError for models, weights and images, Interrupted after a clean stop: the same command
    goes on.
    """
    warnings.filterwarnings("ignore", module="PIL")  # of broken Exif in images that decode
    tell = say if request.progress else say_nothing
    found = enter(
        request.models,
        request.weights,
        request.data,
        configs=request.configs,
        device=request.device,
        progress=tell,
        bars=request.progress,
        accept_changed_code=request.accept_changed_code,
    )
    batch_size = request.batch_size or (BATCH_SIZE if request.device == "cpu" else GPU_BATCH_SIZE)
    storage = Storage(request.storage, make=True)
    name = request.study or _name(found)
    rows = stored.create_or_load(
        storage, name, list_choices(), {"data": found.source, "images": len(found.labels), "classes": found.classes}
    )
    stamps: dict[str, dict[str, Any]] = {
        c.name: {"weights": c.weights, "data": found.fingerprint, "seen": c.key} | ({"code": c.code["code"]} if c.code else {})
        for c in found.contestants
    }
    done = {} if request.fresh else {n: t for n in stamps if (t := rows.finished(n, stamps[n])) is not None}
    if done:
        tell(f"study {name}: {', '.join(done)} finished before; --fresh runs again")
    todo = sorted((c for c in found.contestants if c.name not in done), key=lambda c: c.key)
    with catch_signals() as stop:
        for _, group in itertools.groupby(todo, key=lambda c: c.key):
            _Pass(list(group), found, rows, stamps, torch.device(request.device), batch_size, tell).run(stop.is_set)
    ended = done | {c.name: t for c in todo if (t := rows.finished(c.name, stamps[c.name])) is not None}
    failed = [c.name for c in todo if c.name not in ended]
    if failed:
        raise TunerError(
            f"{', '.join(failed)} gave a loss that is no number: the weights are damaged, give others with --weights NAME=FILE"
        )
    return name, rank([ended[model] for model in request.models])


class _Pass:
    """One pass over the images for a group of networks that see them alike: takes their trials, and ends them."""

    def __init__(
        self,
        group: Sequence[Contestant],
        found: Field,
        rows: Rows,
        stamps: Mapping[str, Mapping[str, Any]],
        device: torch.device,
        batch_size: int,
        tell: Callable[[str], None],
    ) -> None:
        self.group, self.found, self.rows, self.stamps = group, found, rows, stamps
        self.device, self.batch_size, self.tell = device, batch_size, tell
        self.running: list[_Running] = []
        self.began = self.said = self.saved = time.monotonic()
        self.from_image: int | None = None

    def run(self, stop: Callable[[], bool]) -> None:
        """Errors: Interrupted where `stop` says so; then, and after any other error, the trials wait with what was counted."""
        images = self.group[0].images()
        try:
            example = self._example(images)
            for contestant in self.group:
                self.running.append(self._begin(contestant, len(images), example))
            runners = [each.runner for each in self.running]
            whole = race(runners, images, self.found.labels, batch_size=self.batch_size, device=self.device, stop=stop, each=self._each)
            if not whole:
                raise Interrupted(f"interrupted after {min(r.done for r in runners):,} of {len(images):,} images: the same command goes on")
            for index, reason in sorted({i: r for each in runners for i, r in each.broken.items()}.items()):
                say(f"image {self.found.shown(index)!r} is broken ({reason}): left out")
            for each in list(self.running):
                self._end(each)
                self.running.remove(each)
        finally:
            for each in self.running:
                self.rows.keep(each.row, self._progress(each))
                self.rows.give_back(each.row)

    def _example(self, images: Images) -> torch.Tensor:
        """The first image that is not broken, as a batch of one."""
        for start in range(len(images)):
            x = images.batch(start, start + 1, pinned=False).x
            if x is not None:
                return x.to(self.device)
        raise TunerError(f"all {len(images):,} images of {self.found.source!r} are broken: replace them")

    def _begin(self, contestant: Contestant, images: int, example: torch.Tensor) -> _Running:
        ready = contestant.make(self.device)
        counted = measure_cost(ready.plain, example)
        row = self.rows.take(contestant.name, contestant.choice, self.stamps[contestant.name])  # last: what fails above leaves no trial
        runner = Runner.start(ready, images, self.device)
        progress = row.user_attrs.get("progress")
        if progress and (progress["batch_size"], progress["device"]) == (self.batch_size, str(self.device)):
            runner.done, runner.seconds, runner.peak_bytes = progress["done"], progress["seconds"], progress["peak_bytes"]
            runner.broken = {int(index): reason for index, reason in progress["broken"].items()}
            runner.hits = stored.unpack(progress["hits"], runner.hits.shape)
            runner.sums.tensor.copy_(torch.tensor(progress["sums"], dtype=runner.sums.tensor.dtype))
            self.tell(f"{contestant.name} goes on after {runner.done:,} images")
        return _Running(contestant=contestant, row=row, runner=runner, cost=counted)

    def _progress(self, each: _Running) -> dict[str, Any]:
        runner = each.runner
        return {
            "done": runner.done,
            "seconds": runner.seconds,
            "peak_bytes": runner.peak_bytes,
            "broken": {str(index): reason for index, reason in runner.broken.items()},
            "hits": stored.pack(runner.hits),
            "sums": runner.sums.tensor.tolist(),
            "batch_size": self.batch_size,
            "device": str(self.device),
        }

    def _each(self, done: int) -> None:
        now = time.monotonic()
        total = len(self.found.labels)
        if self.from_image is None:
            self.from_image, self.began = done, now
            self.tell(f"{', '.join(c.name for c in self.group)}: {done:,} of {total:,} images")
            self.said = now
        elif now - self.said > SECONDS_BETWEEN_LINES and now > self.began:
            rate = (done - self.from_image) / (now - self.began)
            self.tell(f"{done:,} of {total:,} images, {rate:.1f} a second, about {format_duration((total - done) / rate)} left")
            self.said = now
        if now - self.saved > SECONDS_BETWEEN_SAVES:
            for each in self.running:
                self.rows.keep(each.row, self._progress(each))
            self.saved = now

    def _end(self, each: _Running) -> None:
        runner, counted = each.runner, each.cost
        images = len(self.found.labels) - len(runner.broken)
        loss, top1, top5 = runner.sums.means(images)
        assert round(top1 * images) == runner.hits[0].sum() and round(top5 * images) == runner.hits[1].sum(), "sums and hits disagree"
        if not math.isfinite(loss):
            self.rows.fail(each.row, f"its loss is {loss}")
            return
        peak = counted.peak_mb(self.batch_size)
        if runner.peak_bytes:
            peak = round((counted.held_bytes + runner.peak_bytes) / 1e6, 1)
        facts = {
            "top1": top1,
            "top5": top5,
            "loss": loss,
            "images": images,
            "listed": len(self.found.labels),
            "broken": [self.found.shown(index) for index in sorted(runner.broken)],
            "broken_rows": sorted(runner.broken),
            "parameters": counted.parameters,
            "macs": counted.macs,
            "images_per_second": round(images / runner.seconds, 2),
            "ms_per_image": round(1000 * runner.seconds / images, 3),
            "peak_memory_mb": peak,
            "device": str(self.device),
            "threads": count_threads(self.device),
            "batch_size": self.batch_size,
            "versions": read_versions(),
            "hits": stored.pack(runner.hits),
            **each.contestant.code,
        }
        self.rows.complete(each.row, top1, facts)
        self.tell(f"{each.contestant.name}: top-1 {top1:.4f}, top-5 {top5:.4f}, loss {loss:.4f} on {images:,} images")


def _name(found: Field) -> str:
    """A study's name that other images do not share, so that a study's values can be compared."""
    kind, _, path = found.source.partition(":")
    word = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).name).strip("-") if path else kind
    return f"compare-{word or kind}-{hashlib.sha256(found.fingerprint.encode()).hexdigest()[:6]}"
