"""The question that a study asks, and how it was searched."""

from __future__ import annotations

from ..config.hyperparameters import list_fixed
from ..config.pruners import PRUNERS
from ..console.text import format_value
from ..study.study import Study
from .blocks import Block, Heading, Paragraph, Table
from .language import Language
from .words import model_name


def ask(study: Study, words: Language) -> str:
    """The question, in a sentence."""
    config, data = study.config, study.config.data
    networks = words.either([model_name(model) for model in config.models])
    if config.width != 1:
        networks = words.say("asked_width", networks=networks, width=format_value(config.width))
    source = words.source(data.source)
    if data.train_images:
        source = words.say("asked_part", source=source, number=f"{data.train_images:,}")
    return words.say("asked", networks=networks, source=source)


def write_search(study: Study, words: Language) -> list[Block]:
    """On which images trials were scored, and what was searched how."""
    config = study.config
    held_out = words.say("held_out", share=f"{100 * config.data.validation:g}")
    weighed = "" if config.class_weights == "none" else words.say("weighed")
    blocks: list[Block] = [
        Heading(text=words.say("the_search")),
        Paragraph(text=f"{held_out} {weighed}".strip()),
    ]
    if not config.space:
        given = words.count(max(1, len(config.start)), "configuration")
        return [*blocks, Paragraph(text=words.say("nothing_searched", given=given))]
    sampler, pruner = config.sampler[0], config.pruner[0]
    pauses = "pruned_pauses" if config.cost is None else "pruned_pauses_front"
    key = pauses if PRUNERS[pruner].pauses else "pruned_none" if pruner == "none" else "pruned_behind"
    told = [words.say("sampled", sampler=sampler.upper(), pruning=words.say(key, pruner=pruner))]
    if config.start:
        told.append(words.say("began_with", given=words.count(len(config.start), "configuration")))
    told.append(_tell_fixed(study, words))
    return [
        *blocks,
        Paragraph(text=" ".join(filter(None, told))),
        Table(headings=(words.say("hyperparameter"), words.say("searched_over")), rows=words.ranges(config.space)),
    ]


def _tell_fixed(study: Study, words: Language) -> str:
    named = list_fixed(study.config.fixed)
    fixed = [name for name in named if name != "model" and name not in study.config.space]
    shown = [words.say("value", name=words.term(name), value=_format(named[name], words)) for name in fixed]
    return words.say("fixed", values=words.joined(shown)) if shown else ""


def _format(value: object, words: Language) -> str:
    return words.say("on" if value else "off") if isinstance(value, bool) else format_value(value)
