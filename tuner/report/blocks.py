"""What a report is made of. Texts are plain: whoever writes them out escapes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, Union


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


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Blocks that a reader opens; `summary` says what is in them. On paper, and in Markdown, they stand open."""

    summary: str
    blocks: Sequence[Block]


Block: TypeAlias = Union[Heading, Paragraph, Table, Picture, Code, Fold]  # noqa: UP007 - `Fold` names it before it is there


@dataclass(frozen=True, kw_only=True)
class Report:
    title: str
    subtitle: str
    blocks: list[Block]
    language: str = "en"  # as HTML's `lang` has it

    def walk(self) -> Iterator[Block]:
        """All blocks in order, those within a fold after it."""
        yield from _walk(self.blocks)


def _walk(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Fold):
            yield from _walk(block.blocks)
