"""A report as Markdown, with its pictures as files."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from .blocks import Block, Code, Fold, Heading, Paragraph, Picture, Report, Table


def to_markdown(report: Report, folder: str) -> tuple[str, dict[str, bytes]]:
    """The text, which names its pictures in `folder`, and the pictures by file name."""
    pictures = {f"{block.name}.png": block.png for block in report.walk() if isinstance(block, Picture)}
    parts = [f"# {_text(report.title)}", _text(report.subtitle), *(_block(block, folder) for block in report.blocks)]
    return "\n\n".join(parts) + "\n", pictures


def name_pictures_folder(path: Path) -> Path:
    """Where the pictures of a Markdown file go."""
    return path.with_name(f"{path.stem}-pictures")


def _block(block: Block, folder: str) -> str:
    if isinstance(block, Heading):
        return f"## {_text(block.text)}"
    if isinstance(block, Paragraph):
        return f"**{_text(block.lead)}** {_text(block.text)}" if block.lead else _text(block.text)
    if isinstance(block, Code):
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", block.text)), default=0))
        return f"{fence}text\n{block.text}\n{fence}"
    if isinstance(block, Fold):
        return "\n\n".join([f"**{_text(block.summary)}**", *(_block(inner, folder) for inner in block.blocks)])
    if isinstance(block, Picture):
        caption = _text(block.caption)
        return f"![{caption}]({quote(folder)}/{block.name}.png)\n\n*{caption}*"
    return _table(block)


def _table(table: Table) -> str:
    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(_text(cell).replace("|", r"\|").replace("\n", " ") for cell in cells) + " |"

    rule = "|" + "|".join("---:" if place in table.right else "---" for place in range(len(table.headings))) + "|"
    return "\n".join([line(table.headings), rule, *(line(row) for row in table.rows)])


def _text(text: str) -> str:
    """What would mean something to Markdown or HTML stands for itself, but for code between backquotes."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(part if part.startswith("`") and len(part) > 2 else re.sub(r"([\\`*_{}\[\]<>#~])", r"\\\1", part) for part in parts)
