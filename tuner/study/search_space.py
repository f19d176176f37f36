"""The search space of a study: its dimensions as Optuna knows them, what a trial draws, and its definition."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..config.conditions import holds, sort_by_condition
from ..config.dimension import Choice, Dimension, is_whole, put_on_step, to_plain
from ..config.hyperparameters import DEFAULTS, FINETUNING, find_option, find_width_pattern, name_option, name_width, nest
from ..config.objective import USUAL, copy_optimised, list_optimised
from ..config.settled_weights import name_weights
from ..config.study_config import StudyConfig
from ..config.trial_config import TrialConfig
from ..models import find_model
from ..models.finetuned import is_torchvisions
from .steps import Steps, count_values

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

    from .drawing import Drawing


def derive_seed(*parts: object) -> int:
    """A seed of 32 bits from anything with a plain text form, the same on every machine."""
    text = json.dumps([str(part) for part in parts])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest())


def fit_seed(seed: int) -> int:
    """A study's seed as libraries take one: itself where it has 32 bits, and else one made of it."""
    return seed if seed < 2**32 else derive_seed(seed)


def to_distribution(name: str, dimension: Dimension) -> BaseDistribution:
    """A dimension as Optuna's distribution."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, Choice):
        return CategoricalDistribution(dimension.values)
    if is_whole(name, dimension):
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log, step=int(dimension.step or 1))
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)


def to_distributions(config: StudyConfig) -> dict[str, BaseDistribution]:
    """Every searched dimension by name, each after those that it depends on: the model first."""
    names = sort_by_condition({name: config.drawn[name].when for name in sorted(config.drawn, key=lambda name: name != "model")})
    return {name: to_distribution(name, config.drawn[name]) for name in names}


def applies(name: str, model: str) -> bool:
    """Whether a dimension means anything for a model: a width pattern must match one of its widths, an option be for one's own
    network, and what is of fine-tuning for torchvision's."""
    if name in FINETUNING:
        return is_torchvisions(model)
    if find_option(name) is not None:
        return find_model(model).takes_options
    pattern = find_width_pattern(name)
    return pattern is None or bool(find_model(model).matches(pattern))


def is_drawn(config: StudyConfig, name: str, values: Mapping[str, Any]) -> bool:
    """Whether a trial of these values draws the dimension. What the trial does not have is not among them."""
    return applies(name, values["model"]) and holds(config.space[name].when, values)


def _list_cases(config: StudyConfig, model: str) -> list[dict[str, Any]]:
    """The hyper-parameters that conditions are on, in all combinations that trials of a model may have; one where there are none."""
    parents = {parent for dimension in config.drawn.values() for parent, _ in dimension.when} - {"model"}
    cases = [_find_certain(config) | {"model": model}]
    for name in to_distributions(config):
        if name in parents:
            dimension = config.space[name]
            assert isinstance(dimension, Choice)
            cases = [
                {**case, **given}
                for case in cases
                for given in ([{name: value} for value in dimension.values] if is_drawn(config, name, case) else [{}])
            ]
    return cases


def _find_certain(config: StudyConfig) -> dict[str, Any]:
    """The values of what the study fixes."""
    return {name: value for name, value in config.constants.items() if name not in config.space}


def find_joint_space(config: StudyConfig) -> dict[str, BaseDistribution]:
    """The dimensions that every trial draws, whatever its model, and that hold more than one value."""
    return {
        name: dist
        for name, dist in to_distributions(config).items()
        if not dist.single() and not config.space[name].when and all(applies(name, model) for model in config.models)
    }


def suggest(
    trial: optuna.Trial | Drawing, config: StudyConfig, row: Mapping[str, Any], *, seed: int, threads: int, precision: str
) -> TrialConfig:
    """Draw what the study searches and put it together with what is fixed; `row` is the trial's start row."""
    absent = config.conditions
    values = {name: value for name, value in (config.constants | dict(row)).items() if not absent.get(name)}
    for name, dist in to_distributions(config).items():
        if is_drawn(config, name, values):
            values[name] = put_on_step(_draw(trial, name, dist), config.space[name])
    return assemble(values, config, seed=seed, threads=threads, precision=precision)


def _draw(trial: optuna.Trial | Drawing, name: str, dist: BaseDistribution) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dist, CategoricalDistribution):
        return trial.suggest_categorical(name, dist.choices)
    if isinstance(dist, IntDistribution):
        return trial.suggest_int(name, dist.low, dist.high, step=dist.step, log=dist.log)
    assert isinstance(dist, FloatDistribution)
    return trial.suggest_float(name, dist.low, dist.high, step=dist.step, log=dist.log)


def assemble(values: Mapping[str, Any], config: StudyConfig, *, seed: int, threads: int, precision: str) -> TrialConfig:
    """The trial configuration of these values, keyed by hyper-parameter."""
    named = {name: value for name, value in values.items() if applies(name, values["model"])}
    plain = nest(named)
    made = TrialConfig(
        **plain,
        width=config.width,
        **name_weights(config, values["model"]),
        data=config.data,
        **copy_optimised(config),
        seed=seed,
        threads=threads,
        precision=precision,
    )
    return replace(made, code=config.code.get(made.model)) if config.code else made


def find_point(config: StudyConfig, params: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """What was drawn, as a key: two trials with one point have the same configuration but for what their start rows set."""
    return tuple((name, put_on_step(params[name], config.space.get(name))) for name in sorted(params))


def put_on_steps(config: StudyConfig, trial: TrialConfig) -> TrialConfig:
    """A trial's configuration with every value on a step as the range counts it: for comparing, also with trials of earlier versions."""
    widths = {pattern: put_on_step(factor, config.space.get(name_width(pattern))) for pattern, factor in trial.widths.items()}
    plain = {name: put_on_step(getattr(trial, name), dimension) for name, dimension in config.space.items() if name in DEFAULTS}
    network = {option: put_on_step(value, config.space.get(name_option(option))) for option, value in trial.network.items()}
    return replace(trial, **plain, widths=widths, network=network)


def find_untried(
    config: StudyConfig,
    tried: Collection[tuple[tuple[str, Any], ...]],
    fixed: Mapping[str, Any],
    *,
    seed: int,
    fits: Callable[[Mapping[str, Any]], bool] | None = None,
    looks: int = 1,
) -> dict[str, Any] | None:
    """A point of a finite space that is not among `tried` and has the values `fixed`, chosen by `seed`. None where none is left.

    With `fits` only points will do whose trials' values it accepts. It is asked of so many points (`looks`) at most.
    """
    models = [model for model in config.models if fixed.get("model", model) == model]
    for model in sorted(models, key=lambda model: derive_seed(seed, model)):
        given = {**fixed, "model": model} if "model" in config.space else dict(fixed)
        cases = [case for case in _list_cases(config, model) if all(case.get(name, value) == value for name, value in given.items())]
        for case in sorted(cases, key=lambda case: derive_seed(seed, *case.values())):
            axes = _list_axes(config, case, given)
            total = math.prod(len(values) for values in axes.values())
            first = derive_seed(seed, "first") % total
            for offset in range(min(total, len(tried) + looks)):
                index, point = (first + offset) % total, {}
                for name, values in axes.items():
                    index, place = divmod(index, len(values))
                    point[name] = values[place]
                if find_point(config, point) not in tried and (fits is None or fits({**case, **point})):
                    return point
    return None


def list_spaces(config: StudyConfig) -> Iterator[tuple[dict[str, Any], dict[str, Sequence[Any]]]]:
    """A finite space in parts: what all trials of a part have, and the values of each dimension that they draw.

    The parts have no configuration in common, and together all.
    """
    for model in config.models:
        for case in _list_cases(config, model):
            yield case, _list_axes(config, case, {})


def _list_axes(config: StudyConfig, case: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """The values of every dimension that a trial of such a case draws; one value where the case or `given` says it."""
    names = [name for name in config.drawn if is_drawn(config, name, case)]
    return {name: [case[name]] if name in case else _find_values(config, name, given) for name in names}


def _find_values(config: StudyConfig, name: str, given: Mapping[str, Any]) -> Sequence[Any]:
    if name in given:
        return [given[name]]
    dimension = config.space[name]
    return dimension.values if isinstance(dimension, Choice) else Steps(name, dimension)


def count_configurations(config: StudyConfig) -> int | None:
    """How many different configurations the space holds; None where a dimension is continuous."""
    total = 0
    for model in config.models:
        for case in _list_cases(config, model):
            counts = [count_values(name, d) for name, d in config.drawn.items() if name not in case and is_drawn(config, name, case)]
            if None in counts:
                return None
            total += math.prod(count for count in counts if count)
    return total


def list_grid(config: StudyConfig) -> dict[str, list[Any]]:
    """Every dimension as the list of its values. They must be finite."""
    return {name: list(_find_values(config, name, {})) for name in to_distributions(config)}


def define(config: StudyConfig, data_fingerprint: str) -> dict[str, Any]:
    """What a study is, as plain values: two searches with the same definition may share a study.

    Sampler, pruner and start rows are left out: they may change between two calls.
    """
    fixed = {name: value for name, value in config.fixed.items() if value != DEFAULTS.get(name)}
    space = {name: to_plain(dimension) for name, dimension in config.space.items()}
    return {
        **fixed,
        **space,
        "width": config.width,
        "data": data_fingerprint,
        "train_images": config.data.train_images,
        "image_size": config.data.image_size,
        "normalize": {"mean": list(config.data.mean), "std": list(config.data.std)},
        "validation": config.data.validation,
        "seed": config.data.seed,
        **({} if config.weights is None else {"weights": dict(config.digests) or config.weights}),
        **list_optimised(config),
        **({"limits": config.limits.to_dict()} if config.limits else {}),
        **({} if config.cost is None else {"objectives": ["accuracy", config.cost]}),
    }


def compare_definitions(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What two definitions disagree on, in one line; empty where they agree."""
    parts = []
    usual = DEFAULTS | USUAL
    for name in sorted({*before, *after}):
        old, new = before.get(name, usual.get(name)), after.get(name, usual.get(name))
        if old != new:
            parts.append(f"{name} was {_short(old)} and is now {_short(new)}")
    return "; ".join(parts)


def list_code_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[dict[str, str]]:
    """The files of the user's own that are no longer what they were, with both digests."""
    return [{"code": spec, "was": before[spec], "is": digest} for spec, digest in after.items() if before.get(spec, digest) != digest]


def describe_code_change(change: Mapping[str, str]) -> str:
    """The message about a file that was changed."""
    return (
        f"the file of {change['code']} was changed since its first trials (SHA-256 {change['is'][:12]}, was {change['was'][:12]}): "
        "bring it back as it was, search under another name, or go on with --accept-changed-code"
    )


def _short(value: Any) -> str:
    return "not named" if value is None else json.dumps(value).replace('"', "")
