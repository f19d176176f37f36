"""A language that speaks of another objective than accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType

from ...config.objective import ACCURACY, Objective
from ..language import Language
from . import objective_en, objective_ko

BY_LANGUAGE: Mapping[str, ModuleType] = {"en": objective_en, "ko": objective_ko}


def speak_of(words: Language, objective: Objective) -> Language:
    """The language with the objective's name in place of accuracy, and its values as that has them."""
    if objective is ACCURACY:
        return words
    said = BY_LANGUAGE[words.code]
    texts: Mapping[str, str] = said.FIGURE | (said.LOSS if objective.minimized else {})
    name: str = said.NAMES[objective.name]
    named = {"{figure}": name, "{Figure}": name[:1].upper() + name[1:]}
    for place, text in named.items():
        texts = {key: sentence.replace(place, text) for key, sentence in texts.items()}
    return replace(words, texts={**words.texts, **texts}, objective=objective)
