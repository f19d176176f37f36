"""Files of an export: CSV and JSON lines, written where nothing is yet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from ..console.text import without_infinities
from ..errors import TunerError, UsageError
from ..study.study import Study
from .tables import EPOCH, Row, list_epoch_rows, list_records, list_trial_rows


def write_csv(study: Study, path: Path, *, force: bool = False) -> list[Path]:
    """The trials to `path`, their epochs to a file beside it. The files written. Errors: as `write_files`."""
    epochs = path.with_name(f"{path.stem}-epochs{path.suffix}")
    rows = list_trial_rows(study)
    files = {path: to_csv(rows, tuple(rows[0]) if rows else ("number", "state", "value")), epochs: to_csv(list_epoch_rows(study), EPOCH)}
    return write_files(files, force=force)


def write_jsonl(study: Study, path: Path, *, force: bool = False) -> list[Path]:
    """A line a trial. The file written. Errors: as `write_files`."""
    lines = [json.dumps(without_infinities(record), allow_nan=False, ensure_ascii=False) for record in list_records(study)]
    return write_files({path: "".join(f"{line}\n" for line in lines)}, force=force)


def to_csv(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Rows under the names of the first, else under `names`. What is unknown, or no finite number, is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0] if rows else names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(without_infinities(row) for row in rows)
    return text.getvalue()


def write_files(files: dict[Path, str], *, force: bool) -> list[Path]:
    """Write them all, or none. Errors: UsageError where one is there already and `force` is not given, TunerError where it cannot be."""
    if not force and (there := [path for path in files if path.exists()]):
        raise UsageError(f"{str(there[0])!r} is there already: give another --out, or --force")
    for path, content in files.items():
        try:
            path.write_text(content, encoding="utf-8", newline="")
        except OSError as error:
            raise TunerError(f"cannot write {str(path)!r}: {error.strerror}") from None
    return list(files)
