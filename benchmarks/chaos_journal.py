"""What the logs of a search said: every epoch with its figures, and what was trained for nothing."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, field

_EPOCH = re.compile(r"trial (\d+) epoch (\d+)/\d+: train loss ([\d.]+) accuracy ([\d.]+), val loss ([\d.]+) accuracy ([\d.]+), ([\d.]+) s")
_BEGIN = re.compile(r"trial (\d+) (?:begins|goes on[^:]*?)(?: from epoch (\d+))?:")
_PAUSED = re.compile(r"trial (\d+) paused at epoch ")
_END = re.compile(r"trial (\d+) (?:(complete|pruned|fail|waiting):|was (taken over|ended) by )")
_DIED = re.compile(r"worker died .*, trial (\d+) ")


@dataclass
class _Training:
    """A trial in training: by which search, from which epoch on, and since when its present epoch is trained."""

    search: object
    first: int
    since: float


@dataclass
class Journal:
    """Facts from log lines. Seconds are those of training and validation, as the workers measured them."""

    epochs: dict[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)  # (trial, epoch): losses and accuracies
    completions: Counter[int] = field(default_factory=Counter)
    begun: set[int] = field(default_factory=set)
    resumed: int = 0
    paused: int = 0
    taken_over: int = 0  # from a worker that lived to say so
    differing: list[str] = field(default_factory=list)  # epochs that came out otherwise when trained again
    remarks: list[str] = field(default_factory=list)  # lines about neither an epoch nor a beginning
    seconds: float = 0.0  # of all training
    repeated: float = 0.0  # of it: epochs trained again, and the parts of epochs that a kill threw away
    _training: dict[int, _Training] = field(default_factory=dict)
    _trained: set[tuple[int, int]] = field(default_factory=set)
    _pace: dict[int, float] = field(default_factory=dict)
    _frozen: set[int] = field(default_factory=set)

    def hear(self, search: object, line: str) -> bool:
        """Take in a line. True where it reports an epoch for the first time."""
        if found := _EPOCH.match(line):
            return self._epoch(search, int(found[1]), int(found[2]), found.groups()[2:6], float(found[7]))
        if found := _BEGIN.match(line):
            number, first = int(found[1]), int(found[2] or 1)
            self.begun.add(number)
            self._training[number] = _Training(search=search, first=first, since=time.monotonic())
            self.resumed += first > 1
            return False
        self.remarks.append(line)
        if found := _END.match(line):
            number, state = int(found[1]), found[2] or found[3]
            self.completions[number] += state == "complete"
            if state == "taken over":
                self.taken_over += 1
                self._lose(self._pace.get(number, 0.0))  # its present epoch; another worker has the trial by now
            elif state == "waiting":
                self._drop(number)
            else:
                self._training.pop(number, None)
        elif found := _PAUSED.match(line):
            self._training.pop(int(found[1]), None)
            self.paused += 1
        elif found := _DIED.search(line):
            self._drop(int(found[1]))
        return False

    def killed(self, search: object) -> None:
        """A supervisor and its workers are gone, and could not say what they trained."""
        for number in [number for number, training in self._training.items() if training.search is search]:
            self._drop(number)

    def frozen(self, number: int) -> None:
        """The trial's worker was stopped: the seconds of its present epoch are no training."""
        self._frozen.add(number)

    def _epoch(self, search: object, number: int, epoch: int, figures: tuple[str, ...], seconds: float) -> bool:
        key = (number, epoch)
        if self.epochs.setdefault(key, figures) != figures:
            self.differing.append(f"trial {number} epoch {epoch}: {self.epochs[key]}, then {figures}")
        training = self._training.setdefault(number, _Training(search=search, first=1, since=0.0))
        training.since = time.monotonic()
        if epoch < training.first:
            return False  # read from the checkpoint
        if number in self._frozen:
            self._frozen.discard(number)
            seconds = min(seconds, self._pace.get(number, seconds))
        self._pace[number] = seconds
        self.seconds += seconds
        new = key not in self._trained
        self._trained.add(key)
        if not new:
            self.repeated += seconds
        return new

    def _drop(self, number: int) -> None:
        """The present epoch was thrown away: at most a whole one."""
        training = self._training.pop(number, None)
        if training is not None:
            self._lose(min(time.monotonic() - training.since, self._pace.get(number, 0.0)))

    def _lose(self, seconds: float) -> None:
        self.repeated += seconds
        self.seconds += seconds
