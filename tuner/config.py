"""What a study file and a configuration file say, checked when read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .checks import is_number, known_keys, positive, whole
from .dimension import Choice, Dimension, Range, check_start, parse_dimension, plain_dimension
from .errors import UsageError, nearest
from .hyperparameters import (
    DEFAULTS,
    HORIZON_SCHEDULES,
    WIDTHS,
    flat,
    hyperparameter,
    nested,
)
from .models import architecture
from .yamlfile import dump, read

FORMAT = 1  # of configuration files
SAMPLERS = ("tpe", "gp", "cmaes", "qmc", "random", "grid")
PRUNERS = ("median", "percentile", "sha", "hyperband", "none")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which images a network sees, and how they are parted.

    `mean` and `std` are on the scale 0 to 1, one for all channels or one a channel. `seed` decides which
    training images are held out for validation, and which belong to a balanced part of `train_images`.
    """

    source: str = "cifar10"
    train_images: int | None = None
    image_size: int = 32
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)
    validation: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.source or not isinstance(self.source, str):
            raise UsageError(f"data takes cifar10, digits or folder:PATH, not {self.source!r}")
        kind, _, path = self.source.partition(":")
        if kind not in ("cifar10", "digits", "folder"):
            raise UsageError(f"unknown data {self.source!r}: {nearest(kind, ['cifar10', 'digits', 'folder:PATH'])}")
        if (kind == "folder") != bool(path):
            raise UsageError(f"data {self.source!r}: a folder is named as folder:PATH, the others without a path")
        whole("train_images", self.train_images, 2, allow_none=True)
        whole("image_size", self.image_size, 8)
        whole("seed", self.seed, 0)
        if not is_number(self.validation) or not 0 < self.validation < 1:
            raise UsageError(f"validation must be above 0 and below 1, not {self.validation!r}")
        for name, values, low in (("mean", self.mean, None), ("std", self.std, 0)):
            if len(values) not in (1, 3) or not all(is_number(v) and (low is None or v > low) for v in values):
                wanted = "numbers" if low is None else "positive numbers"
                raise UsageError(f"normalize: {name} takes one or three {wanted}, not {list(values)!r}")


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """Everything that decides a training run. `widths` maps patterns to factors."""

    model: str = "mynet"
    width: float = 1.0
    widths: Mapping[str, float] = field(default_factory=dict)
    lr: float = DEFAULTS["lr"]
    batch_size: int = DEFAULTS["batch_size"]
    epochs: int = DEFAULTS["epochs"]
    momentum: float = DEFAULTS["momentum"]
    weight_decay: float = DEFAULTS["weight_decay"]
    nesterov: bool = DEFAULTS["nesterov"]
    optimizer: str = DEFAULTS["optimizer"]
    schedule: str = DEFAULTS["schedule"]
    label_smoothing: float = DEFAULTS["label_smoothing"]
    augment: str = DEFAULTS["augment"]
    data: DataConfig = field(default_factory=DataConfig)
    seed: int = 0
    threads: int = 1
    precision: str = "fp32"

    def __post_init__(self) -> None:
        for name in DEFAULTS:
            object.__setattr__(self, name, hyperparameter(name).check(getattr(self, name)))
        for pattern, factor in self.widths.items():
            hyperparameter(f"{WIDTHS}{pattern}").check(factor)
            if not architecture(self.model).matches(pattern):
                raise UsageError(_no_match(pattern, (self.model,)))
        positive("width", self.width)
        whole("seed", self.seed, 0)
        whole("threads", self.threads, 1)
        if self.precision not in ("fp32", "bf16"):
            raise UsageError(f"unknown precision {self.precision!r}: {nearest(self.precision, ('fp32', 'bf16'))}")

    @property
    def channels(self) -> dict[str, int]:
        """Channel count by width name."""
        return architecture(self.model).channels(self.width, self.widths)

    def with_threads(self, threads: int) -> TrialConfig:
        return replace(self, threads=threads)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in a configuration file."""
        plain = asdict(self)
        data = plain.pop("data")
        normalize = {name: data.pop(name) for name in ("mean", "std")}
        data["normalize"] = {name: v[0] if len(v) == 1 else list(v) for name, v in normalize.items()}
        plain["widths"] = dict(self.widths)
        return {"format": FORMAT, **plain, "data": data}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], where: str = "configuration") -> TrialConfig:
        """The reverse of `to_dict`; keys of the origin (`origin`) are left to their readers."""
        plain = dict(plain)
        version = plain.pop("format", None)
        if isinstance(version, int) and version > FORMAT:
            raise UsageError(f"{where}: format {version} is newer than this tuner reads ({FORMAT}): upgrade optuna-tuner")
        if version != FORMAT:
            raise UsageError(f"{where}: format {version!r} is unknown: `tuner best --export` writes format {FORMAT}")
        plain.pop("origin", None)
        known_keys(plain, set(cls.__dataclass_fields__), where)
        data = plain.pop("data", {})
        if not isinstance(data, dict):
            raise UsageError(f"{where}: data takes a map, not {data!r}")
        data = dict(data)
        data.pop("fingerprint", None)
        normalize = data.pop("normalize", {})
        known_keys(data, set(DataConfig.__dataclass_fields__) - {"mean", "std"}, f"{where}: data")
        widths = plain.pop("widths", None) or {}
        if not isinstance(widths, dict):
            raise UsageError(f"{where}: widths takes a map of patterns, not {widths!r}")
        try:
            return cls(**plain, widths=widths, data=DataConfig(**data, **_normalize(normalize)))
        except UsageError as error:
            raise UsageError(f"{where}: {error.message}") from None


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """A study file: what is fixed, what is searched, and how.

    `fixed` and `space` are keyed by hyper-parameter (`lr`, `widths.*.n1x1`); `start` holds the configurations
    that run first, keyed likewise.
    """

    width: float = 1.0
    data: DataConfig = field(default_factory=DataConfig)
    sampler: tuple[str, Mapping[str, Any]] = ("tpe", {})
    pruner: tuple[str, Mapping[str, Any]] = ("median", {})
    fixed: Mapping[str, Any] = field(default_factory=dict)
    space: Mapping[str, Dimension] = field(default_factory=dict)
    start: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        positive("width", self.width)
        for index, row in enumerate(self.start, start=1):
            for name, value in row.items():
                check_start(name, value, self.space.get(name), f"start row {index}")
        for name in {*self.fixed, *self.space, *(name for row in self.start for name in row)}:
            pattern = name.removeprefix(WIDTHS)
            if pattern != name and not any(architecture(model).matches(pattern) for model in self.models):
                raise UsageError(_no_match(pattern, self.models))
        epochs, schedules = self.possible("epochs"), self.possible("schedule")
        horizon = schedules & set(HORIZON_SCHEDULES)
        if horizon and len(epochs) > 1 and self.pruner[0] != "none":
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

    @property
    def models(self) -> tuple[str, ...]:
        """Every network that a trial may train."""
        return tuple(sorted(self.possible("model")))

    @property
    def seed(self) -> int:
        return self.data.seed

    @property
    def row_limit(self) -> int | None:
        """How many trials there can be where nothing is searched: the start rows, or one. None where there is."""
        return None if self.space else max(1, len(self.start))

    def overridden(self, *, source: str | None = None, seed: int | None = None) -> StudyConfig:
        """With the data and the seed of the command line, where given."""
        data = self.data
        if source is not None:
            data = replace(data, source=source)
        if seed is not None:
            data = replace(data, seed=seed)
        return replace(self, data=data)

    def to_dict(self) -> dict[str, Any]:
        """A mapping that `from_dict` reads back; it stands in the study's user attributes."""
        space = {name: plain_dimension(dimension) for name, dimension in self.space.items()}
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
            "space": nested({**{k: v for k, v in self.fixed.items() if k != "model"}, **space}),
            "start": [nested(dict(row)) for row in self.start],
        }
        return {name: value for name, value in plain.items() if value is not None}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], where: str = "study") -> StudyConfig:
        """Read a mapping as it stands in a study file; `where` names the file in errors."""
        known = {"model", "width", "data", "train_images", "image_size", "normalize", "validation", "seed"}
        known_keys(plain, known | {"sampler", "pruner", "space", "start"}, where)
        try:
            dimensions = flat(plain.get("space") or {}, "space")
            if "model" in plain:
                if "model" in dimensions:
                    raise UsageError("model stands twice, at the top and in space: leave one")
                dimensions = {"model": plain["model"], **dimensions}
            searched: dict[str, Dimension] = {}
            fixed: dict[str, Any] = {}
            for name, value in dimensions.items():
                parsed = parse_dimension(hyperparameter(name), value)
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
                data=DataConfig(**data, **_normalize(plain.get("normalize", {}))),
                sampler=_method("sampler", plain.get("sampler", "tpe"), SAMPLERS),
                pruner=_method("pruner", plain.get("pruner", "median"), PRUNERS),
                fixed=fixed,
                space=searched,
                start=rows,
            )
        except UsageError as error:
            raise UsageError(f"{where}: {error.message}") from None

    @classmethod
    def from_file(cls, path: Path) -> StudyConfig:
        return cls.from_dict(read(path), str(path))


def config_text(config: TrialConfig, *, fingerprint: str, origin: Mapping[str, Any]) -> str:
    """The file that `tuner train` reads: the configuration, what the data was, and where it came from."""
    plain = config.to_dict()
    plain["data"] = {**plain["data"], "fingerprint": fingerprint}
    return "# Made by `tuner best --export`; `tuner train FILE` trains it again.\n" + dump({**plain, "origin": dict(origin)})


def read_config(path: Path) -> tuple[TrialConfig, dict[str, Any], str | None]:
    """A configuration file: the configuration, its origin, and the fingerprint of its data (None if not said)."""
    plain = read(path)
    config = TrialConfig.from_dict(plain, str(path))
    data = plain.get("data") or {}
    return config, dict(plain.get("origin") or {}), data.get("fingerprint")


def _start_row(row: Any, where: str) -> dict[str, Any]:
    return {name: hyperparameter(name).check(value, where) for name, value in flat(row, where).items()}


def _normalize(plain: Any) -> dict[str, Any]:
    if not isinstance(plain, dict):
        raise UsageError(f"normalize takes a map with mean and std, not {plain!r}")
    known_keys(plain, {"mean", "std"}, "normalize")
    return {name: tuple(value) if isinstance(value, (list, tuple)) else (value,) for name, value in plain.items()}


def _method(kind: str, plain: Any, known: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """A sampler or pruner: a name, or a map with `name` and the arguments of Optuna's own class."""
    options = {str(k): v for k, v in plain.items()} if isinstance(plain, dict) else {"name": plain}
    name = options.pop("name", None)
    if plain is None and kind == "pruner":
        name = "none"
    if name not in known:
        raise UsageError(f"unknown {kind} {name!r}: {nearest(name, known)}")
    return name, options


def _no_match(pattern: str, models: tuple[str, ...]) -> str:
    names = [name for model in models for name in architecture(model).widths()]
    return f"width pattern {pattern!r} matches no width of {' or '.join(models)}: {nearest(pattern, dict.fromkeys(names))}"
