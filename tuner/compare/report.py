"""The report of a comparison: which network is best on these images, by how much, and at what cost."""

from __future__ import annotations

from .. import __version__
from ..errors import NothingToShow
from ..report.blocks import Block, Heading, Paragraph, Picture, Report, Table
from ..report.pictures.compared import draw_accuracy_against_cost
from ..report.words import count, percent
from ..study.storage import Storage
from . import rows as stored
from .figures import list_results
from .table import HEADINGS, explain, format_cells, format_short

EXPLAINED = (
    "Beside each accuracy is Wilson's 95 % interval. Images a second and milliseconds an image are of the arithmetic alone, "
    "since images were read once for all networks that see them alike. Memory holds the weights and one batch on its way through "
    "them. Neighbours in the table are told apart by McNemar's exact test on the images that only one of them has right."
)


def make_report(storage: Storage, name: str) -> Report:
    """Errors: NothingToShow where no network was compared to the end, UsageError where `name` is no comparison."""
    found = list_results(storage, name)
    if not found:
        raise NothingToShow(f"comparison {name!r} has no network that was compared to the end: run `tuner compare` again to go on")
    mark = stored.load(storage, name).facts()
    first, cheapest = found[0], min(found, key=lambda row: row["macs"])
    text = (
        f"On {first['images']:,} images of {mark['data']}, {first['model']} is the most accurate of {count(len(found), 'network')}: "
        f"it is right on {percent(first['top1'])} of them, and among its five best guesses on {percent(first['top5'])}."
    )
    if cheapest is not first:
        text += (
            f" {cheapest['model']} computes least, {format_short(cheapest['macs'])} multiply-accumulates an image "
            f"to {format_short(first['macs'])}, and is right on {percent(cheapest['top1'])}."
        )
    blocks: list[Block] = [
        Heading(text="The result"),
        Paragraph(text=text),
        Table(headings=HEADINGS, rows=[format_cells(row) for row in found], right=frozenset(range(1, len(HEADINGS)))),
        *(Paragraph(text=line) for line in explain(found)),
        Picture(
            name="accuracy-against-cost",
            png=draw_accuracy_against_cost(found),
            caption="Top-1 accuracy against the multiply-accumulates of one image; the ring's area goes with the parameters.",
        ),
        Paragraph(text=EXPLAINED),
    ]
    return Report(title=f"Comparison {name}", subtitle=f"Written by tuner {__version__}.", blocks=blocks)
