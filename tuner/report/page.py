"""All parts of a report, in order."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING

from .. import __version__
from ..console.text import format_duration
from ..console.winners import describe_value
from ..errors import NothingToShow
from ..study.certainty import Certainty, measure_certainty
from ..study.study import Study
from ..study.trials import TrialRow, count_epochs, export_config, find_best, list_trials
from . import handmade
from .blocks import Block, Code, Heading, Paragraph, Picture, Report
from .journal import list_attempts, write_journal
from .pictures import confusion, cost, curves, parameters
from .pictures.names import describe_numbers
from .question import write_answer, write_question
from .words import count, joined, percent, points, spoken, storage_option

if TYPE_CHECKING:
    from .predictions import Predictions

FEW = 2  # trials, below which pictures of all trials say nothing


def make_report(study: Study, device: str = "cpu") -> Report:
    """The report of a study. Errors: NothingToShow without a COMPLETE trial."""
    everything = list_trials(study)
    top = find_best(study)
    if not top:
        raise NothingToShow(f"study {study.name!r} has no COMPLETE trial yet: go on with `tuner search {quote(study.name)}`")
    first = top[0]
    ranked = sorted(everything, key=lambda row: (row.state != "COMPLETE", -(row.value or 0.0), row.number))
    blocks = [
        *write_question(study),
        *write_answer(study, everything, first),
        *_journal(study, everything),
        *(handmade.compare_with_handmade(study, everything) if handmade.repeats(study) else []),
        *_best(first),
        *_all(study, everything, ranked),
        *_mattered(study, everything, ranked),
        *_errs(study, first, device),
        *_again(study, first),
    ]
    return Report(title=f"Study {study.name}", subtitle=_subtitle(study), blocks=blocks)


def _subtitle(study: Study) -> str:
    ended = [trial.datetime_complete for trial in study.frozen_trials() if trial.datetime_complete is not None]
    last = f"Last trial finished on {max(ended):%d %B %Y}. " if ended else ""
    return f"{last}Written by tuner {__version__}."


def _journal(study: Study, everything: Sequence[TrialRow]) -> list[Block]:
    intro = (
        "Trials stand in the order in which they were begun, and each is set against the best of those before it. "
        f"{describe_value(study.config)}"
    )
    return [Heading(text="The journal"), Paragraph(text=intro), *write_journal(list_attempts(everything, study.val_images))]


def _best(row: TrialRow) -> list[Block]:
    if not row.epochs:
        return []
    last = row.epochs[count_epochs(row) - 1]
    place = "its last epoch" if last is row.epochs[-1] else f"epoch {last['epoch']}, the best of its {len(row.epochs)},"
    lowest = min(row.epochs, key=lambda epoch: epoch["val_loss"])
    gap = last["train_accuracy"] - last["val_accuracy"]
    text = f"In {place} trial {row.number} reached {percent(last['val_accuracy'])} on the validation part"
    text += f" and {percent(last['train_accuracy'])} on the training part"
    if gap > 0.02:
        text += f", {points(gap)} more: it knows its training images better than others."
    else:
        text += ", so it knows its training images hardly better than others."
    if len(row.epochs) > 1:
        if lowest is row.epochs[-1]:
            text += " The validation loss was still at its lowest in the last epoch, so more epochs may help."
        else:
            text += f" The validation loss was lowest in epoch {lowest['epoch']} and rose after it, so more epochs alone would hardly help."
    text += " Training figures are means over an epoch, while the weights still change; validation figures are of its end."
    return [
        Heading(text=f"The best trial, epoch by epoch: trial {row.number}"),
        Paragraph(text=text),
        Picture(
            name="loss", png=curves.draw_loss_curve(row), caption="Loss per epoch of the best trial, training and validation part together."
        ),
        Picture(
            name="accuracy",
            png=curves.draw_accuracy_curve(row),
            caption="Accuracy per epoch of the best trial, training and validation part.",
        ),
    ]


def _all(study: Study, everything: Sequence[TrialRow], ranked: Sequence[TrialRow]) -> list[Block]:
    if sum(bool(row.epochs) for row in everything) < FEW:
        return []
    blocks: list[Block] = [
        Heading(text="All trials"),
        Picture(
            name="learning-curves",
            png=curves.draw_all_curves(ranked),
            caption="Validation accuracy per epoch of all trials. Those that were not trained to the end are set apart.",
        ),
    ]
    complete = [row for row in everything if row.state == "COMPLETE" and row.value is not None]
    certainty = measure_certainty(study)
    for name, png, cost_of, words in (
        ("parameters", cost.draw_against_parameters(everything), cost.count_parameters, "parameters"),
        ("seconds", cost.draw_against_seconds(everything), cost.count_seconds, "seconds of training"),
    ):
        if png is None:
            continue
        caption = f"Accuracy against {words} of each trial."
        points_of = [(c, row.value or 0.0) for row in complete if (c := cost_of(row))]
        near = _near_best(points_of, words, certainty)
        blocks.append(Picture(name=name, png=png, caption=f"{caption} {near}".strip()))
    return blocks


def _near_best(found: Sequence[tuple[float, float]], words: str, certainty: Certainty | None) -> str:
    """What the cheapest trial would save that cannot be told apart from the best; within a point of it where that is not known."""
    gap = 0.01 if certainty is None else certainty.gap - 0.5 / certainty.images
    top_cost, top = max(found, key=lambda point: (point[1], -point[0]))
    cheapest, value = min((point for point in found if point[1] >= top - gap), key=lambda point: point[0])
    if cheapest > 0.8 * top_cost:
        return ""
    spent = f"{cheapest:,.0f}" if words == "parameters" else f"{cheapest:.3g}"
    share = 100 * cheapest / top_cost
    near = "Within one point of the best" if certainty is None else "Not to be told apart from the best"
    return f"{near}, at {percent(value)}, lies a trial of {spent} {words}, {share:.0f} % of the best one's."


def _mattered(study: Study, everything: Sequence[TrialRow], ranked: Sequence[TrialRow]) -> list[Block]:
    searched = parameters.list_scales(study)
    if not searched:
        return []
    blocks: list[Block] = [Heading(text="What mattered")]
    shares = parameters.find_importances(study)
    if shares:
        (first, most), (second, next_most) = list(shares.items())[:2]
        blocks.append(
            Paragraph(
                text=f"What told good trials from the others was most of all {spoken(first)} ({100 * most:.0f} % of the importance), "
                f"then {spoken(second)} ({100 * next_most:.0f} %). "
                "The figures compare the best tenth of the trials with all of them; they say what mattered within the space searched."
            )
        )
        blocks.append(
            Picture(name="importances", png=parameters.draw_importance_bars(shares), caption="Importance of each hyper-parameter.")
        )
    elif len(searched) < 2:
        blocks.append(Paragraph(text="Only one hyper-parameter was searched, so there are no importances to compare."))
    else:
        blocks.append(
            Paragraph(
                text=f"Importances are left out: they need {parameters.FEWEST_TRIALS} trials that were trained to the end and differ."
            )
        )
    axes = parameters.choose_foremost(study, shares, parameters.MOST_AXES)
    parallel = parameters.draw_parallel_coordinates(axes, ranked)
    if parallel is not None:
        caption = "A line is a trial, its height on each axis the value of that hyper-parameter; bright lines are accurate."
        caption += _of_many(len(axes), len(searched))
        blocks.append(Picture(name="parallel-coordinates", png=parallel, caption=caption))
    axes = parameters.choose_foremost(study, shares, parameters.MOST_SLICES)
    slices = parameters.draw_slices(axes, everything)
    if slices is not None:
        caption = "Accuracy of each trial against each hyper-parameter on its own."
        blocks.append(Picture(name="slices", png=slices, caption=caption + _of_many(len(axes), len(searched))))
    return blocks


def _of_many(shown: int, searched: int) -> str:
    return f" Only {shown} of the {searched} are shown, those of the greatest importance." if shown < searched else ""


CONFUSION = "Validation images by true and predicted class. What lies off the diagonal is wrong."


def _errs(study: Study, row: TrialRow, device: str) -> list[Block]:
    from .predictions import NoPredictions, find_kept_weights

    heading = Heading(text="Where the best trial errs")
    try:
        found = find_kept_weights(study, row, device).predictions()
    except NoPredictions as lacking:
        text = (
            f"The confusion matrix and the most wrong images are left out: {lacking}. "
            f"`tuner best {quote(study.name)} --export config.yaml`, then `tuner train config.yaml` train the same weights again."
        )
        return [heading, Paragraph(text=text)]
    title = f"Confusion matrix, trial {row.number}, {len(found.labels):,} validation images"
    blocks: list[Block] = [
        heading,
        Paragraph(text=_mistakes(found)),
        Picture(
            name="confusion-matrix",
            png=confusion.draw_confusion_matrix(found, title),
            caption=" ".join(filter(None, (CONFUSION, describe_numbers(found.classes)))),
        ),
    ]
    wrong = confusion.draw_most_wrong(found, f"Most wrong images, trial {row.number}, validation part")
    if wrong is not None:
        caption = "The validation images whose wrong answer the network was surest of, with its probability."
        blocks.append(Picture(name="most-wrong", png=wrong, caption=caption))
    return blocks


def _mistakes(found: Predictions) -> str:
    wrong = int((found.labels != found.guesses).sum())
    if not wrong:
        return f"With its kept weights it made no mistake on the {len(found.labels):,} validation images."
    if found.confused(1)[0][2] == 1:
        return f"With its kept weights it is wrong on {wrong:,} of the {len(found.labels):,} validation images, on no two alike."
    pairs = [f"{true} taken for {guess} ({times:,})" for true, guess, times in found.confused(3)]
    return f"With its kept weights it is wrong on {wrong:,} of the {len(found.labels):,} validation images. Most often: {joined(pairs)}."


def _again(study: Study, row: TrialRow) -> list[Block]:
    at = storage_option(study)
    commands = (
        f"tuner best {quote(study.name)} --export config.yaml{at}\n"
        "tuner train config.yaml\n"
        "\n"
        f"tuner search {quote(study.name)} --more 10{at}     # ten more trials\n"
        f"tuner report {quote(study.name)}{at}               # this report again"
    )
    config = row.config
    assert config is not None
    run, device = row.run, row.run.get("device", "its device")
    versions = run.get("versions", {})
    made = joined([f"{name} {version}" for name, version in versions.items()])
    threads = count(config.threads, "CPU thread")
    return [
        Heading(text="The final configuration"),
        Paragraph(text=f"This is the file that `tuner best {quote(study.name)} --export config.yaml` writes for trial {row.number}."),
        Code(text=export_config(study, row).split("\n", 1)[1].rstrip()),
        Heading(text="How to make it again"),
        Paragraph(
            text=f"These commands write that configuration to a file and train it: the validation figures of the trial come back, "
            f"then the test accuracy is measured, once. It took {format_duration(row.seconds)} on {device}"
            f"{f', with {made}' if made else ''}. On the CPU, with {threads} and the same versions, the figures come back exactly."
        ),
        Code(text=commands),
    ]
