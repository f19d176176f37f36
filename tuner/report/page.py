"""All parts of a report, in order."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from .. import __version__
from ..errors import NothingToShow
from ..study.confirmation import find_result
from ..study.study import Study
from ..study.trials import TrialRow, export_config, find_best, list_trials, rank_rows
from . import handmade
from .answer import write_answer
from .attempts import list_attempts
from .blocks import Block, Code, Heading, Paragraph, Report
from .certainty import count_images
from .confirmed import write_confirmation
from .errs import find_kept, write_errs
from .figures import write_all, write_best, write_mattered
from .front import write_front
from .journal import write_journal
from .language import Language
from .languages.en import ENGLISH
from .languages.objectives import speak_of
from .pictures.names import choose_language
from .pictures.parameters import find_importances
from .question import write_search
from .words import storage_option


def make_report(study: Study, device: str = "cpu", words: Language = ENGLISH) -> Report:
    """The report of a study. Errors: NothingToShow without a COMPLETE trial."""
    everything = list_trials(study)
    top = find_best(study)
    if not top:
        raise NothingToShow(f"study {study.name!r} has no COMPLETE trial yet: go on with `tuner search {quote(study.name)}`")
    first = top[0]
    ranked = rank_rows(study, everything)
    words = speak_of(words, study.objective)
    found = choose_language(words)
    drawn = found if found is words else speak_of(found, study.objective)  # of the pictures
    subtitle = _tell_subtitle(study, words) if drawn is words else f"{_tell_subtitle(study, words)} {words.say('no_font')}"
    by_hand = handmade.repeats(study)
    if by_hand:
        words, drawn = (handmade.name_trials(study, everything, each) for each in (words, drawn))
    kept = find_kept(study, first, device)
    images, shares = count_images(study, kept), find_importances(study)
    result = find_result(study)
    final = next((row for row in everything if result is not None and row.number == result.winner), first)
    blocks = [
        *write_answer(study, everything, first, words, drawn, images=images, shares=shares),
        *write_front(study, everything, words, drawn),
        *write_confirmation(study, words),
        *write_search(study, words),
        Heading(text=words.say("journal")),
        Paragraph(text=words.say("journal_intro", value=words.say(f"value_{study.config.value}"))),
        *write_journal(list_attempts(everything, images), words, images),
        *(handmade.compare_with_handmade(study, everything, words) if by_hand else []),
        *write_best(first, words, drawn),
        *write_all(study, everything, ranked, words, drawn),
        *write_mattered(study, everything, ranked, shares, words, drawn),
        *write_errs(study, first, kept, words, drawn),
        *_write_again(study, final, words),
    ]
    return Report(title=words.say("title", name=study.name), subtitle=subtitle, blocks=blocks, language=words.code)


def _tell_subtitle(study: Study, words: Language) -> str:
    ended = [trial.datetime_complete for trial in study.frozen_trials() if trial.datetime_complete is not None]
    if not ended:
        return words.say("subtitle_undated", version=__version__)
    return words.say("subtitle", date=words.date(max(ended)), version=__version__)


def _write_again(study: Study, row: TrialRow, words: Language) -> list[Block]:
    """The configuration of the best trial, the confirmed one where there is one, and the commands that train it again."""
    at = storage_option(study)
    commands: Sequence[tuple[str, str]] = (
        (f"tuner best {quote(study.name)} --export config.yaml{at}", ""),
        (f"tuner train config.yaml{at}", ""),
        ("", ""),
        (f"tuner search {quote(study.name)} --more 10{at}", words.say("more_trials")),
        (f"tuner report {quote(study.name)}{at}", words.say("this_report")),
    )
    widest = max(len(command) for command, remark in commands if remark)
    config = row.config
    assert config is not None
    made = words.joined([f"{name} {version}" for name, version in row.run.get("versions", {}).items()])
    text = words.say(
        "again_text",
        time=words.duration(row.seconds),
        device=row.run.get("device", words.say("again_device")),
        versions=words.say("again_versions", versions=made) if made else "",
        threads=words.count(config.threads, "CPU thread"),
    )
    return [
        Heading(text=words.say("final")),
        Paragraph(text=words.say("final_text", study=quote(study.name), trial=words.trial(row.number))),
        Code(text=export_config(study, row).split("\n", 1)[1].rstrip()),
        Heading(text=words.say("again")),
        Paragraph(text=text),
        Code(text="\n".join(f"{command:<{widest}}     # {remark}" if remark else command for command, remark in commands)),
    ]
