"""Tables on terminals that are too narrow for them."""

from __future__ import annotations

from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

NARROW = 72  # columns of a terminal below which what has no room is left out, or told on lines of its own
ENDLESS = 100_000  # columns: a table is never measured wider than the console that it is measured for


def fits(console: Console, table: Table) -> bool:
    """Whether the table has room as it is, with no cell folded or cut."""
    return _measure(console, table).maximum <= console.width


def _measure(console: Console, table: Table) -> Measurement:
    """Its least width, where cells that may be folded are, and its greatest."""
    return console.measure(table, options=console.options.update(width=ENDLESS))


def print_table(console: Console, table: Table) -> None:
    """The table; where cells would be cut, or on a narrow terminal folded, its rows one below the other, headings beside the cells."""
    if fits(console, table) or (console.width >= NARROW and _measure(console, table).minimum <= console.width):
        console.print(table)
        return
    if table.title:
        console.print(Text(str(table.title), style="italic"))
    headings = [str(column.header) for column in table.columns]
    for first, *cells in zip(*(column.cells for column in table.columns), strict=True):
        console.print(Text(f"{headings[0]} {first}".strip(), style="bold"))
        told = [f"{heading} {cell}".strip() for heading, cell in zip(headings[1:], cells, strict=True) if cell != ""]
        console.print(Padding(Text(", ".join(told)), (0, 0, 0, 2)))
