"""Where the best trial errs, from its kept weights."""

from __future__ import annotations

from shlex import quote

from ..study.study import Study
from ..study.trials import TrialRow
from .blocks import Block, Heading, Paragraph, Picture
from .language import Language
from .pictures import confusion
from .pictures.names import describe_numbers
from .predictions import Kept, NoPredictions, Predictions, find_kept_weights


def find_kept(study: Study, row: TrialRow, device: str) -> Kept | NoPredictions:
    """The trial's weights with its images, or why there are none."""
    try:
        return find_kept_weights(study, row, device)
    except NoPredictions as lacking:
        return lacking


def write_errs(study: Study, row: TrialRow, kept: Kept | NoPredictions, words: Language, drawn: Language) -> list[Block]:
    """The confusion matrix and the most wrong images, or why they are left out."""
    heading = Heading(text=words.say("errs"))
    if isinstance(kept, NoPredictions):
        lacking = words.say(kept.key, trial=words.trial(kept.number), detail=kept.detail)
        return [heading, Paragraph(text=words.say("no_predictions", lacking=lacking, study=quote(study.name)))]
    found = kept.predictions()
    trial = drawn.trial(row.number)
    title = drawn.say("p_confusion", trial=trial, images=f"{len(found.labels):,}")
    blocks: list[Block] = [
        heading,
        Paragraph(text=_tell_mistakes(found, words)),
        Picture(
            name="confusion-matrix",
            png=confusion.draw_confusion_matrix(found, title, drawn),
            caption=" ".join(filter(None, (words.say("confusion_caption"), describe_numbers(found.classes, words)))),
        ),
    ]
    wrong = confusion.draw_most_wrong(found, drawn.say("p_wrong", trial=trial), drawn)
    if wrong is not None:
        blocks.append(Picture(name="most-wrong", png=wrong, caption=words.say("wrong_caption")))
    return blocks


def _tell_mistakes(found: Predictions, words: Language) -> str:
    wrong, images = int((found.labels != found.guesses).sum()), f"{len(found.labels):,}"
    if not wrong:
        return words.say("no_mistake", images=images)
    if found.confused(1)[0][2] == 1:
        return words.say("no_two", wrong=f"{wrong:,}", images=images)
    pairs = [words.say("taken_for", true=true, guess=guess, times=f"{times:,}") for true, guess, times in found.confused(3)]
    return words.say("most_often", wrong=f"{wrong:,}", images=images, pairs=words.joined(pairs))
