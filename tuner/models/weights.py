"""Weights in a file, and the network that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import torch
from torch import Tensor, nn

from ..errors import TunerError, UsageError
from . import MODELS, find_model
from .finetuned import is_torchvisions
from .spec import ModelSpec

# Where other code puts the state dict in what it saves, the first that is there, and what it puts before its names: data
# parallel, compiled, averaged and Lightning networks, in any order and as often as they like.
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "net", "model", "weights", "params", "state_dict_ema")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
FACTS = "tuner"  # where a file of ours says how its weights were trained, beside its state dict
TORCHVISIONS = "inception3a.branch1.conv.weight"  # a name of its GoogLeNet, which is another network than ours of that name


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A plain network with weights in it, which tells so many `classes` apart. `carried` is what the file says of them, unread."""

    spec: ModelSpec
    network: nn.Module
    classes: int
    carried: object = None


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What a file of weights holds: the state dict, and what stands beside it under FACTS; None where nothing does."""

    path: Path
    weights: Mapping[str, Tensor]
    carried: object


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """The state dict in a file, out of whatever it was wrapped in, with the network's own names. Nothing in the file is run.

    Errors: UsageError for a file that holds none, TunerError where a weight is no plain tensor of numbers, is NaN or is infinite.
    """
    return open_weights(path).weights


def open_weights(path: Path) -> Opened:
    """A file of weights, read and checked. Errors: as `read_weights`."""
    if path.exists() and not path.is_file():
        raise UsageError(f"{str(path)!r} is a folder, a pipe or a device: give a file of weights")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UsageError(f"no file {str(path)!r}: give the weights.pt that `tuner train` wrote, or a .pth of report A") from None
    except MemoryError:
        raise TunerError(f"{str(path)!r} takes more memory to read than there is: give another file, or free some memory") from None
    except Exception:  # torch.load meets a dozen kinds in bytes that are no file of weights
        raise UsageError(f"{str(path)!r} holds no weights that torch.load(weights_only=True) reads: save network.state_dict()") from None
    carried = content.get(FACTS) if isinstance(content, Mapping) else None
    content = _unwrap(content)
    if not isinstance(content, Mapping) or not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise UsageError(f"{str(path)!r} holds no state dict: save network.state_dict()")
    weights = _strip({str(name): value for name, value in content.items()})
    for name, value in weights.items():
        if not _is_plain(value):
            raise TunerError(f"{str(path)!r}: {name!r} is no tensor of real numbers, each in a place of its own: save network.state_dict()")
        if value.is_floating_point() and not value.float().isfinite().all():
            raise TunerError(f"{str(path)!r} holds NaN or infinite weights, first in {name!r}: its training diverged, give another file")
    return Opened(path=path, weights=weights, carried=carried)


def _is_plain(value: Tensor) -> bool:
    """Whether it is on the CPU, dense, of real numbers, and as large in the file as it says: a view may repeat one number."""
    usual = value.layout is torch.strided and value.device.type == "cpu" and not (value.is_quantized or value.is_nested)
    real = usual and not value.is_complex() and value.dtype is not torch.bool
    return real and 0 < value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def _unwrap(content: object) -> object:
    """What is within all wrappers; a wrapper that holds itself is left as it is."""
    passed = set()
    while isinstance(content, Mapping) and id(content) not in passed:
        passed.add(id(content))
        inner = next((content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping)), None)
        if inner is None:
            break
        content = inner
    return content


def _strip(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without prefixes. What has none beside names that have one is not the network's: a loss, a count of averages."""
    while prefix := next((prefix for prefix in PREFIXES if any(name.startswith(prefix) for name in weights)), None):
        weights = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    return weights


def load_network(path: Path, model: str | None = None) -> Loaded:
    """The network that a file's weights belong to, with them in it. Its widths are read off their shapes.

    `model` is the one that was trained, where that is known: torchvision's are not told by their weights' names alone.

    Errors: UsageError for a file that holds no weights of a network of ours, TunerError for weights that do not fit or are not finite.
    """
    return fit_network(open_weights(path), model)


def fit_network(opened: Opened, model: str | None = None) -> Loaded:
    """As `load_network`, from a file that was read."""
    path, weights = opened.path, opened.weights
    known = [find_model(model)] if model is not None and is_torchvisions(model) else list(MODELS.values())
    spec = next((spec for spec in known if spec.owns(weights)), None)
    if spec is None:
        theirs = (
            f": they are torchvision's, give --weights googlenet={quote(str(path))} to `tuner compare`" if TORCHVISIONS in weights else ""
        )
        raise UsageError(f"{str(path)!r} holds weights of none of our networks ({', '.join(each.name for each in known)}){theirs}")
    try:
        channels, classes = spec.read_sizes(weights)
        with torch.device("meta"):  # a few numbers of the file may stand for a network of terabytes
            _check_fits(spec.build(channels, classes), weights)
        network = spec.build(channels, classes)
        network.load_state_dict(weights)
    except IndexError:
        raise TunerError(f"{str(path)!r} looks like {spec.name} but does not fit it: a weight has no dimensions") from None
    except (KeyError, ValueError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
        raise TunerError(f"{str(path)!r} looks like {spec.name} but does not fit it: {first}") from None
    return Loaded(spec=spec, network=network, classes=classes, carried=opened.carried)


def fit_into(opened: Opened, spec: ModelSpec, network: nn.Module, classes: int) -> Loaded:
    """A plain network with the weights of a file in it. Errors: TunerError for weights that do not fit."""
    try:
        _check_fits(network, opened.weights)
        network.load_state_dict(opened.weights)
    except (KeyError, ValueError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
        raise TunerError(f"{str(opened.path)!r} does not fit {spec.name} as its configuration makes it: {first}") from None
    return Loaded(spec=spec, network=network, classes=classes, carried=opened.carried)


def _check_fits(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Errors: ValueError where the names, a shape, or what is a whole number differs."""
    own = network.state_dict()
    own = {name: value for name, value in own.items() if name in weights or not name.endswith(".num_batches_tracked")}  # old files lack it
    if odd := sorted(own.keys() ^ weights.keys()):
        raise ValueError(f"{odd[0]!r} is {'lacking' if odd[0] in own else 'none of its weights'}")
    for name, value in own.items():
        given = weights[name]
        if given.shape != value.shape:
            raise ValueError(f"{name!r} has the shape {tuple(given.shape)}, not {tuple(value.shape)}")
        if given.is_floating_point() != value.is_floating_point():
            raise ValueError(f"{name!r} is {given.dtype}, not {value.dtype}")
