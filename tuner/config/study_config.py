"""A study file: what is fixed, what is searched, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import UsageError, nearest
from ..models import find_model
from .checks import check_keys, check_positive
from .data_config import DataConfig, read_normalize
from .dimension import Choice, Dimension, Range, check_start, parse_dimension, to_plain
from .hyperparameters import DEFAULTS, HORIZON_SCHEDULES, find_hyperparameter, find_width_pattern, flatten, nest
from .other_tools import refuse_other_tools
from .pruners import PRUNERS
from .samplers import SAMPLERS
from .trial_config import check_value, describe_no_match
from .yaml_file import read


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """A study file: what is fixed, what is searched, and how.

    `fixed` and `space` are keyed by hyper-parameter (`lr`, `widths.*.n1x1`); `start` holds the configurations
    that run first, keyed likewise. `value` says of which epoch a trial's value and weights are.
    """

    width: float = 1.0
    data: DataConfig = field(default_factory=DataConfig)
    sampler: tuple[str, Mapping[str, Any]] = ("tpe", {})
    pruner: tuple[str, Mapping[str, Any]] = ("promote", {})
    names_pruner: bool = field(default=True, compare=False)  # where it does not, a study that is there keeps its own
    fixed: Mapping[str, Any] = field(default_factory=dict)
    space: Mapping[str, Dimension] = field(default_factory=dict)
    start: tuple[Mapping[str, Any], ...] = ()
    value: str = "last"

    def __post_init__(self) -> None:
        check_positive("width", self.width)
        check_value(self.value)
        for index, row in enumerate(self.start, start=1):
            for name, value in row.items():
                check_start(name, value, self.space.get(name), f"start row {index}")
        for name in {*self.fixed, *self.space, *(name for row in self.start for name in row)}:
            pattern = find_width_pattern(name)
            if pattern is not None and not any(find_model(model).matches(pattern) for model in self.models):
                raise UsageError(describe_no_match(pattern, self.models))
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
        return started | (set(dimension.values) if isinstance(dimension, Choice) else {dimension.low, dimension.high})

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

    @property
    def seed(self) -> int:
        return self.data.seed

    @property
    def row_limit(self) -> int | None:
        """How many trials there can be where nothing is searched: one a start row, or one in all. None where something is searched."""
        return None if self.drawn else max(1, len(self.start))

    def override(self, *, source: str | None = None, seed: int | None = None) -> StudyConfig:
        """With the data and the seed of the command line, where given."""
        data = self.data
        if source is not None:
            data = replace(data, source=source)
        if seed is not None:
            data = replace(data, seed=seed)
        return replace(self, data=data)

    def to_dict(self) -> dict[str, Any]:
        """A mapping that `from_dict` reads back; it stands in the study's user attributes."""
        space = {name: to_plain(dimension) for name, dimension in self.space.items()}
        plain = {
            "model": self.fixed.get("model"),
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
            "value": None if self.value == "last" else self.value,
        }
        return {name: value for name, value in plain.items() if value is not None}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], where: str = "study") -> StudyConfig:
        """Read a mapping as it stands in a study file; `where` names the file in errors."""
        refuse_other_tools(plain, where)
        known = {"model", "width", "data", "train_images", "image_size", "normalize", "validation", "seed"}
        check_keys(plain, known | {"sampler", "pruner", "space", "start", "value"}, where)
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
            data = {"source": plain["data"]} if "data" in plain else {}
            data |= {k: plain[k] for k in ("train_images", "image_size", "validation", "seed") if k in plain}
            return cls(
                width=plain.get("width", 1.0),
                data=DataConfig(**data, **read_normalize(plain.get("normalize", {}))),
                sampler=_method("sampler", plain.get("sampler", "tpe"), SAMPLERS),
                pruner=_method("pruner", plain.get("pruner", "promote"), PRUNERS),
                names_pruner="pruner" in plain,
                fixed=fixed,
                space=searched,
                start=rows,
                value=plain.get("value", "last"),
            )
        except UsageError as error:
            raise UsageError(f"{where}: {error.message}") from None

    @classmethod
    def from_file(cls, path: Path) -> StudyConfig:
        return cls.from_dict(read(path), str(path))


def _start_row(row: Any, where: str) -> dict[str, Any]:
    return {name: find_hyperparameter(name).check(value, where) for name, value in flatten(row, where).items()}


def _method(kind: str, plain: Any, known: Iterable[str]) -> tuple[str, dict[str, Any]]:
    """A sampler or pruner: a name, or a map with `name` and the arguments of Optuna's own class."""
    options = {str(k): v for k, v in plain.items()} if isinstance(plain, dict) else {"name": plain}
    name = options.pop("name", None)
    if plain is None and kind == "pruner":
        name = "none"
    if not isinstance(name, str) or name not in known:
        raise UsageError(f"unknown {kind} {name!r}: {nearest(name, known)}")
    return name, options
