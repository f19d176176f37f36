"""The weights that a network of torchvision's begins with: its pretrained ones, or those of a file, without the head."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn
from torchvision.models import get_model_weights

from ..errors import TunerError, UsageError
from .bare import check_known, count_stages, find_head
from .finetuned import TORCHVISION
from .pretrained import HEADS, Pretrained, file_name, find
from .weights import read_weights

DEFAULT, NONE = "default", "none"  # weights that are no file
COUNTER = ".num_batches_tracked"  # of BatchNorm, which old files lack


class Declared(NamedTuple):
    """How a set of weights wants its images: square, so many pixels high, normalised on the scale 0 to 1."""

    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


def declare(model: str, weights: str) -> Declared:
    """What the weights declare; for a file of another's, and where there are none, what the network's best ones do.

    Errors: UsageError for a network that torchvision has not.
    """
    name = _name(model)
    kinds = get_model_weights(name)
    found = next((each for each in kinds if file_name(each) == Path(weights).name), kinds.DEFAULT)
    transforms: Any = found.transforms()
    return Declared(image_size=transforms.crop_size[0], mean=tuple(transforms.mean), std=tuple(transforms.std))


def digest_weights(model: str, weights: str) -> str:
    """16 hex digits of the SHA-256 of the file with the weights, which is downloaded where it is torchvision's and not there.

    Errors: UsageError for a file that is not there, TunerError where weights cannot be had.
    """
    return _find(model, weights).fingerprint()


def check_stages(model: str, count: int) -> None:
    """Errors: UsageError where the network has fewer stages to freeze."""
    if count > (there := count_stages(_name(model))):
        raise UsageError(f"freeze {count}: {model} has {there} stages, its head apart: freeze fewer, or backbone")


def load_initial(network: nn.Module, model: str, weights: str, digest: str | None) -> None:
    """Put the weights into all of the network but its head, which stays as it was drawn. The file is read once a process.

    Errors: UsageError for a file that does not fit, TunerError where it is not the one of that digest, or cannot be had.
    """
    if weights == NONE:
        return
    own, found = network.state_dict(), _read(model, weights, digest)
    head = find_head(_name(model))
    own = {name: value for name, value in own.items() if not name.startswith(f"{head}.")}
    lacking = [name for name in own if name not in found and not name.endswith(COUNTER)]
    odd = [name for name in found if name not in own] or lacking
    if odd:
        problem = "is lacking" if odd == lacking else "is none of its weights"
        raise UsageError(f"weights {weights!r} do not fit {model}: {odd[0]!r} {problem}")
    for name, value in found.items():
        if value.shape != own[name].shape:
            raise UsageError(f"weights {weights!r} do not fit {model}: {name!r} is {tuple(value.shape)}, not {tuple(own[name].shape)}")
    network.load_state_dict(found, strict=False)


@lru_cache(maxsize=2)
def _read(model: str, weights: str, digest: str | None) -> dict[str, Tensor]:
    """All weights of a file but the head's, and those of auxiliary heads."""
    found = _find(model, weights)
    if digest is not None and found.fingerprint() != digest:
        raise TunerError(
            f"weights {str(found.file)!r} of {model} are not those that were trained with (fingerprint {found.fingerprint()}, "
            f"wanted {digest}): give the same file as `weights: FILE`"
        )
    # torchvision's own builder knows the names that its older files have.
    named = found.build().state_dict() if file_name(found.weights) == found.file.name else read_weights(found.file)
    head = find_head(found.name)
    return {name: value for name, value in named.items() if not name.startswith((f"{head}.", *HEADS))}


def _find(model: str, weights: str) -> Pretrained:
    name = _name(model)
    if weights == DEFAULT:
        return find(name, option="`weights: FILE` in the study")
    if not Path(weights).is_file():
        raise UsageError(f"weights: {weights!r}: there is no such file: give another, default or none")
    return find(name, Path(weights))


def _name(model: str) -> str:
    name = model.removeprefix(TORCHVISION)
    check_known(name)
    return name
