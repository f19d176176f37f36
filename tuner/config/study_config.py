"""A study file: what is fixed, what is searched, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..models import find_model
from ..models.finetuned import is_torchvisions
from ..models.own_code import Code, is_own, is_own_data
from .checks import check_keys, check_positive, is_digest
from .conditions import When, check_conditions, check_row
from .data_config import DataConfig, read_normalize
from .dimension import Choice, Dimension, Range, check_start, parse_dimension, to_plain
from .file_kinds import refuse_configuration
from .hyperparameters import (
    DEFAULTS,
    FINETUNING,
    HORIZON_SCHEDULES,
    RISES_ITSELF,
    find_hyperparameter,
    find_option,
    find_width_pattern,
    flatten,
    nest,
)
from .initial_weights import check_weights, fill_in, read_digests
from .limits import Limits, parse_limits
from .methods import parse_method
from .named_code import Arguments, name_code
from .objective import USUAL, check_optimised, list_optimised
from .objectives import ACCURACY, check_objectives, parse_objectives
from .other_tools import refuse_other_tools
from .pruners import PRUNERS
from .samplers import SAMPLERS
from .trial_config import describe_no_match, describe_no_option
from .yaml_file import read


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """A study file: what is fixed, what is searched, and how.

    `fixed` and `space` are keyed by hyper-parameter (`lr`, `widths.*.n1x1`); `start` holds the configurations
    that run first, keyed likewise. `code` has the SHA-256 of each file of the user's own, by the name that stands for it.
    `weights` are those that torchvision's networks begin with: default, none or a file; None where there is no such network.
    `digests` are those of the files, by network, once they are found. `objective` is the figure that is optimised, `value` says of
    which epoch a trial's value and weights are, `class_weights` how its training loss weighs the classes.
    """

    weights: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    width: float = 1.0
    data: DataConfig = field(default_factory=DataConfig)
    sampler: tuple[str, Mapping[str, Any]] = ("tpe", {})
    pruner: tuple[str, Mapping[str, Any]] = ("promote", {})
    names_pruner: bool = field(default=True, compare=False)  # where it does not, a study that is there keeps its own
    fixed: Mapping[str, Any] = field(default_factory=dict)
    space: Mapping[str, Dimension] = field(default_factory=dict)
    start: tuple[Mapping[str, Any], ...] = ()
    code: Mapping[str, str] = field(default_factory=dict, compare=False)
    objective: str = USUAL["objective"]
    class_weights: str = USUAL["class_weights"]
    value: str = USUAL["value"]
    limits: Limits = field(default_factory=Limits)
    cost: str | None = None  # kept low beside accuracy, where there are two objectives

    def __post_init__(self) -> None:
        check_positive("width", self.width)
        check_optimised(self)
        check_objectives(self.cost, self.objective, self.sampler[0], self.pruner[0])
        for index, row in enumerate(self.start, start=1):
            for name, value in row.items():
                check_start(name, value, self.space.get(name), f"start row {index}")
        if self.conditions:
            check_conditions(self.conditions, [name for name, d in self.space.items() if isinstance(d, Range)], self.possible)
            unsearched = {name: value for name, value in self.constants.items() if name not in self.space}
            for index, row in enumerate(self.start, start=1):
                check_row(row, self.conditions, unsearched | dict(row), f"start row {index}")
        for name in {*self.fixed, *self.space, *(name for row in self.start for name in row)}:
            pattern = find_width_pattern(name)
            if pattern is not None and not any(find_model(model).matches(pattern) for model in self.models):
                raise UsageError(describe_no_match(pattern, self.models))
            if find_option(name) is not None and not any(find_model(model).takes_options for model in self.models):
                raise UsageError(describe_no_option(" or ".join(self.models)))
            if name in FINETUNING and not any(is_torchvisions(model) for model in self.models):
                raise UsageError(f"{name} is for models such as torchvision:resnet18, not for {' or '.join(self.models)}: leave it out")
        object.__setattr__(self, "weights", check_weights(self.weights, self.models))
        if self.width != 1 and not any(find_model(model).widths for model in self.models):
            raise UsageError(f"width {self.width!r}: {' and '.join(self.models)} has no widths to scale: leave width out")
        if "onecycle" in self.possible("schedule") and self.possible("warmup_epochs") != {0.0}:
            raise UsageError(RISES_ITSELF)
        for model in self.models:
            find_model(model).channels(self.width, self._find_largest_factors())
        epochs, schedules = self.possible("epochs"), self.possible("schedule")
        horizon = schedules & set(HORIZON_SCHEDULES)
        if horizon and len(epochs) > 1 and PRUNERS[self.pruner[0]].prunes:
            raise UsageError(
                f"schedule {sorted(horizon)[0]!r} depends on how many epochs a trial has, so trials of different length "
                "cannot be compared for pruning: fix epochs, or set pruner: none"
            )

    def possible(self, name: str) -> set[Any]:
        """The values that a trial may have; of a range only its ends."""
        dimension = self.space.get(name)
        started = {row[name] for row in self.start if name in row}
        if dimension is None:
            return started | {self.fixed.get(name, DEFAULTS[name])}
        absent = {DEFAULTS[name]} if dimension.when else set()
        return started | absent | (set(dimension.values) if isinstance(dimension, Choice) else {dimension.low, dimension.high})

    @property
    def conditions(self) -> dict[str, When]:
        """What each dimension depends on; empty where none of them does."""
        found = {name: dimension.when for name, dimension in self.space.items()}
        return found if any(found.values()) else {}

    def find_absent(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """The dimensions with conditions that a trial of these parameters does not have."""
        return tuple(name for name, when in self.conditions.items() if when and name not in params)

    def _find_largest_factors(self) -> dict[str, float]:
        """The largest factor that a trial may have, by width pattern."""
        largest: dict[str, float] = {}
        ends = [(name, d.values if isinstance(d, Choice) else (d.high,)) for name, d in self.space.items()]
        ends += [(name, (value,)) for given in (self.fixed, *self.start) for name, value in given.items()]
        for name, values in ends:
            if (pattern := find_width_pattern(name)) is not None:
                largest[pattern] = max(largest.get(pattern, 0.0), *values)
        return largest

    @property
    def epochs_range(self) -> tuple[int, int]:
        """The fewest and the most epochs of a trial that is drawn, start rows apart."""
        dimension = self.space.get("epochs")
        if dimension is None:
            fixed = int(self.fixed.get("epochs", DEFAULTS["epochs"]))
            return fixed, fixed
        ends = dimension.values if isinstance(dimension, Choice) else (dimension.low, dimension.high)
        return int(min(ends)), int(max(ends))

    @property
    def drawn(self) -> Mapping[str, Dimension]:
        """What a trial draws of `space`: all, but for epochs where the pruner gives each trial as many as it earns."""
        return {k: d for k, d in self.space.items() if k != "epochs"} if PRUNERS[self.pruner[0]].pauses else self.space

    @property
    def constants(self) -> dict[str, Any]:
        """The values of all hyper-parameters but widths, where neither the space nor a start row says otherwise."""
        return DEFAULTS | dict(self.fixed) | {"epochs": self.epochs_range[1]}

    @property
    def models(self) -> tuple[str, ...]:
        """Every network that a trial may train."""
        return tuple(sorted(self.possible("model")))

    def list_code(self) -> list[str]:
        """The names of the code of the user's own: networks', and the images'."""
        return [*filter(is_own, self.models), *filter(is_own_data, [self.data.source])]

    @property
    def seed(self) -> int:
        return self.data.seed

    @property
    def row_limit(self) -> int | None:
        """How many trials there can be where nothing is searched: one a start row, or one in all. None where something is searched."""
        return None if self.drawn else max(1, len(self.start))

    def override(self, *, source: str | None = None, seed: int | None = None) -> StudyConfig:
        """With the data and the seed of the command line, where given."""
        data, code = self.data, dict(self.code)
        if source is not None:
            data = replace(data, source=source)
            if source != self.data.source and is_own_data(source):
                code |= {each.spec: each.digest for each in name_code([source], None)}
        if seed is not None:
            data = replace(data, seed=seed)
        return replace(self, data=data, code=code)

    def to_dict(self) -> dict[str, Any]:
        """A mapping that `from_dict` reads back; it stands in the study's user attributes."""
        space = {name: to_plain(dimension) for name, dimension in self.space.items()}
        plain = {
            "model": self.fixed.get("model"),
            "weights": self.weights,
            "weights_digests": dict(self.digests) or None,
            "width": self.width,
            "data": self.data.source,
            "train_images": self.data.train_images,
            "image_size": self.data.image_size,
            "normalize": {"mean": list(self.data.mean), "std": list(self.data.std)},
            "validation": self.data.validation,
            "seed": self.data.seed,
            "sampler": {"name": self.sampler[0], **self.sampler[1]},
            "pruner": {"name": self.pruner[0], **self.pruner[1]},
            "space": nest({**{k: v for k, v in self.fixed.items() if k != "model"}, **space}),
            "start": [nest(dict(row)) for row in self.start],
            "code": dict(self.code) or None,
            "limits": self.limits.to_dict() or None,
            "objectives": self.cost and [ACCURACY, self.cost],
        }
        return {name: value for name, value in plain.items() if value is not None} | list_optimised(self)

    def with_code(self, codes: Iterable[Code]) -> StudyConfig:
        """With the digests of this code, and each option of a network as the user's functions take it. Errors: UsageError."""
        codes = list(codes)
        if not codes:
            return self
        arguments = Arguments.read([code for code in codes if code.spec in self.models])
        named = {name for row in (self.fixed, self.space, *self.start) for name in row}
        arguments.check_complete({option for name in named if (option := find_option(name)) is not None})

        def fit(named: Mapping[str, Any]) -> dict[str, Any]:
            fitted = dict(named)
            for name, value in named.items():
                if (option := find_option(name)) is not None:
                    plain = to_plain(value) if isinstance(value, (Choice, Range)) else value
                    fitted[name] = arguments.fit(option, parse_dimension, plain)
            return fitted

        digests = {code.spec: code.digest for code in codes}
        return replace(self, fixed=fit(self.fixed), space=fit(self.space), start=tuple(fit(row) for row in self.start), code=digests)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], where: str = "study") -> StudyConfig:
        """Read a mapping as it stands in a study file; `where` names the file in errors."""
        refuse_other_tools(plain, where)
        known = {"model", "weights", "weights_digests", "width", "data", "train_images", "image_size", "normalize", "validation", "seed"}
        check_keys(plain, known | {"sampler", "pruner", "space", "start", "code", "limits", "objectives", *USUAL}, where)
        try:
            dimensions = flatten(plain.get("space") or {}, "space")
            if "model" in plain:
                if "model" in dimensions:
                    raise UsageError("model stands twice, at the top and in space: leave one")
                dimensions = {"model": plain["model"], **dimensions}
            searched: dict[str, Dimension] = {}
            fixed: dict[str, Any] = {}
            for name, value in dimensions.items():
                parsed = parse_dimension(find_hyperparameter(name), value)
                if isinstance(parsed, (Choice, Range)):
                    searched[name] = parsed
                else:
                    fixed[name] = parsed
            start = plain.get("start") or []
            if not isinstance(start, list):
                raise UsageError(f"start takes a list of configurations, not {start!r}")
            rows = tuple(_start_row(row, f"start row {index}") for index, row in enumerate(start, start=1))
            if not rows and not set(dimensions) - {"model"} and "model" not in searched:
                raise UsageError("nothing to try: name hyper-parameters under space, or configurations under start")
            code = plain.get("code", {})
            if not isinstance(code, dict) or not all(is_digest(digest) for digest in code.values()):
                raise UsageError(f"code takes the SHA-256 of each file of code, not {code!r}: leave it out, tuner writes it")
            plain = fill_in(plain, dimensions.get("model", DEFAULTS["model"]))
            data = {"source": plain["data"]} if "data" in plain else {}
            data |= {k: plain[k] for k in ("train_images", "image_size", "validation", "seed") if k in plain}
            return cls(
                weights=plain.get("weights"),
                digests=read_digests(plain.get("weights_digests", {})),
                width=plain.get("width", 1.0),
                data=DataConfig(**data, **read_normalize(plain.get("normalize", {}))),
                sampler=parse_method("sampler", plain.get("sampler", "tpe"), SAMPLERS),
                pruner=parse_method("pruner", plain.get("pruner", "promote"), PRUNERS),
                names_pruner="pruner" in plain,
                fixed=fixed,
                space=searched,
                start=rows,
                code={str(spec): digest for spec, digest in code.items()},
                **{name: plain.get(name, usual) for name, usual in USUAL.items()},
                limits=parse_limits(plain["limits"]) if "limits" in plain else Limits(),
                cost=parse_objectives(plain["objectives"]) if "objectives" in plain else None,
            )
        except UsageError as error:
            raise UsageError(f"{where}: {error.message}") from None

    @classmethod
    def from_file(cls, path: Path) -> StudyConfig:
        """Read a study file of the user's, and the code that it names. Errors: UsageError."""
        plain = read(path)
        refuse_configuration(plain, path)
        config = cls.from_dict(plain, str(path))
        try:
            return config.with_code(name_code(config.list_code(), path.parent))
        except UsageError as error:
            raise UsageError(f"{path}: {error.message}") from None


def _start_row(row: Any, where: str) -> dict[str, Any]:
    return {name: find_hyperparameter(name).check(value, where) for name, value in flatten(row, where).items()}
