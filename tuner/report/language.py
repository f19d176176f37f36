"""How a report speaks: its sentences, numbers and names in one language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ..config.data_sources import SOURCES
from ..config.dimension import Choice, Dimension
from ..config.hyperparameters import find_option, find_width_pattern
from ..config.objective import ACCURACY, Objective
from ..console.text import format_value

MOST_WIDTHS = 4  # that are told one by one


@dataclass(frozen=True, kw_only=True)
class Language:
    """One language. Files of `languages/` hold the tables.

    `texts` are sentences by key, with places for values as `str.format` has them. `nouns` are what is counted: one, and many
    of `{n}`. `numbers` are the words for 0, 1, 2 and so on, as far as they are written out. `terms` are hyper-parameters by
    their name in a study file. `trials` are the numbers of trials that this report calls otherwise than by their number. `objective` is
    what the values of trials are.
    """

    code: str
    texts: Mapping[str, str]
    nouns: Mapping[str, tuple[str, str]]
    numbers: Sequence[str]
    terms: Mapping[str, str]
    trials: Mapping[int, str] = field(default_factory=dict)
    objective: Objective = ACCURACY

    def say(self, key: str, **values: Any) -> str:
        """The text of that key, with the values in their places."""
        return self.texts[key].format(**values)

    def trial(self, number: int) -> str:
        """A trial in a sentence: `trial 3`."""
        return self.trials.get(number) or self.say("trial", number=number)

    def lead(self, number: int) -> str:
        """A trial at the begin of a paragraph, with its number for the commands."""
        if number in self.trials:
            name = self.trials[number]
            return self.say("lead_named", name=name[:1].upper() + name[1:], number=number)
        return self.say("lead", number=number)

    def count(self, number: int, noun: str) -> str:
        """`one epoch`, `two epochs`, `1,200 epochs`."""
        one, many = self.nouns.get(noun, (f"{{n}} {noun}", f"{{n}} {noun}s"))
        return (one if number == 1 else many).format(n=self.number(number))

    def number(self, number: int) -> str:
        """A small number in a word, a great one in digits."""
        return self.numbers[number] if number < len(self.numbers) else f"{number:,}"

    def joined(self, parts: Sequence[str]) -> str:
        """`a`, `a and b`, `a, b and c`."""
        return self._listed(parts, "and")

    def either(self, parts: Sequence[str]) -> str:
        """`a`, `a or b`, `a, b or c`."""
        return self._listed(parts, "or")

    def _listed(self, parts: Sequence[str], word: str) -> str:
        if len(parts) < 2:
            return "".join(parts)
        return self.say(word, first=", ".join(parts[:-1]), last=parts[-1])

    def figure(self, value: float | None) -> str:
        """A trial's value: a share in percent, a loss as it is."""
        return self.percent(value) if value is None or self.objective.share else f"{value:.4f}"

    def difference(self, gap: float) -> str:
        """Of two values of trials."""
        return self.points(gap) if self.objective.share else f"{abs(gap):.4f}"

    def percent(self, value: float | None) -> str:
        """An accuracy."""
        return self.say("no_accuracy") if value is None else f"{100 * value:.2f} %"

    def points(self, gap: float) -> str:
        """A difference of accuracies."""
        return self.say("points", gap=f"{100 * abs(gap):.2f}")

    def date(self, day: date) -> str:
        return self.say("date", year=day.year, month=self.say("months").split()[day.month - 1], day=day.day)

    def duration(self, seconds: float) -> str:
        """`42 s`, `3 min`, `2 h 05 min`."""
        if seconds < 90:
            return self.say("seconds", s=f"{seconds:.0f}")
        minutes = round(seconds / 60)
        if minutes < 90:
            return self.say("minutes", m=minutes)
        return self.say("hours", h=minutes // 60, m=f"{minutes % 60:02d}")

    def term(self, name: str) -> str:
        """A hyper-parameter's name: `learning rate`, `width of *.n1x1`."""
        pattern = find_width_pattern(name)
        if pattern is not None:
            return self.say("width_of", patterns=pattern)
        if (option := find_option(name)) is not None:
            return self.say("option_of", option=option)
        return self.terms.get(name, name.replace("_", " "))

    def source(self, source: str) -> str:
        """A data source, as it was typed, in a sentence."""
        kind, _, path = source.partition(":")
        return self.texts.get(f"source_{kind}", SOURCES[kind].title).format(path=path)

    def few(self, named: Sequence[tuple[str, str]]) -> list[str]:
        """The texts of (hyper-parameter, text), but where there are many widths only how many."""
        widths = [text for name, text in named if find_width_pattern(name) is not None]
        others = [text for name, text in named if find_width_pattern(name) is None]
        return [*others, *(widths if len(widths) <= MOST_WIDTHS else [self.say("many_widths", number=len(widths))])]

    def ranges(self, space: Mapping[str, Dimension]) -> list[tuple[str, str]]:
        """Each searched hyper-parameter and what it may be; widths with the same range share a line."""
        lines: list[tuple[str, str]] = []
        widths: dict[str, list[str]] = {}
        for name, dimension in space.items():
            pattern = find_width_pattern(name)
            if pattern is not None:
                widths.setdefault(self.range_text(dimension), []).append(pattern)
            else:
                lines.append((self.term(name), self.range_text(dimension)))
        for text, patterns in widths.items():
            key = "width_of" if len(patterns) == 1 else "widths_of"
            lines.append((self.say(key, patterns=self.joined(patterns)), text))
        return lines

    def range_text(self, dimension: Dimension) -> str:
        """What a dimension may be: `0.001 to 0.1, on a logarithmic scale`."""
        if isinstance(dimension, Choice):
            return self.either([format_value(value) for value in dimension.values]) + self._tell_when(dimension)
        how = self.say("range_log") if dimension.log else ""
        if dimension.step and not dimension.log:
            how = self.say("range_step", step=format_value(dimension.step))
        return self.say("range", low=format_value(dimension.low), high=format_value(dimension.high), how=how) + self._tell_when(dimension)

    def _tell_when(self, dimension: Dimension) -> str:
        """On what it depends; empty where every trial has it."""
        parts = [
            self.say("when_is", name=self.term(parent), values=self.either([format_value(value) for value in values]))
            for parent, values in dimension.when
        ]
        return self.say("when", conditions=self.joined(parts)) if parts else ""
