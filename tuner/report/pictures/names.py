"""Names in pictures: in a font that has their letters where the system has one, else as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import cache

from matplotlib import font_manager

from ..language import Language
from ..languages.en import ENGLISH

BASE = "DejaVu Sans"  # comes with matplotlib
# In this order, for letters that the fonts before lack: Korean, Japanese, Chinese, emoji in one colour.
FALLBACKS = (
    *("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo", "UnDotum", "Baekmuk Gulim"),
    *("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "Yu Gothic", "Hiragino Sans"),
    *("Noto Sans CJK SC", "Noto Sans SC", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC"),
    *("Noto Sans", "Arial Unicode MS", "Noto Emoji", "Segoe UI Symbol", "Symbola"),
)
SHORT = 14  # letters of a class name at an axis or under an image
MOST_IN_LEGEND = 60


@cache
def find_families() -> tuple[str, ...]:
    """The fonts to draw text with, each for the letters that those before it lack."""
    _list_new_fonts()
    there = set(font_manager.get_font_names())
    return (BASE, *(family for family in FALLBACKS if family in there))


def _list_new_fonts() -> None:
    """Add the fonts that were installed since matplotlib listed them, which it does once for a user and never again by itself."""
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in font_manager.findSystemFonts():
        if path not in known:
            with suppress(OSError, RuntimeError):  # no font after all
                font_manager.fontManager.addfont(path)


def can_draw(text: str) -> bool:
    """Whether one of the fonts has each letter."""
    return all(any(ord(letter) in _letters(family) for family in find_families()) for letter in text)


def name_classes(classes: Sequence[str]) -> list[str]:
    """The classes as pictures name them: shortened where they are long, and all by number where a letter has no font."""
    if not all(can_draw(name) for name in classes):
        return [str(number) for number in range(1, len(classes) + 1)]
    short = [_shorten(name) for name in classes]
    common = {name for name, times in Counter(short).items() if times > 1}
    return [
        _shorten(name, f" {number}") if shown in common else shown
        for number, (name, shown) in enumerate(zip(classes, short, strict=True), 1)
    ]


def name_models(models: Sequence[str]) -> list[str]:
    """The models as a picture names them: one that has a letter without a font by its place, from 1."""
    return [name if can_draw(name) else f"model {number}" for number, name in enumerate(models, start=1)]


def describe_numbers(classes: Sequence[str], words: Language = ENGLISH) -> str:
    """Which class each number is; empty where pictures name them."""
    if all(can_draw(name) for name in classes):
        return ""
    told = ", ".join(f"{number} {name}" for number, name in enumerate(classes[:MOST_IN_LEGEND], start=1))
    if len(classes) > MOST_IN_LEGEND:
        told = words.say("classes_more", classes=told, number=f"{len(classes):,}")
    return words.say("classes_by_number", classes=told)


def choose_language(words: Language) -> Language:
    """The language that pictures can be drawn in: English where no font here has the letters of the other."""
    letters = "".join([*words.texts.values(), *words.terms.values(), *words.trials.values()])
    return words if can_draw("".join(sorted(set(letters) - {"\n"}))) else ENGLISH


def _shorten(name: str, end: str = "") -> str:
    room = SHORT - len(end)
    return (name if len(name) <= room else f"{name[: room - 1]}…") + end


@cache
def _letters(family: str) -> frozenset[int]:
    return frozenset(font_manager.get_font(font_manager.findfont(font_manager.FontProperties(family=family))).get_charmap())
