"""How sure it is which trial is the best, in sentences for people and as plain facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..config.objective import OBJECTIVES
from ..config.study_config import StudyConfig
from ..study.certainty import Certainty, measure_certainty
from ..study.study import Study
from ..study.trials import find_best
from .confirmed import describe_confirmation

MOST_NUMBERS = 10  # of trials that are named one by one


def format_value(value: float) -> str:
    """A value as the terminal's tables have it."""
    return f"{value:.4f}"


def describe_value(config: StudyConfig) -> str:
    """What the value of a trial is."""
    return f"A trial's value is the validation {OBJECTIVES[config.objective].title} of its {config.value} epoch."


def describe_certainty(found: Certainty, show: Callable[[float], str] = format_value) -> str:
    """The interval of a trial's value. `show` makes a text of a value."""
    interval = f"{show(found.low)} to {show(found.high)}"
    return f"Trial {found.number}: {show(found.value)} on {found.images:,} validation images, 95 % interval {interval}."


def describe_ties(found: Certainty) -> str:
    """Which others may be as good as a trial, and how that was found; empty where there are no others."""
    how = f"({found.test})"
    if not found.others:
        return ""
    if not found.tied:
        others = "The one other finished trial differs" if found.others == 1 else f"All {found.others:,} other finished trials differ"
        return f"{others} from it by more than chance {how}."
    of = "" if len(found.tied) == found.others == 1 else f" of {found.others:,} others"
    return f"It cannot be told apart from {_list_trials(found.tied)}{of} {how}."


def describe_lack(study: Study) -> str:
    """Why the value of the best trial stands without an interval."""
    return f"No interval is given: the validation {study.objective.title} is no share of the images."


def _list_trials(numbers: tuple[int, ...]) -> str:
    if len(numbers) == 1:
        return f"trial {numbers[0]}"
    if len(numbers) > MOST_NUMBERS:
        return f"{len(numbers):,} (trials {', '.join(map(str, numbers[:MOST_NUMBERS]))} and so on)"
    return f"trials {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def describe_best(study: Study, show: Callable[[float], str] = format_value) -> list[str]:
    """What is to be said under the best trial: its interval, which others may be as good, what a value is, and what was confirmed.

    Empty without a COMPLETE trial.
    """
    found = measure_certainty(study)
    if found is None:
        lacking = not study.objective.has_interval and find_best(study)
        told = [describe_lack(study), describe_value(study.config)] if lacking else []
    else:
        told = [describe_certainty(found, show), describe_ties(found), describe_value(study.config)]
    return [*filter(None, told), *describe_confirmation(study)]


def collect_certainty(study: Study, number: int | None = None) -> dict[str, Any]:
    """The same for machines, of the best trial or the one of that number: accuracies are fractions; None where it is not known."""
    found = measure_certainty(study, number)
    return {
        "val_images": study.val_images,
        "val_interval": None if found is None else [found.low, found.high],
        "cannot_tell_from": None if found is None else list(found.tied),
    }
