"""A study as Python sees it: its trials, the best of them, its pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from ..errors import NothingToShow, TunerError, UsageError, nearest
from ..study.trials import TrialRow, choose_trial, list_trials, rank_rows

if TYPE_CHECKING:
    from ..report.language import Language
    from ..study import study as stored

Trial = TrialRow


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture as PNG, which a notebook shows by itself."""

    name: str
    png: bytes = field(repr=False)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write it. Errors: TunerError where the file cannot be written, or is there already and `force` is not given."""
        try:
            with Path(path).open("wb" if force else "xb") as file:
                file.write(self.png)
        except FileExistsError:
            raise TunerError(f"{str(path)!r} is there already: give another path, or force=True") from None
        except OSError as error:
            raise TunerError(f"cannot write {str(path)!r}: {error.strerror}") from None

    def _repr_png_(self) -> bytes:
        return self.png


class Study:
    """A study in its storage. Everything is read when it is asked for, so that it shows a search that still runs."""

    def __init__(self, study: stored.Study) -> None:
        self._study = study

    @property
    def name(self) -> str:
        return self._study.name

    @property
    def storage(self) -> str:
        """The storage's URL, without what is secret in it."""
        return str(self._study.storage)

    @property
    def total(self) -> int:
        """How many trials it is to have."""
        return self._study.leases.counts().n_trials

    @property
    def finished(self) -> int:
        """How many of them are COMPLETE or PRUNED."""
        return self._study.leases.counts().finished

    @property
    def trials(self) -> list[Trial]:
        """All trials by number, whatever their state."""
        return list_trials(self._study)

    @property
    def best(self) -> Trial:
        """The COMPLETE trial whose objective is best, by default validation accuracy. Errors: NothingToShow where there is none yet."""
        return choose_trial(self._study, None)

    def figure(self, name: str = "curves", *, trial: int | None = None) -> Figure:
        """A picture, one of FIGURES: `loss` and `accuracy` are of the trial of that number, by default the best; the others of all.

        Errors: UsageError for a name that is none and a trial that is not there, NothingToShow where there is too little to draw.
        """
        if name not in FIGURES:
            raise UsageError(f"no figure {name!r}: {nearest(name, FIGURES)}")
        if trial is not None and name not in OF_ONE_TRIAL:
            raise UsageError(f"figure {name!r} is of all trials: leave trial={trial} out")
        png = FIGURES[name](self._study, trial)
        if png is None:
            raise NothingToShow(f"study {self.name!r} has too few trials for {name!r}: go on with `tuner search {quote(self.name)}`")
        return Figure(name=name, png=png)

    def __repr__(self) -> str:
        return f"Study({self.name!r}, {self.finished} of {self.total} trials finished, in {self.storage!r})"


def _draw_curves(study: stored.Study, trial: int | None) -> bytes | None:
    from ..report.pictures.curves import draw_all_curves

    ranked = _rank(study)
    return draw_all_curves(ranked, _speak(study)) if any(row.epochs for row in ranked) else None


def _draw_loss(study: stored.Study, trial: int | None) -> bytes | None:
    from ..report.pictures.curves import draw_loss_curve

    row = choose_trial(study, trial)
    return draw_loss_curve(row) if row.epochs else None


def _draw_accuracy(study: stored.Study, trial: int | None) -> bytes | None:
    from ..report.pictures.curves import draw_accuracy_curve

    row = choose_trial(study, trial)
    return draw_accuracy_curve(row) if row.epochs else None


def _draw_parameters(study: stored.Study, trial: int | None) -> bytes | None:
    from ..report.pictures.cost import draw_against_parameters

    return draw_against_parameters(list_trials(study), _speak(study))


def _draw_seconds(study: stored.Study, trial: int | None) -> bytes | None:
    from ..report.pictures.cost import draw_against_seconds

    return draw_against_seconds(list_trials(study), _speak(study))


def _draw_importances(study: stored.Study, trial: int | None) -> bytes | None:
    from ..report.pictures.parameters import draw_importance_bars, find_importances

    shares = find_importances(study)
    return draw_importance_bars(shares) if shares else None


def _draw_parallel(study: stored.Study, trial: int | None) -> bytes | None:
    from ..report.pictures import parameters

    axes = parameters.choose_foremost(study, parameters.find_importances(study), parameters.MOST_AXES)
    return parameters.draw_parallel_coordinates(axes, _rank(study), _speak(study))


def _draw_slices(study: stored.Study, trial: int | None) -> bytes | None:
    from ..report.pictures import parameters

    axes = parameters.choose_foremost(study, parameters.find_importances(study), parameters.MOST_SLICES)
    return parameters.draw_slices(axes, list_trials(study), _speak(study))


FIGURES: dict[str, Callable[[stored.Study, int | None], bytes | None]] = {
    "curves": _draw_curves,
    "loss": _draw_loss,
    "accuracy": _draw_accuracy,
    "parameters": _draw_parameters,
    "seconds": _draw_seconds,
    "importances": _draw_importances,
    "parallel-coordinates": _draw_parallel,
    "slices": _draw_slices,
}
OF_ONE_TRIAL = ("loss", "accuracy")


def _speak(study: stored.Study) -> Language:
    """How pictures name the values of its trials."""
    from ..report.languages.en import ENGLISH
    from ..report.languages.objectives import speak_of

    return speak_of(ENGLISH, study.objective)


def _rank(study: stored.Study) -> Sequence[TrialRow]:
    """Best first, COMPLETE ones before all others: as the pictures take them."""
    return rank_rows(study, list_trials(study))
