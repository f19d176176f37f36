"""What a report is made of. Texts are plain: whoever writes them out escapes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Heading:
    text: str


@dataclass(frozen=True, kw_only=True)
class Paragraph:
    """`lead` comes first, in bold."""

    text: str
    lead: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns in `right` are aligned to the right."""

    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    right: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A PNG. `name` is its file's name without ending; `caption` says in a sentence what is to be seen."""

    name: str
    png: bytes
    caption: str


@dataclass(frozen=True, kw_only=True)
class Code:
    text: str


Block = Heading | Paragraph | Table | Picture | Code


@dataclass(frozen=True, kw_only=True)
class Report:
    title: str
    subtitle: str
    blocks: list[Block]
