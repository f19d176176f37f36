"""What is known of how weights were trained: carried in their own file, or said by a configuration file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .trial_config import DataRecord, TrialConfig, describe_config, parse_config, parse_data_record
from .yaml_file import LARGEST, MOST_VALUES, dump, parse, read

FORMAT = 1  # of what a file of weights carries
BESIDE = "config.yaml"  # where the configuration lies beside weights
WEIGHTS, RESULT = "weights.pt", "result.json"  # what else a training leaves there


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The configuration of weights, their data and classes, and their provenance: who made them, and with what. The configuration's
    origin is the study and trial that it came from."""

    config: TrialConfig
    data: DataRecord
    provenance: Mapping[str, Any]
    origin: Mapping[str, Any]


def pack_facts(
    config: TrialConfig,
    *,
    fingerprint: str | None,
    classes: tuple[str, ...] | None,
    origin: Mapping[str, Any],
    provenance: Mapping[str, Any],
    data_code: str | None = None,
) -> dict[str, Any]:
    """Plain values for a file of weights to carry: the configuration as it stands in `config.yaml`, the classes in the order of
    the outputs (None where they are not known), the provenance, and the SHA-256 of the user's own file that gave the images."""
    plain = describe_config(config, fingerprint=fingerprint, origin=origin, classes=classes, data_code=data_code)
    return {
        "format": FORMAT,
        "configuration": _make_plain(plain),
        "classes": None if classes is None else list(classes),
        "provenance": _make_plain(provenance),
    }


def unpack_facts(carried: object, path: Path) -> Facts:
    """The reverse of `pack_facts`, of whatever the file `path` holds. Errors: UsageError for what is none."""
    where = f"{path}: what it carries under 'tuner'"
    _check_plain(carried, where)
    if not isinstance(carried, dict) or not isinstance(carried.get("configuration"), dict):
        raise UsageError(f"{where} holds no configuration: save its state dict alone and give --config FILE")
    version = carried.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise UsageError(f"{where} has format {version}, newer than this tuner reads ({FORMAT}): upgrade optuna-tuner")
    if version != FORMAT:
        raise UsageError(f"{where} has the unknown format {version!r}: save its state dict alone and give --config FILE")
    try:
        text = dump(carried["configuration"])
    except RecursionError:
        raise UsageError(f"{where} stands within itself too deep: save its state dict alone and give --config FILE") from None
    plain = parse(text, where)  # bounded and checked exactly as a configuration file is
    config, origin, _ = parse_config(plain, path)
    provenance = carried.get("provenance")
    known = provenance if isinstance(provenance, dict) else {}
    return Facts(config=config, data=parse_data_record(plain, path), provenance=known, origin=origin)


def find_facts(carried: object, path: Path, config: Path | None, say: Callable[[str], None]) -> Facts | None:
    """What is known of the weights in the file `path`, which carries `carried`; None where nothing is.

    What it carries holds. For a file that carries nothing the configuration file `config` does, or the one beside it. `say` gets
    a line where the one beside it says something else.
    Errors: UsageError for `config` that says something else than the weights carry, and for files that say nothing.
    """
    beside = path.parent / BESIDE
    if carried is None:
        given = config or (beside if beside.exists() else None)
        return None if given is None else _read_facts(given)
    own = unpack_facts(carried, path)
    if config is not None:
        if other := _compare(own, _read_facts(config)):
            raise UsageError(f"{path} carries its own configuration, and --config {str(config)!r} says otherwise ({other}): leave it out")
    elif beside.exists():
        try:
            other = _compare(own, _read_facts(beside))
        except UsageError:
            return own  # a file of another kind that has this name
        if other:
            say(f"{path} carries its own configuration, which holds; {str(beside)!r} beside it says otherwise ({other})")
    return own


def _make_plain(value: Any) -> Any:
    """Numbers, texts, lists and maps, which `torch.load(weights_only=True)` reads; a date that YAML reads as one is a text."""
    if isinstance(value, Mapping):
        return {str(key): _make_plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_make_plain(each) for each in value]
    if value is None or type(value) in (bool, int, float):
        return value
    return float(value) if isinstance(value, float) else str(value)  # torch's version is a text of a kind of its own


def _read_facts(path: Path) -> Facts:
    plain = read(path)
    config, origin, _ = parse_config(plain, path)
    return Facts(config=config, data=parse_data_record(plain, path), provenance={}, origin=origin)


def _compare(own: Facts, other: Facts) -> str:
    """In which of what decides an evaluation the two differ; empty where in nothing."""
    pairs: dict[str, tuple[Any, Any]] = {
        "model": (own.config.model, other.config.model),
        "image_size": (own.config.data.image_size, other.config.data.image_size),
        "mean": (own.config.data.mean, other.config.data.mean),
        "std": (own.config.data.std, other.config.data.std),
        "data": (own.data.source, other.data.source),
    }
    said = [f"{name} {_show(theirs)}, not {_show(ours)}" for name, (ours, theirs) in pairs.items() if ours != theirs]
    if None not in (own.data.classes, other.data.classes) and own.data.classes != other.data.classes:
        said.append("other classes")
    return "; ".join(said)


def _show(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _check_plain(content: object, where: str) -> None:
    """Errors: UsageError for more than a configuration file may hold, or for anything but numbers, texts, lists and maps."""
    waiting, passed, count, size = [content], set[int](), 0, 0
    while waiting:
        value = waiting.pop()
        count += 1
        if isinstance(value, str):
            size += len(value)
        elif isinstance(value, (dict, list)) and type(value) in (dict, list):
            if id(value) in passed:
                continue
            passed.add(id(value))
            waiting += [*value.keys(), *value.values()] if isinstance(value, dict) else value
        elif not (value is None or isinstance(value, (bool, int, float))):
            raise UsageError(f"{where} holds a {type(value).__name__}, which is no plain value: save its state dict alone")
        if count + len(waiting) > MOST_VALUES or size > LARGEST or (isinstance(value, int) and value.bit_length() > 64):
            raise UsageError(f"{where} is more than a configuration: save its state dict alone and give --config FILE")
