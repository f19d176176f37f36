"""The report on paper: no page is left half empty, and no heading stands apart from what it is of."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import fabricated
from tests.test_browser import page, pytestmark  # noqa: F401 - a fixture, and that Chromium is there
from tuner.report.page import make_report
from tuner.report.write import write
from tuner.study.storage import Storage

HEADING = 14.0  # points; body text is 10.5
HEIGHT, MARGIN = 842.0, 42.5  # points; of A4, and 1.5 cm


@dataclass(frozen=True)
class Place:
    """A line of text or a picture: where its lower edge is, in points from the page's own, and the size of its letters."""

    kind: str
    low: float
    size: float


def read_pages(data: bytes) -> list[list[Place]]:
    """What is on each page of a file that Chromium printed."""
    objects = {int(found[1]): found[2] for found in re.finditer(rb"(?s)(\d+) 0 obj\n(.*?)\nendobj", data)}
    contents = re.findall(rb"/Type /Page\n.*?/Contents (\d+) 0 R", data, re.DOTALL)
    streams = [objects[int(content)] for content in contents]
    return [list(read_places(zlib.decompress(each[each.index(b"stream\n") + 7 :]).decode("latin1"))) for each in streams]


def read_places(operators: str) -> Iterator[Place]:
    scale, shift, size = 1.0, 0.0, 0.0
    stack: list[tuple[float, float]] = []
    for line in operators.splitlines():
        *values, name = line.split() or [""]
        if name == "q":
            stack.append((scale, shift))
        elif name == "Q":
            scale, shift = stack.pop()
        elif name == "cm":
            shift += scale * float(values[5])
            scale *= float(values[3])
        elif name == "Tf":
            size = float(values[1])
        elif name == "Tm":
            yield Place("text", shift + scale * float(values[5]), abs(scale * size))
        elif name == "Do":
            yield Place("picture", min(shift, shift + scale), 0.0)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    plain = {"pruner": "median", "space": {"lr": {"low": 1e-4, "high": 1e-1, "log": True}, "batch_size": [4, 8], "epochs": [1, 2, 3]}}
    study = fabricated.study(Storage(f"sqlite:///{tmp_path}/study.db", make=True), plain)
    values = [{"lr": 10 ** -(1 + n % 3), "batch_size": (4, 8)[n % 2], "epochs": 1 + n % 3} for n in range(18)]
    rows = [fabricated.trial(study, each, [0.4, 0.6 - 0.01 * n], number=n, parameters=1000 * (n + 1)) for n, each in enumerate(values)]
    fabricated.add(study, rows)
    write(make_report(study), tmp_path / "report.html")
    return tmp_path / "report.html"


def test_printed_pages_are_full_and_no_heading_stands_apart(page: Any, report: Path) -> None:  # noqa: F811
    page.goto(report.as_uri())
    opened = "[...document.querySelectorAll('details > p')].map(p => p.checkVisibility({contentVisibilityAuto: true}))"
    assert page.locator("details").count() == 1 and not page.locator("details p").first.is_visible()
    printed = page.pdf(format="A4", margin=dict.fromkeys(("top", "bottom", "left", "right"), "1.5cm"), tagged=False)
    pages = read_pages(printed)
    assert len(pages) >= 4 and sum(place.kind == "picture" for each in pages for place in each) == 9
    for number, places in enumerate(pages[:-1], start=1):
        lowest = min(place.low for place in places)
        assert lowest - MARGIN < (HEIGHT - 2 * MARGIN) / 2, f"page {number} is half empty"
        last = min(places, key=lambda place: place.low)
        assert last.size < HEADING, f"a heading ends page {number}"
    page.emulate_media(media="print")
    assert all(page.evaluate(opened)), "what is folded stands open on paper"
