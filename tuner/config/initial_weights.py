"""What a study says of the weights that torchvision's networks begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..models.finetuned import is_torchvisions

FILLED_IN = ("image_size", "normalize")


def check_weights(weights: Any, models: Sequence[str]) -> str | None:
    """The weights; `default` where a network of torchvision's has none named. Errors: UsageError where no network takes them."""
    theirs = [model for model in models if is_torchvisions(model)]
    if weights is None:
        return "default" if theirs else None
    if not isinstance(weights, str) or not weights:
        raise UsageError(f"weights takes default, none or a file, not {weights!r}")
    if not theirs:
        raise UsageError(f"weights {weights!r} are for models such as torchvision:resnet18, not for {' or '.join(models)}: leave it out")
    if len(theirs) > 1 and weights not in ("default", "none"):
        raise UsageError(f"weights {weights!r} fit one network only, and {' and '.join(theirs)} are searched: give default or none")
    return weights


def fill_in(plain: Mapping[str, Any], models: Any) -> Mapping[str, Any]:
    """A study's mapping with the image size and the normalisation that its networks' weights declare, where it names none.

    `models` is a name or several. Imports torchvision where something is lacking. Errors: UsageError for a network that torchvision
    has not, and where networks want different images.
    """
    named = [model for model in (models if isinstance(models, list) else [models]) if isinstance(model, str)]
    theirs = [model for model in named if is_torchvisions(model)]
    lacking = [name for name in FILLED_IN if name not in plain]
    if not theirs or not lacking:
        return plain
    from ..models.initial import declare

    weights = plain.get("weights")
    declared = {model: declare(model, weights if isinstance(weights, str) else "default") for model in theirs}
    values = [{"image_size": each.image_size, "normalize": {"mean": list(each.mean), "std": list(each.std)}} for each in declared.values()]
    for name in lacking:
        if len(theirs) < len(named) or any(each[name] != values[0][name] for each in values):
            raise UsageError(f"{' and '.join(named)} are made for different images: name {name} in the study")
    return {**plain, **{name: values[0][name] for name in lacking}}


def read_digests(plain: Any) -> dict[str, str]:
    """The digests of weights by network, as a study has them stored."""
    if not isinstance(plain, Mapping) or not all(isinstance(value, str) for value in plain.values()):
        raise UsageError(f"weights_digests takes a map from networks to digests, not {plain!r}")
    return {str(model): digest for model, digest in plain.items()}
