"""Images: read from their source, decoded once, kept on the device. `load` imports torch only to read CIFAR-10.

cifar10.py digits.py folder.py   one source each; config/data_sources.py lists them
held_out.py                      the test part of a folder without one
own.py                           what the user's own code gives
decode.py cache.py               image files to pixels, once
classes.py                       the classes of weights against those of images
dataset.py split.py              a labelled set; which of its images are held out
resident.py parts.py             images on a device, as batches
features.py                      what a network made of them, in their place
imagenet.py                      ImageNet's validation set, for comparisons
"""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name

from ..config.data_config import DataConfig
from ..config.data_sources import SOURCES
from ..models.own_code import is_own_data
from .cache import Say
from .dataset import Dataset
from .own import own
from .split import split

__all__ = ["Dataset", "load", "split"]

# Called with what stands after the colon, the image size, and a function that takes lines of progress.
Loader = Callable[[str, int, Say], Dataset]


def load(config: DataConfig, *, progress: Say | None = None) -> Dataset:
    """The images of `config.source` at `config.image_size`: decoded once, then mapped from the cache.

    `progress` gets plain lines while images are downloaded or decoded. Images that are missing or broken are a
    TunerError that names them and the ways out.
    """
    tell = progress or (lambda line: None)
    if is_own_data(config.source):
        return own(config.source, config.image_size, tell)
    kind, _, path = config.source.partition(":")
    loader: Loader = resolve_name(f"{__name__}.{SOURCES[kind].loader}")
    return loader(path, config.image_size, tell)
