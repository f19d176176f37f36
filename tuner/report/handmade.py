"""Report A's journal, made by hand: its figures beside a study that repeats its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..config.study_config import StudyConfig
from ..config.study_files import find_shipped_folder
from ..study.certainty import measure_certainty
from ..study.study import Study
from ..study.trials import TrialRow
from .blocks import Block, Heading, Paragraph, Table
from .language import Language
from .words import model_name

# Its accuracies on the 10,000 test images, in the order of the rows of studies/journal.yaml.
TEST_ACCURACIES = (0.74, 0.76, 0.82, 0.75, 0.83, 0.83, 0.81, 0.84, 0.87)
BASELINES = 2  # of its rows, the two networks as they were before it began to try


def repeats(study: Study) -> bool:
    """Whether a study is report A's: the shipped rows, nothing else changed. Its images may be others."""
    path = find_shipped_folder() / "journal.yaml"
    if study.config.space or not study.config.start or not path.exists():
        return False
    theirs = StudyConfig.from_file(path)
    mine = study.config
    if mine.objective != theirs.objective:
        return False
    return (mine.start, dict(mine.fixed), mine.width) == (theirs.start, dict(theirs.fixed), theirs.width)


def match_rows(study: Study, rows: Sequence[TrialRow]) -> list[TrialRow | None]:
    """The trial of each of report A's rows, in their order; None for one that is not there."""
    left = [row for row in rows if row.start is not None]
    found: list[TrialRow | None] = []
    for asked in study.config.start:
        row = next((row for row in left if _is(row, asked)), None)
        if row is not None:
            left.remove(row)
        found.append(row)
    return found


def name_trials(study: Study, rows: Sequence[TrialRow], words: Language) -> Language:
    """The language with the trials called as report A calls its rows: two baselines, then tries from 1."""
    matched = enumerate(match_rows(study, rows))
    return replace(words, trials={row.number: _name(place, words) for place, row in matched if row is not None})


def compare_with_handmade(study: Study, rows: Sequence[TrialRow], words: Language) -> list[Block]:
    """The table of both, and which figures are which."""
    lines = []
    ended = [row for row in rows if row.state == "COMPLETE"]
    for place, (test, asked, row) in enumerate(zip(TEST_ACCURACIES, study.config.start, match_rows(study, ended), strict=True)):
        told = words.say(
            "handmade_row",
            network=model_name(asked.get("model", "mynet")),
            epochs=words.say("handmade_epochs", number=asked["epochs"]),
            batch=asked["batch_size"],
            lr=f"{asked['lr']:g}",
        )
        measured = words.say("not_finished") if row is None else words.percent(row.value)
        name = _name(place, words)
        lines.append((name[:1].upper() + name[1:], told, f"{100 * test:.0f} %", measured))
    data = study.config.data
    images = words.say("handmade_same")
    if data.source != "cifar10" or data.train_images is not None or data.image_size != 32:
        source = words.say("handmade_part", source=data.source, number=f"{data.train_images:,}") if data.train_images else data.source
        images = words.say("handmade_elsewhere", source=source)
    return [
        Heading(text=words.say("handmade")),
        Paragraph(text=words.say("handmade_text", share=f"{100 * data.validation:g}", images=images, chance=_tell_chance(study, words))),
        Table(
            headings=tuple(words.say(f"column_{name}") for name in ("row", "configuration", "theirs", "measured")),
            rows=lines,
            right=frozenset({2, 3}),
        ),
    ]


def _tell_chance(study: Study, words: Language) -> str:
    found = measure_certainty(study)
    if found is None:
        return words.say("handmade_small")
    return words.say("handmade_chance", images=f"{found.images:,}", gap=words.points(found.gap))


def _name(place: int, words: Language) -> str:
    return words.say("baseline", number=place + 1) if place < BASELINES else words.say("try", number=place + 1 - BASELINES)


def _is(row: TrialRow, asked: Mapping[str, Any]) -> bool:
    """Whether a trial is that start row: by what it says, because its place in the file may have changed since."""
    return row.config is not None and all(getattr(row.config, name) == value for name, value in asked.items())
