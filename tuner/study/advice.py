"""What a search's own trials advise to do next, each line with how it was found. Where there is too little to go by, nothing."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Iterator, Sequence
from shlex import quote
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from ..config.checks import is_number
from ..config.dimension import Choice, Dimension, place_value
from ..config.hyperparameters import HYPERPARAMETERS, find_hyperparameter, find_width_pattern
from ..config.samplers import SAMPLERS
from ..config.study_config import StudyConfig
from .certainty import Certainty, measure_certainty
from .objectives import read_accuracy
from .search_space import count_configurations, find_joint_space
from .study import Study
from .trials import rank_complete
from .trying import STARTUP

TOP = 5  # best trials, of which an edge is said to have too many
EDGE = 0.05  # of a range, in its own scale
FEWEST_AT_EDGE = 3
CHANCE = 0.01  # how likely so many there may be, if they were drawn evenly
FEWEST_COMPLETE = 10  # trials, below which the best five are no selection
FEWEST_FOR_EFFECTS = 40
MOST_OF_VARIANCE = 0.01  # that a hyper-parameter without effect explains
MOST_FOR_EFFECTS = 200  # a forest of more takes tens of seconds


def give_advice(study: Study) -> list[str]:
    """The lines, the most useful first: a budget too small to tell, ranges to widen, hyper-parameters to fix."""
    if not study.config.drawn:
        return []
    complete = rank_complete(study, copies=False)
    certainty = measure_certainty(study)
    lines = [*_judge_trials(study), *_judge_images(certainty)]
    if len(complete) >= FEWEST_COMPLETE:
        edges = [line for name in study.config.drawn for line in _find_edges(study.config, name, complete[:TOP])]
        lines += edges
        if edges and SAMPLERS[study.config.sampler[0]].learns:
            lines.append(f"In a wider space these trials are of use: tuner search wider.yaml --from {quote(study.name)}.")
    if len(complete) >= FEWEST_FOR_EFFECTS and certainty is not None:
        lines += _find_idle(study, complete, certainty)
    return lines


def _judge_trials(study: Study) -> Iterator[str]:
    """Whether the search ended before its sampler had learnt anything."""
    name, options = study.config.sampler
    spec = SAMPLERS[name]
    if STARTUP not in spec.options:
        return
    usual = inspect.signature(getattr(optuna.samplers, spec.optuna_class).__init__).parameters[STARTUP].default
    startup, finished = int(options.get(STARTUP, usual)), study.leases.counts().finished
    total = count_configurations(study.config)
    if 0 < finished <= startup - len(study.earlier) and (total is None or finished < total):
        drawn = f"the sampler {name} draws its first {startup} at random (its {STARTUP})"
        trials = "1 finished trial is" if finished == 1 else f"{finished} finished trials are"
        yield f"{trials} too few, because {drawn}: it has learnt nothing yet; --more {2 * startup} goes on."


def _judge_images(certainty: Certainty | None) -> Iterator[str]:
    """Whether more than half of the trials may be as good as the best."""
    if certainty is not None and certainty.others + 1 >= FEWEST_COMPLETE and 2 * len(certainty.tied) > certainty.others:
        yield (
            f"{len(certainty.tied)} of {certainty.others} other finished trials cannot be told apart from the best on "
            f"{certainty.images:,} validation images ({certainty.test}): more trials will hardly tell; "
            "a larger validation part (validation, train_images) would."
        )


def _find_edges(config: StudyConfig, name: str, top: Sequence[FrozenTrial]) -> Iterator[str]:
    """Whether more of the best trials lie at an edge of a range, or of a list of numbers, than chance would bring there."""
    from scipy.stats import binom

    dimension = config.drawn[name]
    values = [trial.params[name] for trial in top if name in trial.params]
    if len(values) < TOP or not _is_ordered(dimension):
        return
    places = [place_value(value, dimension) for value in values]
    for edge, word in ((0.0, "lower"), (1.0, "upper")):
        at = sum(abs(place - edge) <= EDGE for place in places)
        chance = float(binom.sf(at - 1, TOP, _measure_edge(name, dimension)))
        if at < FEWEST_AT_EDGE or chance >= CHANCE or not _can_be_widened(name, dimension, word):
            continue
        label = name if (pattern := find_width_pattern(name)) is None else f"widths of {pattern}"
        how = f"{at} of the best {TOP} trials are within {100 * EDGE:g} % of it, by chance in less than {100 * CHANCE:g} % of searches"
        yield f"{label} is best at its {word} edge, {_find_end(dimension, word):g}: widen it ({how})."


def _is_ordered(dimension: Dimension) -> bool:
    if isinstance(dimension, Choice):
        return len(dimension.values) > 1 and all(is_number(value) for value in dimension.values)
    return dimension.low < dimension.high


def _find_end(dimension: Dimension, word: str) -> float:
    low, high = (min(dimension.values), max(dimension.values)) if isinstance(dimension, Choice) else (dimension.low, dimension.high)
    return float(low if word == "lower" else high)


def _measure_edge(name: str, dimension: Dimension) -> float:
    """The share of a dimension's values that lie at one edge, if they are drawn evenly in its own scale."""
    if isinstance(dimension, Choice):
        count = len(dimension.values)
    else:
        whole = name in HYPERPARAMETERS and HYPERPARAMETERS[name].kind is int
        step = dimension.step or (1 if whole and not dimension.log else None)
        if step is None:
            return EDGE
        count = round((dimension.high - dimension.low) / step) + 1
    return (math.floor(EDGE * (count - 1) + 1e-9) + 1) / count


def _can_be_widened(name: str, dimension: Dimension, word: str) -> bool:
    bounds, end = find_hyperparameter(name), _find_end(dimension, word)
    return end > bounds.low if word == "lower" else end < bounds.high


def _find_idle(study: Study, complete: Sequence[FrozenTrial], certainty: Certainty) -> Iterator[str]:
    """Hyper-parameters whose effect is smaller than what the validation part can measure.

    fANOVA gives the share of the trials' variance that a hyper-parameter alone explains: the root of that variance is how
    far it moved the objective. It is compared with a quarter of the best one's 95 % interval, which is its standard error.
    """
    step = -(-len(complete) // MOST_FOR_EFFECTS)
    rows = sorted(complete, key=lambda trial: trial.number)[::step]
    space = find_joint_space(study.config)
    rows = [row for row in rows if space.keys() <= row.params.keys()]
    values = [read_accuracy(row) or 0.0 for row in rows]
    if len(space) < 2 or len(rows) < FEWEST_FOR_EFFECTS or max(values) == min(values):
        return
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
    measurable = (certainty.high - certainty.low) / 4
    for name, share in _measure_effects(rows, list(space)).items():
        effect = math.sqrt(share * variance)
        if effect < measurable and share < MOST_OF_VARIANCE:
            moved = f"it moved the {study.objective.title} by {100 * effect:.2f} points, {100 * share:.1f} % of the variance"
            how = f"fANOVA over {len(rows)} trials: {moved}"
            yield (f"{name} had no effect that {certainty.images:,} validation images can show ({how}): fix it, and the search is smaller.")


def _measure_effects(rows: Sequence[FrozenTrial], names: list[str]) -> dict[str, float]:
    """By hyper-parameter the share of the variance that it explains on its own; the greatest first."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.add_trials([_bare(row, names) for row in rows])
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    with warnings.catch_warnings(action="ignore"):
        try:
            found: dict[str, Any] = optuna.importance.get_param_importances(study, evaluator=evaluator, params=names, normalize=False)
        except (ValueError, RuntimeError):  # each value seen once
            return {}
    return {name: float(share) for name, share in found.items() if math.isfinite(share)}


def _bare(row: FrozenTrial, names: list[str]) -> FrozenTrial:
    distributions = {name: row.distributions[name] for name in names}
    return optuna.trial.create_trial(
        value=read_accuracy(row), params={name: row.params[name] for name in names}, distributions=distributions
    )
