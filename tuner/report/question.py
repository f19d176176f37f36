"""The question that a study asks, and its short answer."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.data_sources import name_source
from ..config.hyperparameters import list_fixed
from ..config.pruners import PRUNERS
from ..console.text import format_duration, format_value
from ..console.winners import describe_certainty, describe_ties
from ..study.certainty import measure_certainty
from ..study.safety import describe_safety
from ..study.study import Study
from ..study.trials import TrialRow
from .blocks import Block, Heading, Paragraph, Table
from .words import count, few, joined, model_name, percent, ranges, spoken


def write_question(study: Study) -> list[Block]:
    """What was asked, on which images, and how it was searched."""
    config, data = study.config, study.config.data
    networks = " or ".join(model_name(model) for model in config.models)
    if config.width != 1:
        networks += f", every layer at {format_value(config.width)} of its width,"
    part = f" ({data.train_images:,} of the training images)" if data.train_images else ""
    asked = f"Which configuration of {networks} is the most accurate on {name_source(data.source)}{part}?"
    held_out = (
        f"Each trial was scored on a validation part, {100 * data.validation:g} % of the training images, which no trial was trained on. "
        "All accuracies here are of that part unless they say otherwise. The test images were not touched."
    )
    blocks: list[Block] = [Heading(text="The question"), Paragraph(text=f"{asked} {held_out}")]
    if config.space:
        sampler, pruner = config.sampler[0], config.pruner[0]
        pruning = "no trial was cut short" if pruner == "none" else f"the {pruner} pruner ended trials that fell behind"
        if PRUNERS[pruner].pauses:
            pruning = "every trial paused after its first epochs, and only those went on that still stood a chance to be the best"
        started = f" It began with {count(len(config.start), 'configuration')} known beforehand." if config.start else ""
        how = f"These hyper-parameters were searched with the {sampler.upper()} sampler; {pruning}.{started}"
        blocks.append(Paragraph(text=f"{how} {_fixed(study)}".strip()))
        blocks.append(
            Table(
                headings=("Hyper-parameter", "Searched over"),
                rows=ranges(config.space),
            )
        )
    else:
        blocks.append(
            Paragraph(text=f"Nothing was searched: its {count(max(1, len(config.start)), 'configuration')} were given beforehand.")
        )
    return blocks


def write_answer(study: Study, rows: Sequence[TrialRow], best: TrialRow) -> list[Block]:
    """The best trial in a sentence, and what the search cost."""
    states = [row.state for row in rows]
    ended = {"COMPLETE": "trained to the end", "PRUNED": "pruned", "FAIL": "failed"}
    outcome = [f"{states.count(state):,} {words}" for state, words in ended.items() if state in states]
    finished = sum(states.count(state) for state in ended)
    how = f", all of them {ended['COMPLETE']}" if len(outcome) == 1 else f": {joined(outcome)}"
    counts = study.leases.counts()
    left = counts.n_trials - counts.finished
    still = f" {count(left, 'more trial').capitalize()} {'is' if left == 1 else 'are'} to come." if left > 0 else ""
    if waiting := [f"trial {row.number} ({row.reason})" for row in rows if row.paused]:
        still += f" Paused are {joined(few([(name, name) for name in waiting]))}."
    spent = sum(row.seconds for row in rows if "same_as" not in row.run)
    devices = sorted({str(row.run["device"]) for row in rows if row.run.get("device")})
    where = f" on {joined(devices)}" if devices else ""
    parameters = best.run.get("parameters")
    size = f", here of {parameters:,} parameters," if parameters else ""
    texts = {name: f"{spoken(name).removeprefix('the ')} {format_value(value)}" for name, value in best.params.items() if name != "model"}
    values = few(list(texts.items()))
    network = model_name(best.config.model) if best.config is not None else "the network"
    named = f" with {joined(values)}" if values else ""
    certainty = measure_certainty(study)
    sure = [] if certainty is None else [Paragraph(text=f"{describe_certainty(certainty, percent)} {describe_ties(certainty)}".strip())]
    return [
        Heading(text="In short"),
        Paragraph(
            text=f"Trial {best.number} is the best: {network}{size} gets {percent(best.value)} of the validation images right{named}. "
            f"It trained for {count(len(best.epochs), 'epoch')} in {format_duration(best.seconds)}."
        ),
        *sure,
        Paragraph(
            text=f"{count(finished, 'trial').capitalize()} ended{how}. "
            f"Together they trained for {format_duration(spent)}{where}, epoch by epoch added up.{still}"
        ),
        *(Paragraph(text=sentence) for sentence in describe_safety(study)),
    ]


def _fixed(study: Study) -> str:
    named = list_fixed(study.config.fixed)
    said = {name: ("on" if value else "off") if isinstance(value, bool) else format_value(value) for name, value in named.items()}
    fixed = [name for name in said if name != "model" and name not in study.config.space]
    shown = [f"{spoken(name).removeprefix('the ')} {said[name]}" for name in fixed]
    return f"Fixed were {joined(shown)}." if shown else ""
