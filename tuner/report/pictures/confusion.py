"""Where a network errs: its confusion matrix, and the images it got most wrong."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..language import Language
from ..languages.en import ENGLISH
from .names import name_classes
from .style import make_figure, styled, to_png

if TYPE_CHECKING:
    from ..predictions import Predictions

MOST_NUMBERS = 20  # classes, up to which the cells show their counts
MOST_NAMES = 60  # classes, up to which the axes name them


def draw_confusion_matrix(found: Predictions, title: str, words: Language = ENGLISH) -> bytes:
    """Counts by true and predicted class; each row is coloured by its own shares, so that small classes show too."""
    counts = found.matrix()
    classes = len(counts)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    side = min(10.0, max(5.0, 2.5 + 0.45 * classes))
    with styled():
        drawn = make_figure(side + 0.8, side)
        axes = drawn.subplots()
        axes.grid(visible=False)
        image = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
        if classes <= MOST_NUMBERS:
            for true, predicted in np.argwhere(counts):
                colour = "white" if shares[true, predicted] > 0.55 else "black"
                axes.text(predicted, true, f"{counts[true, predicted]:,}", ha="center", va="center", color=colour, fontsize=9)
        if classes <= MOST_NAMES:
            names = name_classes(found.classes)
            long = max(len(name) for name in names) > 3
            axes.set_xticks(range(classes), names, rotation=45 if long else 0, ha="right" if long else "center")
            axes.set_yticks(range(classes), names)
        else:  # numbered as the captions number them, from 1
            step = 10 ** (len(str(classes - 1)) - 1)
            marks = [0, *range(step - 1, classes, step)]
            axes.set_xticks(marks, [str(mark + 1) for mark in marks])
            axes.set_yticks(marks, [str(mark + 1) for mark in marks])
        if classes <= MOST_NUMBERS:  # lines between more of them would cover the cells
            axes.set_xticks([edge - 0.5 for edge in range(1, classes)], minor=True)
            axes.set_yticks([edge - 0.5 for edge in range(1, classes)], minor=True)
            axes.grid(visible=True, which="minor", color="white", linewidth=1.5)
            axes.tick_params(which="minor", length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.tick_params(length=0)
        axes.set_xlabel(words.say("p_predicted"))
        axes.set_ylabel(words.say("p_true"))
        axes.set_title(title)
        bar = drawn.colorbar(image, ax=axes, shrink=0.8)
        bar.set_label(words.say("p_share"))
        bar.outline.set_visible(False)
        return to_png(drawn)


def draw_most_wrong(found: Predictions, title: str, words: Language = ENGLISH, count: int = 16) -> bytes | None:
    """The images whose wrong answer the network was surest of; None where it made no mistake."""
    wrong = found.most_wrong(count)
    if not len(wrong):
        return None
    columns = min(4, len(wrong))
    lines = math.ceil(len(wrong) / columns)
    names = name_classes(found.classes)
    with styled():
        drawn = make_figure(7.0, 0.5 + 1.95 * lines)
        for place, index in enumerate(wrong):
            axes = drawn.add_subplot(lines, columns, place + 1)
            axes.imshow(found.images[index], interpolation="nearest")
            axes.set_axis_off()
            true, guess = (names[int(labels[index])] for labels in (found.labels, found.guesses))
            told = words.say("p_wrong_one", true=true, guess=guess, sureness=f"{100 * found.sureness[index]:.0f}")
            axes.set_title(told, fontsize=8.5, fontweight="normal", loc="center")
        drawn.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
        return to_png(drawn)
