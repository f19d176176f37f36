"""Everything that decides a training run, and the configuration file that holds it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import UsageError, nearest
from ..models import find_model
from ..models.finetuned import is_torchvisions
from ..models.spec import MOST_CHANNELS
from .checks import check_keys, check_positive, check_whole, find_path, is_digest, is_number
from .data_config import DataConfig, read_normalize
from .file_kinds import refuse_study_file
from .hyperparameters import DEFAULTS, FINETUNING, QUIET, RISES_ITSELF, find_hyperparameter, name_option, name_width
from .objective import OBJECTIVES, USUAL, check_optimised
from .yaml_file import dump, read

FORMAT = 1  # of configuration files
PRECISIONS = ("fp32", "bf16")
MOST_THREADS = 4096  # more and OpenMP ends the process
RECORDED = ("fingerprint", "classes", "code")  # keys beside the data's configuration: facts about it
# What stood in every configuration file of version 0.1.0. Names that come later are not added here.
FIRST_NAMES = {
    *("format", "model", "width", "widths", "lr", "batch_size", "epochs", "momentum", "weight_decay", "nesterov", "optimizer"),
    *("schedule", "label_smoothing", "augment", "seed", "threads", "precision"),
    *("source", "train_images", "image_size", "validation", "normalize"),  # of the data
}
# What is written only where it is not the default: what was written before it stays as it was.
WRITTEN_IF_SET = ("weights", "weights_digest", "code", *USUAL, *QUIET)


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """Everything that decides a training run.

    `weights` are those that a network of torchvision's begins with: default, none or a file; `weights_digest` is the file's, where
    it is known. `widths` maps patterns to factors. In `micro_batches` pieces a batch is trained, one after the other, with their
    gradients summed: that takes less memory, and BatchNorm sees one piece at a time. `network` are the arguments of the user's own
    network, and `code` the SHA-256 of the file that makes it; None for a network of tuner's. `objective`,
    `class_weights` and `value` as in a study file.
    """

    model: str = "mynet"
    weights: str = "none"
    weights_digest: str | None = None
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
    warmup_epochs: float = DEFAULTS["warmup_epochs"]
    freeze: str | int = DEFAULTS["freeze"]
    head_lr: float = DEFAULTS["head_lr"]
    layer_decay: float = DEFAULTS["layer_decay"]
    data: DataConfig = field(default_factory=DataConfig)
    seed: int = 0
    threads: int = 1
    precision: str = "fp32"
    micro_batches: int = 1
    network: Mapping[str, Any] = field(default_factory=dict)
    code: str | None = None
    objective: str = USUAL["objective"]
    class_weights: str = USUAL["class_weights"]
    value: str = USUAL["value"]

    def __post_init__(self) -> None:
        for name in DEFAULTS:
            object.__setattr__(self, name, find_hyperparameter(name).check(getattr(self, name)))
        self._check_finetuning()
        for pattern, factor in self.widths.items():
            if not isinstance(pattern, str):
                raise UsageError(f"widths takes a map of patterns such as '*.n1x1', not {pattern!r}")
            find_hyperparameter(name_width(pattern)).check(factor)
            if not find_model(self.model).matches(pattern):
                raise UsageError(describe_no_match(pattern, (self.model,)))
        if self.network and not find_model(self.model).takes_options:
            raise UsageError(describe_no_option(self.model))
        options = {name: find_hyperparameter(name_option(name)).check(value) for name, value in self.network.items()}
        object.__setattr__(self, "network", options)
        if self.code is not None and not is_digest(self.code):
            raise UsageError(f"code takes the SHA-256 of a file, not {self.code!r}")
        check_positive("width", self.width)
        most = self.width * math.prod(max(1.0, factor) for factor in self.widths.values())
        if most > MOST_CHANNELS / max(find_model(self.model).widths.values(), default=1):
            _ = self.channels  # counted only where it may be too many: tables read thousands of configurations
        check_whole("seed", self.seed, 0)
        if self.seed >= 2**64:  # what torch takes
            raise UsageError(f"seed must be below 2**64, not {self.seed}")
        check_whole("threads", self.threads, 1, MOST_THREADS)
        check_whole("micro_batches", self.micro_batches, 1)
        check_optimised(self)
        if self.precision not in PRECISIONS:
            raise UsageError(f"unknown precision {self.precision!r}: {nearest(self.precision, PRECISIONS)}")

    def _check_finetuning(self) -> None:
        if self.schedule == "onecycle" and self.warmup_epochs:
            raise UsageError(RISES_ITSELF)
        for name, value in (("weights", self.weights), ("weights_digest", self.weights_digest)):
            if not (isinstance(value, str) and value) and not (value is None and name == "weights_digest"):
                raise UsageError(f"{name} takes a text, not {value!r}; put it into quotes")
        if not is_torchvisions(self.model):
            given = next(
                (name for name in ("weights", *FINETUNING) if getattr(self, name) != self.__dataclass_fields__[name].default), None
            )
            if given is not None:
                raise UsageError(f"{given} is for models such as torchvision:resnet18, not for {self.model}: leave it out")

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
        if "weights_digest" in plain:
            del plain["weights"]  # where the file lies
        kept = {
            part: {n: v for n, v in own.items() if n in FIRST_NAMES or n not in usual or v != usual[n]}
            for part, (own, usual) in parts.items()
        }
        return {**kept[""], "data": kept["data"]}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in a configuration file."""
        plain = asdict(self)
        for name in WRITTEN_IF_SET:
            if plain[name] == self.__dataclass_fields__[name].default:
                del plain[name]
        if not self.network:
            del plain["network"]
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
        network = plain.pop("network", None) or {}
        if not isinstance(network, dict):
            raise UsageError(f"{where}: network takes a map of arguments, not {network!r}")
        network = {str(name): value for name, value in network.items()}
        try:
            return cls(**plain, widths=widths, network=network, data=DataConfig(**data, **read_normalize(normalize)))
        except UsageError as error:
            raise UsageError(f"{where}: {error.message}") from None


def write_config(
    config: TrialConfig,
    *,
    fingerprint: str | None,
    origin: Mapping[str, Any],
    classes: tuple[str, ...] | None = None,
    absent: Collection[str] = (),
    data_code: str | None = None,
) -> str:
    """The text of the file that `tuner train` reads: the configuration, what the data was, and where it came from.

    `classes` are the data's, in the order of the network's outputs, where they are known. `absent` are hyper-parameters that the
    trial did not have: they are left out, and have their defaults when it is read. `data_code` is the SHA-256 of the file that gives
    the images, where that is the user's own.
    """
    plain = describe_config(config, fingerprint=fingerprint, origin=origin, classes=classes, data_code=data_code)
    plain = {name: value for name, value in plain.items() if name not in absent}
    return "# Made by `tuner best --export`; `tuner train FILE` trains it again.\n" + dump(plain)


def describe_config(
    config: TrialConfig,
    *,
    fingerprint: str | None,
    origin: Mapping[str, Any],
    classes: tuple[str, ...] | None = None,
    data_code: str | None = None,
) -> dict[str, Any]:
    """The plain values of that file."""
    plain = config.to_dict()
    facts = {"fingerprint": fingerprint, **({} if classes is None else {"classes": list(classes)})}
    plain["data"] = {**plain["data"], **facts, **({} if data_code is None else {"code": data_code})}
    return {**plain, "origin": dict(origin)}


def read_config(path: Path) -> tuple[TrialConfig, dict[str, Any], str | None]:
    """A configuration file: the configuration, its origin, and the fingerprint of its data (None if not said)."""
    plain = read(path)
    refuse_study_file(plain, path)
    return parse_config(plain, path)


def parse_config(plain: Mapping[str, Any], path: Path) -> tuple[TrialConfig, dict[str, Any], str | None]:
    """As `read_config`, from the plain values of the file `path`."""
    config = TrialConfig.from_dict(plain, str(path))
    fingerprint = (plain.get("data") or {}).get("fingerprint")
    if fingerprint is not None and not isinstance(fingerprint, str):
        raise UsageError(f"{path}: data: fingerprint takes a text, not {fingerprint!r}; put it into quotes")
    return config, _read_origin(plain.get("origin"), path), fingerprint


def _read_origin(plain: Any, path: Path) -> dict[str, Any]:
    """Where a configuration came from. What stands in it is repeated, and only a trial's value is compared."""
    if plain is None:
        return {}
    if not isinstance(plain, dict):
        raise UsageError(f"{path}: origin takes a map such as `study: mynet`, not {plain!r}")
    for name in (objective.origin for objective in OBJECTIVES.values()):
        if plain.get(name) is not None and not is_number(plain[name]):
            raise UsageError(f"{path}: origin: {name} takes a number, not {plain[name]!r}")
    return dict(plain)


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """What a configuration file says of the data it was trained on: its source, fingerprint, classes and code, None where it does not."""

    path: Path
    source: str
    fingerprint: str | None
    classes: tuple[str, ...] | None
    code: str | None = None

    def is_of(self, source: str) -> bool:
        """Whether `source` is the same place."""
        kind, _, path = source.partition(":")
        own_kind, _, own_path = self.source.partition(":")
        return kind == own_kind and find_path(path, f"data {source!r}").resolve() == find_path(own_path, str(self.path)).resolve()


def read_data_record(path: Path) -> DataRecord:
    """What the configuration file says of its data. Errors: UsageError for classes that are no list of names."""
    return parse_data_record(read(path), path)


def parse_data_record(plain: Mapping[str, Any], path: Path) -> DataRecord:
    """As `read_data_record`, from the plain values of the file `path`."""
    config, _, fingerprint = parse_config(plain, path)
    facts = plain.get("data") or {}
    classes, code = facts.get("classes"), facts.get("code")
    if code is not None and not is_digest(code):
        raise UsageError(f"{path}: data: code takes the SHA-256 of a file, not {code!r}")
    if classes is not None and not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise UsageError(f"{path}: data: classes takes a list of names, not {classes!r}; put names such as 1 and no into quotes")
    known = None if classes is None else tuple(classes)
    return DataRecord(path=path, source=config.data.source, fingerprint=fingerprint, classes=known, code=code)


def describe_no_match(pattern: str, models: tuple[str, ...]) -> str:
    """The message about a width pattern that none of these models has."""
    names = [name for model in models for name in find_model(model).widths]
    if not names:
        return f"width pattern {pattern!r}: {' and '.join(models)} has no widths to scale: name what its function takes, under network"
    return f"width pattern {pattern!r} matches no width of {' or '.join(models)}: {nearest(pattern, dict.fromkeys(names))}"


def describe_no_option(model: str) -> str:
    """The message about arguments of a network that takes none."""
    return f"network holds the arguments of a network of your own, and {model} is none: write model: FILE.py:FUNCTION, or leave network out"
