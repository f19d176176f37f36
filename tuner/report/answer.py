"""The first page: the question, its answer and how sure it is, what mattered, and what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from shlex import quote

from ..console.text import format_value
from ..study.safety import measure_safety
from ..study.study import Study
from ..study.test_accuracy import read_tests
from ..study.trials import TrialRow
from .blocks import Block, Heading, Paragraph, Picture
from .certainty import tell_certainty
from .ended import tell_end
from .language import Language
from .languages.en import ENGLISH
from .pictures.course import draw_course
from .question import ask
from .telling import tell_place
from .words import model_name

ENDED = ("COMPLETE", "PRUNED", "FAIL")
MOST_PAUSED_NAMED = 5


def write_answer(
    study: Study,
    rows: Sequence[TrialRow],
    best: TrialRow,
    words: Language = ENGLISH,
    drawn: Language = ENGLISH,
    *,
    images: int | None = None,
    shares: Mapping[str, float] | None = None,
) -> list[Block]:
    """The whole page. `drawn` is the language of pictures, `images` are those of the validation part, `shares` the importances."""
    course = draw_course(rows, drawn)
    told = [tell_importances(shares or {}, words), _tell_by_hand(study, rows, words), _tell_tests(study, words)]
    return [
        Heading(text=words.say("in_short")),
        Paragraph(text=ask(study, words)),
        Paragraph(text=_tell_best(best, words)),
        *tell_certainty(study, best, images, words),
        *([] if course is None else [Picture(name="course", png=course, caption=words.say("course_caption"))]),
        *(Paragraph(text=text) for text in told if text),
        Paragraph(text=_tell_cost(study, rows, words)),
        *(Paragraph(text=text) for text in [*tell_end(study.leases.counts().ended, words), *_tell_safety(study, words)]),
    ]


def tell_importances(shares: Mapping[str, float], words: Language) -> str:
    """The two hyper-parameters that mattered most; empty where that is not known."""
    if len(shares) < 2:
        return ""
    (first, most), (second, next_most) = list(shares.items())[:2]
    return words.say(
        "mattered_short", first=words.term(first), share=f"{100 * most:.0f}", second=words.term(second), next_share=f"{100 * next_most:.0f}"
    )


def _tell_best(best: TrialRow, words: Language) -> str:
    parameters = best.run.get("parameters")
    network = model_name(best.config.model) if best.config is not None else words.term("model")
    if parameters:
        key, macs = ("best_size_macs", best.run["macs"]) if best.run.get("macs") else ("best_size", 0)
        network = words.say(key, network=network, parameters=f"{parameters:,}", macs=f"{macs:,}")
    texts = [
        (name, words.say("value", name=words.term(name), value=format_value(value)))
        for name, value in best.params.items()
        if name != "model"
    ]
    trial = words.trial(best.number)
    return words.say(
        "best_with" if texts else "best",
        trial=trial[:1].upper() + trial[1:],
        network=network,
        accuracy=words.figure(best.value),
        values=words.joined(words.few(texts)),
        epochs=words.count(len(best.epochs), "epoch"),
        time=words.duration(best.seconds),
    )


def _tell_by_hand(study: Study, rows: Sequence[TrialRow], words: Language) -> str:
    """The best of the rows given beforehand against the best that was searched; empty without one of both."""
    ended = [row for row in rows if row.state == "COMPLETE" and row.value is not None]
    given, searched = [row for row in ended if row.start is not None], [row for row in ended if row.start is None]
    if not given or not searched:
        return ""
    hand, search = (min(group, key=lambda row: (study.objective.place(row.value), row.number)) for group in (given, searched))
    gap = study.objective.place(hand.value) - study.objective.place(search.value)  # above 0 where the search is better
    return words.say(
        "hand_lost" if gap > 0 else "hand_won" if gap < 0 else "hand_even",
        given=words.count(len(given), "configuration"),
        hand=words.trial(hand.number),
        hand_accuracy=words.figure(hand.value),
        search=words.trial(search.number),
        accuracy=words.figure(search.value),
        gap=words.difference(gap),
    )


def _tell_tests(study: Study, words: Language) -> str:
    """The last test accuracy that was measured, and how often the test set was touched."""
    tests = read_tests(study)
    if not tests:
        return words.say("untested")
    last = tests[-1]
    text = words.say(
        "tested" if len(tests) == 1 else "tested_again",
        trial=words.trial(last.trial),
        accuracy=words.percent(last.accuracy),
        images=f"{last.images:,}",
        date=words.date(last.day),
        times=len(tests),
    )
    remarks = [words.say(key) for key, said in (("tested_all", last.all_data), ("tested_changed", last.changed)) if said]
    return " ".join([text, *remarks])


def _tell_cost(study: Study, rows: Sequence[TrialRow], words: Language) -> str:
    """How many trials ended how, what they took, and what is still to come."""
    states = [row.state for row in rows]
    ended = [state for state in ENDED if state in states]
    finished = sum(states.count(state) for state in ENDED)
    if len(ended) == 1:
        how = words.say("spent_all", ended=words.say(f"ended_{ended[0]}"))
    else:
        parts = [words.say("spent_part", number=f"{states.count(state):,}", ended=words.say(f"ended_{state}")) for state in ended]
        how = words.say("spent_some", parts=words.joined(parts))
    devices = sorted({str(row.run["device"]) for row in rows if row.run.get("device")})
    text = words.say(
        "spent",
        trials=words.count(finished, "trial").capitalize(),
        how=how,
        time=words.duration(sum(row.seconds for row in rows if "same_as" not in row.run)),
        where=words.say("spent_where", devices=words.joined(devices)) if devices else "",
    )
    counts = study.leases.counts()
    left = counts.n_trials - counts.finished
    if left > 0:
        key = "to_come_one" if left == 1 else "to_come_many"
        text += f" {words.say(key, trials=words.count(left, 'more trial').capitalize())}"
    waiting = [row for row in rows if row.paused]
    if len(waiting) > MOST_PAUSED_NAMED:
        at = sorted(Counter(len(row.epochs) for row in waiting).items())
        places = words.joined([words.say("paused_place", epoch=epoch, number=number) for epoch, number in at])
        text += f" {words.say('paused_many', places=places, command=f'`tuner show {quote(study.name)}`')}"
    elif waiting:
        named = [words.say("paused_one", trial=words.trial(row.number), reason=tell_place(row.reason, words)) for row in waiting]
        text += f" {words.say('paused_are', trials=words.joined(named))}"
    return text


def _tell_safety(study: Study, words: Language) -> list[str]:
    """How far the pruner of a study that promotes can be trusted."""
    found = measure_safety(study)
    if found is None:
        return []
    told = []
    if found.measured:
        figures = [words.say("agreement_part", value=f"{each.shrunk:.2f}", epoch=each.epoch, trials=each.trials) for each in found.measured]
        told.append(words.say("agreement", figures=", ".join(figures)))
    if found.left:
        key = "left_paused" if study.config.cost is None else "left_paused_front"
        told.append(words.say(key, number=found.left, chance=f"{100 * found.chance:.2g}"))
    if found.audit is not None:
        audit = found.audit
        key = "audited_front" if audit.front else "audited"
        told.append(words.say(key, sentence=audit.sentence, checked=audit.checked, won=audit.won))
    return told
