"""Report A's journal, made by hand: its figures beside a study that repeats its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..config.study_config import StudyConfig
from ..config.study_files import find_shipped_folder
from ..study.certainty import measure_certainty
from ..study.study import Study
from ..study.trials import TrialRow
from .blocks import Block, Heading, Paragraph, Table
from .words import model_name, percent, points

# Its accuracies on the 10,000 test images, in the order of the rows of studies/journal.yaml.
TEST_ACCURACIES = (0.74, 0.76, 0.82, 0.75, 0.83, 0.83, 0.81, 0.84, 0.87)


def repeats(study: Study) -> bool:
    """Whether a study is report A's: the shipped rows, nothing else changed. Its images may be others."""
    path = find_shipped_folder() / "journal.yaml"
    if study.config.space or not study.config.start or not path.exists():
        return False
    theirs = StudyConfig.from_file(path)
    mine = study.config
    return (mine.start, dict(mine.fixed), mine.width) == (theirs.start, dict(theirs.fixed), theirs.width)


def compare_with_handmade(study: Study, rows: Sequence[TrialRow]) -> list[Block]:
    """The table of both, and which figures are which."""
    left = [row for row in rows if row.start is not None and row.state == "COMPLETE"]
    lines = []
    for index, test in enumerate(TEST_ACCURACIES):
        asked = study.config.start[index]
        row = next((row for row in left if _is(row, asked)), None)
        if row is not None:
            left.remove(row)
        words = f"{model_name(asked.get('model', 'mynet'))}, {asked['epochs']} epochs, batch {asked['batch_size']}, lr {asked['lr']:g}"
        measured = "not finished" if row is None else percent(row.value)
        lines.append((str(index + 1), words, f"{100 * test:.0f} %", measured))
    data = study.config.data
    images = "The images are the same, CIFAR-10, but the parts are not"
    if data.source != "cifar10" or data.train_images is not None or data.image_size != 32:
        part = f" ({data.train_images:,} training images)" if data.train_images else ""
        images = f"They cannot be compared here: report A trained on all of CIFAR-10, this study on {data.source}{part}"
    return [
        Heading(text="Beside the journal made by hand"),
        Paragraph(
            text="These are the configurations of report A, which tuned the two networks by hand. Its figures are accuracies on the "
            "10,000 test images, on which it also chose. The measured ones are accuracies on the validation part: "
            f"{100 * data.validation:g} % of the training images, held out. {images}. {_describe_chance(study)}"
        ),
        Table(
            headings=("Row", "Configuration", "Report A (test)", "Measured (validation)"),
            rows=lines,
            right=frozenset({0, 2, 3}),
        ),
    ]


def _describe_chance(study: Study) -> str:
    found = measure_certainty(study)
    if found is None:
        return "Small differences may be chance."
    return f"On {found.images:,} validation images a difference from the best of less than {points(found.gap)} may be chance."


def _is(row: TrialRow, asked: Mapping[str, Any]) -> bool:
    """Whether a trial is that start row: by what it says, because its place in the file may have changed since."""
    return row.config is not None and all(getattr(row.config, name) == value for name, value in asked.items())
