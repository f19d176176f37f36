"""A report to its file, in the format of the file's ending."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..errors import TunerError
from .blocks import Report
from .html import to_html
from .markdown import name_pictures_folder, to_markdown

FORMATS = (".html", ".md")
MOST_TITLE = 100_000  # characters of a file among which its title is


def is_report(report: Report, path: Path) -> bool:
    """Whether a file is a report of the same title, so of the same study or comparison."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            there = file.read(MOST_TITLE)
    except OSError:
        return False
    bare = replace(report, blocks=[])
    made = to_html(bare) if path.suffix == ".html" else to_markdown(bare, "")[0]
    return _find_title(there) == _find_title(made)


def _find_title(text: str) -> str | None:
    return next((line for line in text.splitlines() if line.startswith(("<title>", "# "))), None)


def write(report: Report, path: Path) -> int:
    """Write it, with the pictures of a Markdown file in a folder beside. Bytes written. Errors: TunerError where it cannot be."""
    files: dict[Path, bytes] = {}
    if path.suffix == ".html":
        files[path] = to_html(report).encode()
    else:
        folder = name_pictures_folder(path)
        text, pictures = to_markdown(report, folder.name)
        files = {path: text.encode()} | {folder / name: png for name, png in pictures.items()}
    for file, content in files.items():
        try:
            if file.parent != path.parent:
                file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
        except OSError as error:
            raise TunerError(f"cannot write {str(file)!r}: {error.strerror}") from None
    return sum(map(len, files.values()))
