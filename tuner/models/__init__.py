"""The registry of networks whose hyper-parameters can be searched. Imports no torch."""

from __future__ import annotations

from ..errors import UsageError, nearest
from .architecture import Architecture
from .googlenet import googlenet
from .mynet import mynet

ARCHITECTURES: dict[str, Architecture] = {}


def register(name: str, architecture: Architecture) -> None:
    """Add a network; a name that is taken is our own bug."""
    assert name not in ARCHITECTURES, f"model {name!r} is registered twice"
    ARCHITECTURES[name] = architecture


register("mynet", mynet)
register("googlenet", googlenet)


def architecture(name: str) -> Architecture:
    """The network of that name; an unknown one is a UsageError that names the nearest."""
    if name not in ARCHITECTURES:
        raise UsageError(f"unknown model {name!r}: {nearest(name, ARCHITECTURES)}")
    return ARCHITECTURES[name]
