"""Where images come from: the registry of sources. Imports no torch until CIFAR-10 has to be read.

`Resident` (resident.py) is the other half: the images on a device.
"""

from __future__ import annotations

from collections.abc import Callable

from ..config import DataConfig
from .cache import Say
from .cifar10 import cifar10
from .dataset import Dataset
from .digits import digits
from .folder import folder
from .split import split

__all__ = ["SOURCES", "Dataset", "load", "register", "split"]

# Called with what stands after the colon, the image size, and a function that takes lines of progress.
Source = Callable[[str, int, Say], Dataset]

SOURCES: dict[str, Source] = {}


def register(source: Source) -> None:
    """Add a source under its function's name; a name that is taken is our own bug."""
    name = source.__name__
    assert name not in SOURCES, f"data {name!r} is registered twice"
    SOURCES[name] = source


register(cifar10)
register(digits)
register(folder)


def load(config: DataConfig, *, progress: Say | None = None) -> Dataset:
    """The images of `config.source` at `config.image_size`: decoded once, then mapped from the cache.

    `progress` gets plain lines while images are downloaded or decoded. Images that are missing or broken are a
    TunerError that names them and the ways out.
    """
    kind, _, path = config.source.partition(":")
    return SOURCES[kind](path, config.image_size, progress or (lambda line: None))
