"""The live view of a search: what each worker trains, how well, and how long it will take."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .output import duration, params_text, say, sparkline
from .places import Place
from .study.claim import Counts
from .study.record import Record
from .study.trials import USUAL, best


@dataclass
class _Hand:
    """What one worker has in hand."""

    trial: int | None = None
    epoch: int = 0
    epochs: int = 0
    accuracies: list[float] = field(default_factory=list)
    config: str = ""
    status: str = "starting"


class Board:
    """The facts of a running search, from its workers' events; drawn by its subclasses."""

    def __init__(self, record: Record, places: Sequence[Place], counts: Counts) -> None:
        self.name = record.name
        self.names = tuple(record.config.space)
        self.places = places
        self.hands = [_Hand() for _ in places]
        self.standing = counts
        self.began = time.monotonic()
        self.ended_here = 0
        self.ended_after = 0.0
        top = best(record)
        self.best: tuple[int, float] | None = (top[0].number, float(top[0].value or 0)) if top else None

    def event(self, worker: int, kind: str, facts: dict[str, Any]) -> None:
        """Take in what a worker said."""
        hand = self.hands[worker]
        if kind == "begin":
            self.hands[worker] = hand = _Hand(trial=facts["number"], epoch=facts["epoch"], epochs=facts["epochs"], status="training")
            hand.config = _short_config(facts["config"], self.names)
        elif kind == "epoch":
            hand.epoch, hand.epochs = facts["epoch"], facts["epochs"]
            hand.accuracies.append(facts["score"]["val_accuracy"])
        elif kind == "end":
            self.hands[worker] = _Hand(status="claiming")
            if facts["state"] in ("COMPLETE", "PRUNED"):
                self.ended_here += 1
                self.ended_after = time.monotonic() - self.began
            if facts["state"] == "COMPLETE" and (self.best is None or facts["value"] > self.best[1]):
                self.best = (facts["number"], facts["value"])
        elif kind == "idle":
            self.hands[worker] = _Hand(status="waiting for other workers' trials")
        elif kind == "full":
            self.hands[worker] = _Hand(status="done")
        elif kind == "died":
            self.hands[worker] = _Hand(status="starting again")

    def counts(self, counts: Counts) -> None:
        self.standing = counts

    def say(self, line: str) -> None:
        """A remark that stays on the screen. This board shows nothing."""

    def left(self) -> str:
        """Time left at the pace so far; nothing until every worker has ended a trial."""
        remaining = self.standing.slots - self.standing.finished
        if self.ended_here < max(2, len(self.places)) or remaining <= 0:
            return ""
        begun = sum(hand.epoch / hand.epochs for hand in self.hands if hand.trial is not None and hand.epochs)
        return f"about {duration(self.ended_after / self.ended_here * max(0.0, remaining - begun))} left"

    def summary(self) -> str:
        counts = self.standing
        parts = [f"{counts.finished} of {counts.slots} trials", f"{counts.pruned} pruned"]
        if counts.fail:
            parts.append(f"{counts.fail} failed")
        if self.best is not None:
            parts.append(f"best {self.best[1]:.4f} (trial {self.best[0]})")
        return ", ".join(parts)


class PlainBoard(Board):
    """One line an event, for logs and pipes; an epoch is told once, however often its trial is taken up again."""

    def __init__(self, record: Record, places: Sequence[Place], counts: Counts) -> None:
        super().__init__(record, places, counts)
        self._told: dict[int, set[int]] = {}  # epochs by trial; those of an earlier search count as told

    def event(self, worker: int, kind: str, facts: dict[str, Any]) -> None:
        super().event(worker, kind, facts)
        if kind == "begin":
            self._told.setdefault(facts["number"], set(range(1, facts["epoch"] + 1)))
            again = f" from epoch {facts['epoch'] + 1}" if facts["epoch"] else ""
            say(f"trial {facts['number']} begins{again}: {self.hands[worker].config}")
        elif kind == "epoch":
            told = self._told.setdefault(facts["number"], set())
            if facts["epoch"] in told:
                return
            told.add(facts["epoch"])
            score = facts["score"]
            say(
                f"trial {facts['number']} epoch {facts['epoch']}/{facts['epochs']}: "
                f"train loss {score['train_loss']:.4f} accuracy {score['train_accuracy']:.4f}, "
                f"val loss {score['val_loss']:.4f} accuracy {score['val_accuracy']:.4f}, {score['seconds']:.1f} s"
            )
        elif text := remark(kind, facts):
            say(text)

    def counts(self, counts: Counts) -> None:
        changed = (counts.finished, counts.fail) != (self.standing.finished, self.standing.fail)
        super().counts(counts)
        if changed:
            say("; ".join(part for part in (self.summary(), self.left()) if part))

    def say(self, line: str) -> None:
        say(line)


class LiveBoard(Board):
    """A small screen that is drawn again as things change."""

    def __init__(self, record: Record, places: Sequence[Place], counts: Counts, console: Console) -> None:
        super().__init__(record, places, counts)
        self.console = console

    def event(self, worker: int, kind: str, facts: dict[str, Any]) -> None:
        super().event(worker, kind, facts)
        if text := remark(kind, facts):
            self.say(text)

    def say(self, line: str) -> None:
        self.console.print(escape(line), highlight=False)

    def __rich__(self) -> RenderableType:
        counts = self.standing
        head = Text.assemble(("tuner ", "bold"), (self.name, "bold cyan"), "  ", self.summary(), overflow="ellipsis", no_wrap=True)
        bar = Table.grid(expand=True, padding=(0, 2, 0, 0))
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        elapsed = f"{duration(time.monotonic() - self.began)} so far"
        times = ", ".join(part for part in (elapsed, self.left()) if part)
        bar.add_row(ProgressBar(total=counts.slots, completed=counts.finished), times)
        table = Table(box=None, pad_edge=False, expand=True, header_style="dim")
        for heading, justify in (("worker", "right"), ("trial", "right"), ("epoch", "right"), ("accuracy", "right"), ("curve", "left")):
            table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        table.add_column("configuration", ratio=1, no_wrap=True, overflow="ellipsis")
        for number, hand in enumerate(self.hands, start=1):
            if hand.trial is None:
                table.add_row(str(number), "", "", "", "", Text(hand.status, style="dim"))
                continue
            accuracy = f"{hand.accuracies[-1]:.4f}" if hand.accuracies else ""
            epoch = f"{hand.epoch}/{hand.epochs}"
            table.add_row(str(number), str(hand.trial), epoch, accuracy, Text(sparkline(hand.accuracies), style="green"), hand.config)
        return Group(head, bar, table)


def remark(kind: str, facts: dict[str, Any]) -> str:
    """The line that an event leaves behind, if any."""
    if kind in ("say", "died"):
        return str(facts["text"])
    if kind == "end" and facts["state"] == "COMPLETE":
        note = "" if facts["reason"].startswith(USUAL) else f" ({facts['reason']})"
        return f"trial {facts['number']} complete: validation accuracy {facts['value']:.4f}{note}"
    if kind == "end":
        return f"trial {facts['number']} {facts['state'].lower()}: {facts['reason']}"
    return ""


def _short_config(config: dict[str, Any], names: Sequence[str]) -> str:
    """What the study searches, with the trial's values."""
    values = {**config, **{f"widths.{pattern}": factor for pattern, factor in config["widths"].items()}}
    shown = [name for name in names if name in values] or ["model", "lr", "batch_size", "epochs"]
    return params_text({name: values[name] for name in shown})


@contextmanager
def board(record: Record, places: Sequence[Place], counts: Counts, *, shown: bool) -> Iterator[Board]:
    """The view that fits where stderr goes: a live screen, plain lines, or nothing."""
    if not shown:
        yield Board(record, places, counts)
    elif sys.stderr.isatty():
        console = Console(stderr=True)
        live = LiveBoard(record, places, counts, console)
        with Live(live, console=console, refresh_per_second=4, transient=True):
            yield live
    else:
        yield PlainBoard(record, places, counts)
