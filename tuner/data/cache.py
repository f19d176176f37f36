"""Decoded images on disk: one folder an entry, mapped by every process that uses it.

An entry holds four .npy files and entry.json, which is written last. It belongs to a key that its source makes
from what identifies the files. entry.json keeps the size and the modification time of the four, so that a file
that was cut short or overwritten is seen without reading it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO

import numpy as np
import platformdirs
from filelock import FileLock, Timeout

from ..config.environment import read_folder
from ..errors import TunerError
from .dataset import Array, Dataset

FORMAT = 1  # of an entry: to be raised when decoding, resizing or the files here change
PARTS = ("train", "test")
NOTES = "entry.json"
SECONDS_BETWEEN_LINES = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Images to come: `chunks` yields uint8 (n, size, size, 3), as many images in all as there are `labels`."""

    labels: Array
    chunks: Iterable[Array]


@dataclass(frozen=True, kw_only=True)
class Decoded:
    classes: tuple[str, ...]
    train: Part
    test: Part


def find_root() -> Path:
    """Where entries are kept: TUNER_CACHE, or the user's cache folder."""
    return read_folder("TUNER_CACHE", platformdirs.user_cache_dir("tuner"))


def load_cached(source: str, identity: Iterable[str], size: int, decode: Callable[[], Decoded], say: Say) -> Dataset:
    """The entry of these images, made by `decode` when there is none that is whole.

    `identity` are the strings that change when the images do. Processes that start together decode once: the
    others wait, and map what the first has written.
    """
    digest = blake2b(digest_size=12)
    for text in (str(FORMAT), str(size), *identity):
        digest.update(text.encode(errors="surrogateescape") + b"\0")
    entry = find_root() / "images" / f"{source.partition(':')[0]}-{digest.hexdigest()}"
    found = _open(entry, source, size)
    if found is not None:
        _say_twice(entry, source, found, say)
        return found
    try:
        entry.mkdir(parents=True, exist_ok=True)
        with _locked(entry / "lock", lambda: say(f"{source}: another process is decoding the images; waiting for it")):
            found = _open(entry, source, size)
            if found is None:
                _write(entry, source, size, decode(), say)
                found = _open(entry, source, size)
            if found is not None:
                _say_twice(entry, source, found, say)
    except OSError as error:
        reason = error.strerror or error
        raise TunerError(f"cache folder {str(find_root())!r} cannot be written ({reason}): set TUNER_CACHE to one that can") from None
    if found is None:
        raise TunerError(f"cache entry {str(entry)!r} was changed while it was written: delete it and try again")
    return found


def _open(entry: Path, source: str, size: int) -> Dataset | None:
    """The entry mapped, or None when it is not there, or not as it was written."""
    try:
        notes = json.loads((entry / NOTES).read_text(encoding="utf-8"))
        if any(_stamp(entry / name) != stamp for name, stamp in notes["files"].items()):
            return None
        arrays: dict[str, Array] = {}
        for part in PARTS:
            # Copy-on-write: torch.from_numpy warns about an array that cannot be written.
            images = np.load(entry / f"{part}_images.npy", mmap_mode="c")
            labels = np.load(entry / f"{part}_labels.npy")
            if images.dtype != np.uint8 or images.shape != (len(labels), size, size, 3) or labels.dtype != np.int64:
                return None
            arrays |= {f"{part}_images": images, f"{part}_labels": labels}
        return Dataset(source=source, classes=tuple(notes["classes"]), fingerprint=notes["fingerprint"], **arrays)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        return None


def _say_twice(entry: Path, source: str, dataset: Dataset, say: Say) -> None:
    """Say how many test images are training images too, as was counted when they were decoded. Older entries do not know."""
    try:
        twice = json.loads((entry / NOTES).read_text(encoding="utf-8")).get("twice", 0)
    except (OSError, ValueError):  # another process makes it anew just now, and says so itself
        return
    if twice:
        say(f"{source}: {twice:,} of {len(dataset.test_labels):,} test images are in the training part too: test accuracy will be too high")


def _write(entry: Path, source: str, size: int, decoded: Decoded, say: Say) -> None:
    (entry / NOTES).unlink(missing_ok=True)
    digest = blake2b(json.dumps(decoded.classes).encode(), digest_size=8)
    seen: set[bytes] = set()  # training images, by content
    twice = 0
    total, done = len(decoded.train.labels) + len(decoded.test.labels), 0
    started = said = time.monotonic()
    for name, part in zip(PARTS, (decoded.train, decoded.test), strict=True):
        shape = (len(part.labels), size, size, 3)
        labels = np.ascontiguousarray(part.labels, dtype=np.int64)
        digest.update(f"{name}{shape}".encode() + labels.astype("<i8").tobytes())
        with _replacing(entry / f"{name}_labels.npy") as file:
            np.save(file, labels)
        with _replacing(entry / f"{name}_images.npy") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for chunk in part.chunks:
                assert chunk.dtype == np.uint8 and chunk.shape[1:] == shape[1:], (chunk.dtype, chunk.shape)
                pixels = chunk.tobytes()
                file.write(pixels)
                digest.update(pixels)
                contents = [blake2b(image.tobytes(), digest_size=16).digest() for image in chunk]
                if name == "train":
                    seen.update(contents)
                else:
                    twice += sum(content in seen for content in contents)
                done += len(chunk)
                if time.monotonic() - said > SECONDS_BETWEEN_LINES:
                    said = time.monotonic()
                    say(f"{source}: {done:,} of {total:,} images decoded")
        assert done == len(part.labels) + (0 if part is decoded.train else len(decoded.train.labels)), (done, total)
    files = {file: _stamp(entry / file) for part in PARTS for file in (f"{part}_images.npy", f"{part}_labels.npy")}
    notes = {"source": source, "classes": decoded.classes, "fingerprint": digest.hexdigest(), "files": files, "twice": twice}
    with _replacing(entry / NOTES) as file:
        file.write(json.dumps(notes, indent=1).encode())
    say(f"{source}: {total:,} images decoded in {time.monotonic() - started:.1f} s, kept in {entry}")


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `path` when it is complete, and leaves nothing when it is not."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path, when_taken: Callable[[], None]) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        when_taken()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
