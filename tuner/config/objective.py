"""What a study optimises: one figure of the validation part, and which way is better. How its training weighs the classes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import UsageError, nearest


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One figure of the validation part.

    `figure` is its name among an epoch's figures, behind `val_`, and `title` what people call it; `also` are the figures that
    stand beside it. Where it is `minimized`, less is better. `share` says that it lies between 0 and 1; `counted` that it is a
    share of all images, so that what holds for binomial shares holds for it. It means something from `classes` classes on.
    """

    name: str
    figure: str
    title: str
    minimized: bool = False
    share: bool = True
    counted: bool = False
    classes: int = 2
    also: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its name among the figures of an epoch."""
        return f"val_{self.figure}"

    @property
    def origin(self) -> str:
        """Its name where a configuration file says which trial it came from."""
        return f"validation_{self.figure}"

    @property
    def has_interval(self) -> bool:
        """Whether a 95 % interval of a value can be had."""
        return self.counted or bool(self.also)

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """As Optuna names it."""
        return "minimize" if self.minimized else "maximize"

    def place(self, value: float | None) -> float:
        """A number to sort by: the better the value, the less it is. Without a value none is better than the worst share."""
        if self.minimized:
            return math.inf if value is None else value
        return -(value or 0.0)

    def is_better(self, value: float | None, than: float | None) -> bool:
        """Whether a value is really better, not as good."""
        return self.place(value) < self.place(than)

    def reaches(self, value: float, target: float) -> bool:
        """Whether a value is as good as the target."""
        return self.place(value) <= self.place(target)

    def find_best(self, values: Iterable[float]) -> float:
        """The best of them."""
        return min(values, key=self.place)

    def to_error(self, value: float) -> float:
        """The value as an error, from 0 on, where less is better: what promotion and replays reckon with."""
        return value if self.minimized else 1.0 - value

    def from_error(self, error: float) -> float:
        """The reverse of `to_error`."""
        return error if self.minimized else 1.0 - error


OBJECTIVES = {
    objective.name: objective
    for objective in (
        Objective(name="accuracy", figure="accuracy", title="accuracy", counted=True),
        Objective(name="balanced_accuracy", figure="balanced_accuracy", title="balanced accuracy", also=("val_low", "val_high")),
        Objective(name="macro_f1", figure="macro_f1", title="macro F1"),
        Objective(name="val_loss", figure="loss", title="loss", minimized=True, share=False),
        Objective(name="top5", figure="top5", title="top-5 accuracy", counted=True, classes=6),
    )
}
ACCURACY = OBJECTIVES["accuracy"]
CLASS_WEIGHTS = ("none", "balanced")
VALUES = ("last", "best")  # of which epoch a trial's value and its weights are: its last, or the one where the objective is best
# Keys of study and configuration files that say what is optimised, with what they are when a file does not name them.
USUAL = {"objective": ACCURACY.name, "class_weights": "none", "value": "last"}


def check_optimised(config: Any) -> None:
    """Of a study's or a trial's configuration: errors are UsageError for an objective, class weights or a value that are none."""
    if not isinstance(config.objective, str):
        raise UsageError(f"objective takes {', '.join(OBJECTIVES)}, not {config.objective!r}")
    if config.objective not in OBJECTIVES:
        raise UsageError(f"unknown objective {config.objective!r}: {nearest(config.objective, OBJECTIVES)}")
    if config.class_weights not in CLASS_WEIGHTS:
        raise UsageError(f"class_weights takes none or balanced, not {config.class_weights!r}")
    if config.value not in VALUES:
        raise UsageError(f"value takes last or best, the epoch whose validation {_title(config)} counts, not {config.value!r}")


def _title(config: Any) -> str:
    return OBJECTIVES[config.objective].title


def check_classes(objective: str, classes: int) -> None:
    """Errors: UsageError for an objective that means nothing with so many classes."""
    least = OBJECTIVES[objective].classes
    if classes < least:
        raise UsageError(f"objective {objective} needs {least} classes or more, and the data has {classes}: choose another objective")


def check_target(objective: str, target: float | None) -> None:
    """Errors: UsageError for a target that no value can reach, or that every value does."""
    chosen = OBJECTIVES[objective]
    if target is not None and chosen.share and target > 1:
        what = "an accuracy" if chosen is ACCURACY else f"a {chosen.title}"
        raise UsageError(f"--target is {what} of at most 1, not {target:g}")


def list_optimised(config: Any) -> dict[str, str]:
    """What a study's or a trial's configuration says of it that is not what is usual."""
    return {name: getattr(config, name) for name, usual in USUAL.items() if getattr(config, name) != usual}


def copy_optimised(config: Any) -> dict[str, Any]:
    """All that it says of it."""
    return {name: getattr(config, name) for name in USUAL}


def describe_optimised(config: Any) -> str:
    """That for people, behind other words; empty where all is as usual but for `value`, which is told elsewhere."""
    told = "" if config.objective == USUAL["objective"] else f", objective {config.objective}"
    return told + ("" if config.class_weights == USUAL["class_weights"] else f", class weights {config.class_weights}")
