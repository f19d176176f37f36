"""The live view of a search on a terminal: a small screen that is drawn again as things change."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..placement import Placement
from ..study.lease import Counts
from ..study.study import Study
from ..workers.events import Event
from .listing import WIDE
from .narrow import NARROW
from .progress import PlainProgress, Progress, remark
from .text import draw_sparkline, format_duration, open_console


class LiveProgress(Progress):
    """A small screen that is drawn again as things change, by a thread of Rich's that waits for no event."""

    shows = True

    def __init__(self, study: Study, placements: Sequence[Placement], counts: Counts, console: Console) -> None:
        super().__init__(study, placements, counts)
        self.console = console
        self._changing = threading.Lock()  # never held while a line is printed, which waits for a drawing to end

    def event(self, worker: int, event: Event) -> None:
        with self._changing:
            super().event(worker, event)
        if text := remark(event, self.objective):
            self.say(text)

    def say(self, line: str) -> None:
        self.console.print(line, highlight=False)

    def __rich__(self) -> RenderableType:
        with self._changing:
            return self._draw()

    def _draw(self) -> RenderableType:
        counts = self.standing
        head = Text.assemble(("tuner ", "bold"), (self.name, "bold cyan"), "  ", self.summary())
        if self.console.width >= NARROW:
            head.overflow, head.no_wrap = "ellipsis", True
        bar = Table.grid(expand=True, padding=(0, 2, 0, 0))
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        elapsed = f"{format_duration(time.monotonic() - self.began)} so far"
        times = ", ".join(part for part in (elapsed, self.left()) if part)
        bar.add_row(ProgressBar(total=counts.n_trials, completed=counts.finished), times)
        rungs = [Text(told, style="dim", overflow="ellipsis", no_wrap=True)] if (told := self.describe_rungs()) else []
        return Group(head, bar, *rungs, self._make_workers(), *([self._make_finished()] if self.finished else []))

    def _make_workers(self) -> Table:
        """A line a worker: its trial, how far that is, and how well it does."""
        table = Table(box=None, pad_edge=False, expand=True, header_style="dim")
        roomy, wide = self.console.width >= NARROW, self.console.width >= WIDE
        speeds = ("steps/s",) * wide + ("images/s",) * roomy
        for heading in ("worker", "trial", "epoch", *speeds, self.objective.title):
            status_too = heading == self.objective.title and not roomy  # which may be a sentence
            table.add_column(heading, justify="left" if heading == "epoch" else "right", no_wrap=not status_too)
        if roomy:
            table.add_column("curve", no_wrap=True)
            table.add_column("configuration", ratio=1, no_wrap=True, overflow="ellipsis")
        for number, row in enumerate(self.rows, start=1):
            if row.trial is None:
                status = Text(row.status, style="dim")
                table.add_row(str(number), *([""] * (len(table.columns) - 2) if roomy else ["", ""]), status)
                continue
            figures = [""] * len(speeds)
            if row.steps is not None:
                figures = [f"{row.steps.steps_per_second:,.1f}"] * wide + [f"{row.steps.images_per_second:,.0f}"] * roomy
            value = f"{row.values[-1]:.4f}" if row.values else ""
            cells: list[str | Text] = [str(number), str(row.trial), row.place, *figures, value]
            cells += [Text(draw_sparkline(row.values), style="green"), row.config] if roomy else []
            table.add_row(*cells)
        return table

    def _make_finished(self) -> Table:
        """The trials that ended last, the newest on top, with the best value of the study when they ended."""
        table = Table(box=None, pad_edge=False, expand=True, header_style="dim")
        for heading in ("ended", "state", self.objective.title, "best so far"):
            table.add_column(heading, justify="left" if heading == "state" else "right", no_wrap=True)
        roomy = self.console.width >= NARROW
        if roomy:
            table.add_column("configuration", ratio=1, no_wrap=True, overflow="ellipsis")
        for row in reversed(self.finished):
            reached = row.value if row.value is not None else row.values[-1] if row.values else None
            figures = ["" if figure is None else f"{figure:.4f}" for figure in (reached, row.best)]
            table.add_row(str(row.trial), row.state, *figures, *([row.config] if roomy else []))
        return table


@contextmanager
def show_progress(study: Study, placements: Sequence[Placement], counts: Counts, *, shown: bool) -> Iterator[Progress]:
    """The view that fits where stderr goes: a live screen, plain lines, or nothing."""
    if not shown:
        yield Progress(study, placements, counts)
    elif sys.stderr.isatty():
        console = open_console(stderr=True)
        live = LiveProgress(study, placements, counts, console)
        with Live(live, console=console, refresh_per_second=4, transient=True):
            yield live
    else:
        yield PlainProgress(study, placements, counts)
