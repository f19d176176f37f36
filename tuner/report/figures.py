"""What the pictures of the best trial, of all trials and of the hyper-parameters show, with the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..study.certainty import Certainty, measure_certainty
from ..study.study import Study
from ..study.trials import TrialRow, count_epochs
from .answer import tell_importances
from .blocks import Block, Heading, Paragraph, Picture
from .language import Language
from .pictures import cost, curves, parameters

FEW = 2  # trials, below which pictures of all trials say nothing


def write_best(row: TrialRow, words: Language, drawn: Language) -> list[Block]:
    """The best trial epoch by epoch: both curves, and what they say of its training."""
    if not row.epochs:
        return []
    last, trial = row.epochs[count_epochs(row) - 1], words.trial(row.number)
    lowest = min(row.epochs, key=lambda epoch: epoch["val_loss"])
    gap = last["train_accuracy"] - last["val_accuracy"]
    validation, training = words.percent(last["val_accuracy"]), words.percent(last["train_accuracy"])
    key = "last_epoch" if last is row.epochs[-1] else "best_epoch"
    begin = words.say(key, trial=trial, validation=validation, training=training, epoch=last["epoch"], epochs=len(row.epochs))
    told = [words.say("overfits" if gap > 0.02 else "fits", begin=begin, gap=words.points(gap))]
    if len(row.epochs) > 1:
        told.append(words.say("still_lowest" if lowest is row.epochs[-1] else "lowest_before", epoch=lowest["epoch"]))
    return [
        Heading(text=words.say("best_epochs", trial=trial)),
        Paragraph(text=" ".join([*told, words.say("means")])),
        Picture(name="loss", png=curves.draw_loss_curve(row, drawn), caption=words.say("loss_caption")),
        Picture(name="accuracy", png=curves.draw_accuracy_curve(row, drawn), caption=words.say("accuracy_caption")),
    ]


def write_all(study: Study, everything: Sequence[TrialRow], ranked: Sequence[TrialRow], words: Language, drawn: Language) -> list[Block]:
    """All learning curves, and values against what they cost."""
    if sum(bool(row.epochs) for row in everything) < FEW:
        return []
    blocks: list[Block] = [
        Heading(text=words.say("all_trials")),
        Picture(name="learning-curves", png=curves.draw_all_curves(ranked, drawn), caption=words.say("curves_caption")),
    ]
    complete = [row for row in everything if row.state == "COMPLETE" and row.value is not None]
    certainty = measure_certainty(study)
    for name, png, cost_of in (
        ("parameters", cost.draw_against_parameters(everything, drawn), cost.count_parameters),
        ("seconds", cost.draw_against_seconds(everything, drawn), cost.count_seconds),
    ):
        if png is None:
            continue
        points = [(c, row.value or 0.0) for row in complete if (c := cost_of(row))]
        caption = " ".join(filter(None, (words.say(f"{name}_caption"), _tell_near_best(points, name, certainty, words))))
        blocks.append(Picture(name=name, png=png, caption=caption))
    return blocks


def _tell_near_best(found: Sequence[tuple[float, float]], name: str, certainty: Certainty | None, words: Language) -> str:
    """What the cheapest trial would save that cannot be told apart from the best; within 0.01 of it where that is not known."""
    place = words.objective.place
    gap = 0.01 if certainty is None else certainty.gap - 0.5 / certainty.images if certainty.exact else certainty.gap
    top_cost, top = min(found, key=lambda point: (place(point[1]), point[0]))
    cheapest, value = min((point for point in found if place(point[1]) <= place(top) + gap), key=lambda point: point[0])
    if cheapest > 0.8 * top_cost:
        return ""
    spent = f"{cheapest:,.0f}" if name == "parameters" else f"{cheapest:.3g}"
    key = f"near_{name}" if certainty is None else f"tied_{name}"
    return words.say(key, accuracy=words.figure(value), spent=spent, share=f"{100 * cheapest / top_cost:.0f}")


def write_mattered(
    study: Study,
    everything: Sequence[TrialRow],
    ranked: Sequence[TrialRow],
    shares: Mapping[str, float],
    words: Language,
    drawn: Language,
) -> list[Block]:
    """Importances, parallel coordinates and slices of what was searched."""
    searched = parameters.list_scales(study)
    if not searched:
        return []
    blocks: list[Block] = [Heading(text=words.say("mattered"))]
    if shares:
        blocks.append(Paragraph(text=f"{tell_importances(shares, words)} {words.say('importances')}"))
        blocks.append(
            Picture(name="importances", png=parameters.draw_importance_bars(shares, drawn), caption=words.say("importances_caption"))
        )
    elif len(searched) < 2:
        blocks.append(Paragraph(text=words.say("one_searched")))
    else:
        blocks.append(Paragraph(text=words.say("too_few", number=parameters.FEWEST_TRIALS)))
    axes = parameters.choose_foremost(study, shares, parameters.MOST_AXES)
    parallel = parameters.draw_parallel_coordinates(axes, ranked, drawn)
    if parallel is not None:
        caption = words.say("parallel_caption") + _tell_of_many(len(axes), len(searched), words)
        blocks.append(Picture(name="parallel-coordinates", png=parallel, caption=caption))
    axes = parameters.choose_foremost(study, shares, parameters.MOST_SLICES)
    slices = parameters.draw_slices(axes, everything, drawn)
    if slices is not None:
        caption = words.say("slices_caption") + _tell_of_many(len(axes), len(searched), words)
        blocks.append(Picture(name="slices", png=slices, caption=caption))
    return blocks


def _tell_of_many(shown: int, searched: int, words: Language) -> str:
    return f" {words.say('of_many', shown=shown, searched=searched)}" if shown < searched else ""
