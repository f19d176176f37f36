"""Images that the user's own code gives: `data.py:load`, called with "train" and with "test"."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import UsageError
from ..models.own_code import Code, blaming, find_permitted, load_function, name_place
from . import decode
from .cache import Decoded, Part, Say, load_cached
from .dataset import Array, Dataset

PARTS = ("train", "test")


def own(spec: str, size: int, say: Say) -> Dataset:
    """The images of `spec`, resized and cached. The entry is of the file and its digest: where what it reads changes, change the file.

    Errors: UsageError, with file and line, for what the function raises, or where it gives no images.
    """
    code = find_permitted(spec)
    return load_cached(spec, [str(code.path), code.digest], size, lambda: _read(code, size), say)


def _read(code: Code, size: int) -> Decoded:
    function = load_function(code)
    parts = {}
    for name in PARTS:
        with blaming(code, f"{code.function}({name!r}) raised "):
            given = function(name)
        parts[name] = _check(given, f"{name_place(code, function)}: {code.function}({name!r})")
    classes = parts["train"][2]
    if parts["test"][2] != classes:
        raise UsageError(f"{name_place(code, function)}: {code.function} names other classes for 'test' than for 'train'")
    train, test = (Part(labels=labels, chunks=decode.decode_arrays(images, size)) for images, labels, _ in parts.values())
    return Decoded(classes=classes, train=train, test=test)


def _check(given: Any, where: str) -> tuple[Array, Array, tuple[str, ...]]:
    """Images uint8 (N, H, W, 3), labels int64 (N,) and the names of the classes. Errors: UsageError, beginning with `where`."""
    if not isinstance(given, tuple) or len(given) != 3:
        raise UsageError(f"{where} returned {type(given).__name__}, not (images, labels, class names)")
    images, labels = np.asarray(given[0]), np.asarray(given[1])
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or 0 in images.shape:
        raise UsageError(f"{where} gives images of {images.dtype} {images.shape}: uint8 (N, H, W, 3) is wanted")
    classes = tuple(given[2]) if isinstance(given[2], (list, tuple)) else ()
    if not classes or not all(isinstance(name, str) for name in classes) or len(set(classes)) < len(classes):
        raise UsageError(f"{where} gives no list of class names, each a text of its own: {given[2]!r}")
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= len(classes):
        raise UsageError(f"{where} gives no label from 0 to {len(classes) - 1} for each of its {len(images):,} images")
    return images, labels.astype(np.int64), classes
