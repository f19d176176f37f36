"""Everything that decides a training run, and the configuration file that holds it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import UsageError, nearest
from ..models import find_model
from ..models.spec import MOST_CHANNELS
from .checks import check_keys, check_positive, check_whole, find_path, is_number
from .data_config import DataConfig, read_normalize
from .hyperparameters import DEFAULTS, find_hyperparameter, name_width
from .yaml_file import dump, read

FORMAT = 1  # of configuration files
PRECISIONS = ("fp32", "bf16")
VALUES = ("last", "best")  # of which epoch a trial's value and its weights are; the best has the highest validation accuracy
MOST_THREADS = 4096  # more and OpenMP ends the process
RECORDED = ("fingerprint", "classes")  # keys beside the data's configuration: facts about it
# What stood in every configuration file of version 0.1.0. Names that come later are not added here.
FIRST_NAMES = {
    *("format", "model", "width", "widths", "lr", "batch_size", "epochs", "momentum", "weight_decay", "nesterov", "optimizer"),
    *("schedule", "label_smoothing", "augment", "seed", "threads", "precision"),
    *("source", "train_images", "image_size", "validation", "normalize"),  # of the data
}


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """Everything that decides a training run.

    `widths` maps patterns to factors. In `micro_batches` pieces a batch is trained, one after the other, with their gradients
    summed: that takes less memory, and BatchNorm sees one piece at a time.
    """

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
    micro_batches: int = 1
    value: str = "last"

    def __post_init__(self) -> None:
        for name in DEFAULTS:
            object.__setattr__(self, name, find_hyperparameter(name).check(getattr(self, name)))
        for pattern, factor in self.widths.items():
            if not isinstance(pattern, str):
                raise UsageError(f"widths takes a map of patterns such as '*.n1x1', not {pattern!r}")
            find_hyperparameter(name_width(pattern)).check(factor)
            if not find_model(self.model).matches(pattern):
                raise UsageError(describe_no_match(pattern, (self.model,)))
        check_positive("width", self.width)
        most = self.width * math.prod(max(1.0, factor) for factor in self.widths.values())
        if most > MOST_CHANNELS / max(find_model(self.model).widths.values()):
            _ = self.channels  # counted only where it may be too many: tables read thousands of configurations
        check_whole("seed", self.seed, 0)
        if self.seed >= 2**64:  # what torch takes
            raise UsageError(f"seed must be below 2**64, not {self.seed}")
        check_whole("threads", self.threads, 1, MOST_THREADS)
        check_whole("micro_batches", self.micro_batches, 1)
        check_value(self.value)
        if self.precision not in PRECISIONS:
            raise UsageError(f"unknown precision {self.precision!r}: {nearest(self.precision, PRECISIONS)}")

    @property
    def channels(self) -> dict[str, int]:
        """Channel count by width name."""
        return find_model(self.model).channels(self.width, self.widths)

    def same_but_for(self, other: TrialConfig, *names: str) -> bool:
        """Whether both are the same configuration, whatever these hyper-parameters are."""
        return replace(self, **{name: getattr(other, name) for name in names}) == other

    def identity(self) -> dict[str, Any]:
        """Plain values to make a hash of: what was there in version 0.1.0, and of what came later only what differs from its default.

        So a hyper-parameter that is added changes no hash that was made before it.
        """
        plain, default = self.to_dict(), TrialConfig().to_dict()
        parts = {"": (plain, default), "data": (plain.pop("data"), default.pop("data"))}
        kept = {part: {n: v for n, v in own.items() if n in FIRST_NAMES or v != usual.get(n)} for part, (own, usual) in parts.items()}
        return {**kept[""], "data": kept["data"]}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in a configuration file."""
        plain = asdict(self)
        data = plain.pop("data")
        normalize = {name: data.pop(name) for name in ("mean", "std")}
        data["normalize"] = {name: v[0] if len(v) == 1 else list(v) for name, v in normalize.items()}
        plain["widths"] = dict(self.widths)
        if self.value == "last":
            del plain["value"]
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
        check_keys(plain, set(cls.__dataclass_fields__), where)
        data = plain.pop("data", {})
        if not isinstance(data, dict):
            raise UsageError(f"{where}: data takes a map, not {data!r}")
        data = dict(data)
        for name in RECORDED:
            data.pop(name, None)
        normalize = data.pop("normalize", {})
        check_keys(data, set(DataConfig.__dataclass_fields__) - {"mean", "std"}, f"{where}: data")
        widths = plain.pop("widths", None) or {}
        if not isinstance(widths, dict):
            raise UsageError(f"{where}: widths takes a map of patterns, not {widths!r}")
        try:
            return cls(**plain, widths=widths, data=DataConfig(**data, **read_normalize(normalize)))
        except UsageError as error:
            raise UsageError(f"{where}: {error.message}") from None


def write_config(config: TrialConfig, *, fingerprint: str | None, origin: Mapping[str, Any], classes: tuple[str, ...] | None = None) -> str:
    """The text of the file that `tuner train` reads: the configuration, what the data was, and where it came from.

    `classes` are the data's, in the order of the network's outputs, where they are known.
    """
    plain = config.to_dict()
    plain["data"] = {**plain["data"], "fingerprint": fingerprint, **({} if classes is None else {"classes": list(classes)})}
    return "# Made by `tuner best --export`; `tuner train FILE` trains it again.\n" + dump({**plain, "origin": dict(origin)})


def read_config(path: Path) -> tuple[TrialConfig, dict[str, Any], str | None]:
    """A configuration file: the configuration, its origin, and the fingerprint of its data (None if not said)."""
    plain = read(path)
    config = TrialConfig.from_dict(plain, str(path))
    fingerprint = (plain.get("data") or {}).get("fingerprint")
    if fingerprint is not None and not isinstance(fingerprint, str):
        raise UsageError(f"{path}: data: fingerprint takes a text, not {fingerprint!r}; put it into quotes")
    return config, _read_origin(plain.get("origin"), path), fingerprint


def _read_origin(plain: Any, path: Path) -> dict[str, Any]:
    """Where a configuration came from. What stands in it is repeated, and only a trial's accuracy is compared."""
    if plain is None:
        return {}
    if not isinstance(plain, dict):
        raise UsageError(f"{path}: origin takes a map such as `study: mynet`, not {plain!r}")
    accuracy = plain.get("validation_accuracy")
    if accuracy is not None and not is_number(accuracy):
        raise UsageError(f"{path}: origin: validation_accuracy takes a number, not {accuracy!r}")
    return dict(plain)


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """What a configuration file says of the data it was trained on: its source, fingerprint and classes, None where it does not."""

    path: Path
    source: str
    fingerprint: str | None
    classes: tuple[str, ...] | None

    def is_of(self, source: str) -> bool:
        """Whether `source` is the same place."""
        kind, _, path = source.partition(":")
        own_kind, _, own_path = self.source.partition(":")
        return kind == own_kind and find_path(path, f"data {source!r}").resolve() == find_path(own_path, str(self.path)).resolve()


def read_data_record(path: Path) -> DataRecord:
    """What the configuration file says of its data. Errors: UsageError for classes that are no list of names."""
    config, _, fingerprint = read_config(path)
    classes = (read(path).get("data") or {}).get("classes")
    if classes is not None and not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise UsageError(f"{path}: data: classes takes a list of names, not {classes!r}; put names such as 1 and no into quotes")
    return DataRecord(path=path, source=config.data.source, fingerprint=fingerprint, classes=None if classes is None else tuple(classes))


def check_value(value: Any) -> None:
    """Errors: UsageError for what says of no epoch."""
    if value not in VALUES:
        raise UsageError(f"value takes last or best, the epoch whose validation accuracy counts, not {value!r}")


def describe_no_match(pattern: str, models: tuple[str, ...]) -> str:
    """The message about a width pattern that none of these models has."""
    names = [name for model in models for name in find_model(model).widths]
    return f"width pattern {pattern!r} matches no width of {' or '.join(models)}: {nearest(pattern, dict.fromkeys(names))}"
