"""What a shell offers after TAB: commands and options are click's own work, names of studies ours.

Click starts a process for every TAB, so nothing heavy is imported: study files are listed, and an SQLite file is read as it is,
where it exists. A server is not asked: nobody waits for a network in the middle of a word.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ..config.study_files import DEFAULT_URL, list_available

SQLITE = "sqlite:///"
CONFIRMS = "confirms"  # as `study/contestants.py` has it, which would take seconds to import
SECONDS = 1.0  # for which a file that is being written is waited for


def complete_stored(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Names of the studies in the storage."""
    return _offer(_list_stored(ctx.params.get("storage")), incomplete)


def complete_searchable(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Names of study files and of studies in the storage; else the shell's own files."""
    found = _offer([*list_available(), *_list_stored(ctx.params.get("storage"))], incomplete)
    return found or [CompletionItem(incomplete, type="file")]


def _offer(names: Iterable[str], incomplete: str) -> list[CompletionItem[str]]:
    return [CompletionItem(name) for name in sorted(set(names)) if name.startswith(incomplete)]


def _list_stored(url: str | None) -> list[str]:
    """Every study's name, comparisons too, confirmations not; none where that is not known at once."""
    url = url or os.environ.get("TUNER_STORAGE") or DEFAULT_URL
    path = Path(url.removeprefix(SQLITE).partition("?")[0])
    if not url.startswith(SQLITE) or not path.is_file():
        return []
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
        file.execute(f"PRAGMA busy_timeout = {1000 * SECONDS:.0f}")
        query = "SELECT study_name FROM studies WHERE study_id NOT IN (SELECT study_id FROM study_user_attributes WHERE key = ?)"
        return [name for (name,) in file.execute(query, (CONFIRMS,))]
    return []
