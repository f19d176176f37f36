"""The networks whose hyper-parameters can be searched. Imports no torch."""

from __future__ import annotations

from ..errors import UsageError, nearest
from .googlenet import googlenet
from .mynet import mynet
from .spec import ModelSpec

MODELS: dict[str, ModelSpec] = {}
# A network is a file beside this one, and a line here.
for _spec in (
    mynet,
    googlenet,
):
    assert _spec.name not in MODELS, f"model {_spec.name!r} is registered twice"
    MODELS[_spec.name] = _spec


def find_model(name: str) -> ModelSpec:
    """The network of that name; an unknown one is a UsageError that names the nearest."""
    if name not in MODELS:
        raise UsageError(f"unknown model {name!r}: {nearest(name, MODELS)}")
    return MODELS[name]
