"""CIFAR-10 as torchvision reads and checks it, downloaded once."""

from __future__ import annotations

import urllib.request
import warnings
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from filelock import FileLock

from ..config.environment import read_folder
from ..errors import TunerError
from . import decode
from .cache import Decoded, Part, Say, load_cached
from .dataset import Array, Dataset

STALLED = 30.0  # seconds without a byte
BYTES_AT_ONCE = 1 << 18
MIB = 1 << 20
OTHERWISE = "use --data folder:PATH (your own images) or --data digits (embedded)"


def root() -> Path:
    """The folder that holds, or shall hold, cifar-10-batches-py: TUNER_DATA, or the user's cache folder."""
    return read_folder("TUNER_DATA", platformdirs.user_cache_dir("tuner")).absolute()


def cifar10(path: str, size: int, say: Say) -> Dataset:
    """50,000 training and 10,000 test images, 32x32, as torchvision reads them; other sizes are resized bilinearly."""
    assert not path
    # Only the official files are accepted, by their checksums, so the name says what the pixels are.
    return load_cached("cifar10", [], size, lambda: _read(root(), size, say), say)


def _read(base: Path, size: int, say: Say) -> Decoded:
    loaded = _load(base)
    if loaded is None:
        try:
            base.mkdir(parents=True, exist_ok=True)
            with FileLock(base / "cifar10.lock"):
                loaded = _load(base)
                if loaded is None:
                    _fetch(base, say)
                    loaded = _load(base)
        except OSError as error:
            problem = f"data folder {str(base)!r} cannot be written ({error.strerror or error})"
            raise TunerError(f"{problem}: set TUNER_DATA to one that can, or {OTHERWISE}") from None
    assert loaded is not None, "torchvision accepted the archive, but not what was in it"
    classes, parts = loaded
    train, test = (Part(labels=labels, chunks=decode.decode_arrays(images, size)) for images, labels in parts)
    return Decoded(classes=classes, train=train, test=test)


def _load(base: Path) -> tuple[tuple[str, ...], list[tuple[Array, Array]]] | None:
    """Classes, and images (N, 32, 32, 3) with labels of both parts; None where a file is missing or not the official one."""
    from torchvision.datasets import CIFAR10

    try:
        with warnings.catch_warnings():
            # The official files were pickled by an old NumPy, in a way that new ones warn about.
            warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
            parts = [CIFAR10(base, train=train) for train in (True, False)]
    except RuntimeError:
        return None
    return tuple(parts[0].classes), [(part.data, np.array(part.targets)) for part in parts]


def _fetch(base: Path, say: Say) -> None:
    """Put the official files in place, from the archive if it is there, and else from its address."""
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity, extract_archive

    archive, files = base / CIFAR10.filename, base / CIFAR10.base_folder
    if not check_integrity(archive, CIFAR10.tgz_md5):
        for name, checksum in [*CIFAR10.train_list, *CIFAR10.test_list, (CIFAR10.meta["filename"], CIFAR10.meta["md5"])]:
            if (files / name).exists() and not check_integrity(files / name, checksum):
                raise TunerError(
                    f"{str(files / name)!r} is not the official file (its MD5 differs): "
                    f"put {CIFAR10.filename} from {CIFAR10.url} into {str(base)!r}, or remove {str(files)!r}, or {OTHERWISE}"
                )
        _download(CIFAR10, archive, say)
    say(f"cifar10: unpacking {archive}")
    extract_archive(archive, base)


def _download(official: Any, archive: Path, say: Say) -> None:
    """Not left to torchvision, which writes a progress bar of its own and falls back to plain http."""
    from torchvision.datasets.utils import check_integrity

    partial = archive.with_name(archive.name + ".partial")
    remedy = f"put {archive.name} from {official.url} there, or {OTHERWISE}"
    lacking = f"{str(archive)!r} is damaged (its MD5 differs)" if archive.exists() else f"CIFAR-10 is not in {str(archive.parent)!r}"
    if archive.exists():
        say(f"cifar10: {lacking}")
    say(f"cifar10: downloading {official.url} into {archive.parent}")
    try:
        with partial.open("wb") as file:
            for data in _received(official.url, f"{lacking} and cannot be downloaded", remedy, say):
                file.write(data)
        if not check_integrity(partial, official.tgz_md5):
            raise TunerError(f"{lacking}, and what {official.url} sends has another MD5: {remedy}")
        partial.replace(archive)
    finally:
        partial.unlink(missing_ok=True)


def _received(url: str, problem: str, remedy: str, say: Say) -> Iterator[bytes]:
    done = 0
    try:
        with urllib.request.urlopen(url, timeout=STALLED) as answer:  # noqa: S310  torchvision's own address
            total = answer.length or 0
            while data := answer.read(BYTES_AT_ONCE):
                tenth = done * 10 // max(total, 1)
                done += len(data)
                if total and done * 10 // total > tenth:
                    say(f"cifar10: {done / MIB:.0f} of {total / MIB:.0f} MiB")
                yield data
        if done < total:
            raise ConnectionError(f"it broke off after {done:,} of {total:,} bytes")
    except (OSError, HTTPException) as error:
        reason = " ".join(str(getattr(error, "reason", None) or error).split()) or type(error).__name__
        raise TunerError(f"{problem} ({reason}): {remedy}") from None
