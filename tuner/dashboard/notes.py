"""What stands in the dashboard's notes: Markdown on a study and on each of its trials."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from ..console.confirmed import describe_confirmation
from ..console.rules import describe_rules
from ..console.text import format_duration
from ..console.winners import describe_certainty, describe_lack, describe_ties, describe_value
from ..report.languages.en import ENGLISH
from ..report.languages.objectives import speak_of
from ..report.words import count, joined, model_name, ranges, storage_option
from ..study.certainty import measure_certainty
from ..study.front import find_front_rows
from ..study.safety import describe_safety
from ..study.study import Study
from ..study.trials import TrialRow, export_config

MOST_PAUSED = 20  # that a study's note lists


def write_study_note(study: Study, rows: Sequence[TrialRow], best: TrialRow, noted: int) -> str:
    """Model, data and space of a study, how to go on and how to export. `noted` finished trials have notes of their own."""
    config, data, at = study.config, study.config.data, storage_option(study)
    show = speak_of(ENGLISH, study.objective).figure
    finished = sum(row.state in ("COMPLETE", "PRUNED", "FAIL") for row in rows)
    images = f"{data.train_images:,} training images of " if data.train_images else ""
    width = f", every layer at {config.width:g} of its width" if config.width != 1 else ""
    lines = [
        f"**{joined([model_name(model) for model in config.models])}**{width}, on {images}`{data.source}` at "
        f"{data.image_size}x{data.image_size} pixels. The value of a trial is its {study.objective.title} on a validation part, "
        f"{100 * data.validation:g} % of the training images; the test images are not touched. {describe_value(config)}",
        f"Best so far: **trial {best.number}, {show(best.value)}**. {count(finished, 'trial').capitalize()} ended.",
    ]
    if (certainty := measure_certainty(study)) is not None:
        lines.append(f"{describe_certainty(certainty, show)} {describe_ties(certainty)}".strip())
    elif not study.objective.has_interval:
        lines.append(describe_lack(study))
    if config.class_weights != "none":
        lines.append(ENGLISH.say("weighed"))
    if config.cost is not None:
        front = [str(row.number) for row in find_front_rows(rows, config.cost)]
        lines.append(f"The front of accuracy against {ENGLISH.say(f'cost_{config.cost}')}, cheapest first: trials {joined(front)}.")
    lines += describe_confirmation(study)
    if config.space:
        searched = [f"| {name} | {text} |" for name, text in ranges(config.space)]
        lines.append("\n".join(["| Searched | over |", "|---|---|", *(line.replace("*", r"\*") for line in searched)]))
        lines.append(f"Sampler {config.sampler[0]}, pruner {config.pruner[0]}.")
        lines += describe_safety(study)
    else:
        lines.append(f"Nothing is searched: {count(max(1, len(config.start)), 'configuration')} given.")
    lines += describe_rules(study, study.leases.counts())
    if waiting := [f"- trial {row.number}: {row.reason}" for row in rows if row.paused]:
        lines.append("\n".join(["Paused, and taken up again when they are worth it:", "", *waiting[:MOST_PAUSED]]))
        if len(waiting) > MOST_PAUSED:
            lines.append(f"and {len(waiting) - MOST_PAUSED:,} more.")
    commands = {
        "go on": f"tuner search {quote(study.name)} --more 10{at}",
        "export the best": f"tuner best {quote(study.name)} --export config.yaml{at}",
        "train it, and test it once": "tuner train config.yaml",
        "the journal with its pictures": f"tuner report {quote(study.name)}{at}",
    }
    if config.row_limit is not None:
        del commands["go on"]
    widest = max(map(len, commands.values()))
    lines.append("```sh\n" + "\n".join(f"{command:<{widest}}  # {words}" for words, command in commands.items()) + "\n```")
    if noted < finished:
        other = f"tuner best {quote(study.name)} --trial NUMBER --export config.yaml{at}"
        lines.append(f"The best {noted:,} trials have notes with configuration files; `{other}` writes any other's.")
    return "\n\n".join(lines)


def write_trial_note(study: Study, row: TrialRow, pictures: Sequence[tuple[str, str]] = ()) -> str:
    """How a finished trial ended, its pictures (what each shows, and its address), and its configuration file."""
    run = row.run
    shown = speak_of(ENGLISH, study.objective).figure(row.value)
    value = "" if row.value is None else f", validation {study.objective.title} **{shown}**"
    ended = {"COMPLETE": "trained to the end", "PRUNED": "pruned", "FAIL": "failed"}.get(row.state, row.state.lower())
    facts = [f"{count(len(row.epochs), 'epoch')} in {format_duration(row.seconds)}"]
    if run.get("parameters"):
        facts.append(f"{run['parameters']:,} parameters")
    if run.get("macs"):
        facts.append(f"{run['macs']:,} multiply-adds an image")
    if run.get("device"):
        facts.append(f"on {run['device']}")
    lines = [f"**Trial {row.number}**, {ended}{value}; {', '.join(facts)}."]
    if row.state != "COMPLETE" and row.reason:
        lines.append("\n".join(f"    {line}" for line in row.reason.splitlines()))  # as code: it may hold anything
    lines += [f"![{words}]({address})" for words, address in pictures]
    if row.config is not None:
        at = storage_option(study)
        lines.append(
            f"Its configuration file, as `tuner best {quote(study.name)} --trial {row.number} --export config.yaml{at}` writes it:"
        )
        lines.append(f"```yaml\n{export_config(study, row).rstrip()}\n```")
    return "\n\n".join(lines)
