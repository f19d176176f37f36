"""A folder of images: PATH/train/CLASS/* and PATH/test/CLASS/* (or PATH/val/CLASS/*), or PATH/CLASS/* of which some are held out."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np

from ..config.checks import find_path
from ..errors import TunerError, UsageError
from . import decode
from .cache import Decoded, Part, Say, load_cached
from .dataset import Dataset
from .held_out import RULE, Found, describe, hold_out

EXTENSIONS = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".apng", ".avif", ".bmp", ".dib", ".tif", ".tiff", ".tga", ".qoi"}
EXTENSIONS |= {".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".ico", ".pcx", ".sgi", ".icb", ".xbm", ".xpm"}
# Part of every folder's key in the cache: to be changed when the same files give other pixels. What studies store is a
# fingerprint of the pixels, which stays where they do.
DECODED = "turned after loading"
NAMED_AT_MOST = 5  # classes in a message


def folder(path: str, size: int, say: Say) -> Dataset:
    """Images of any size, mode and format that Pillow reads, chosen by extension; classes are sorted by name.

    Where there are both test/ and val/, test/ is read. Links are followed. Files of other kinds and images in folders within
    a class folder are passed over, which is said; hidden files are passed over.
    """
    base = find_path(path, "data folder").resolve()
    if not base.is_dir():
        problem = "is a file, not a folder" if base.exists() else "does not exist"
        raise UsageError(f"data 'folder:{path}': {str(base)!r} {problem}: give a folder that holds train/ and test/ (or val/)")
    try:
        train, test = list_parts(base)
    except OSError as error:
        raise TunerError(f"data folder {str(error.filename or base)!r} cannot be read: {error.strerror or error}") from None
    whole = is_whole(base)
    identity = [DECODED, *([RULE] if whole else [])]
    for classes in (train, test):
        identity += [f"{file}\0{length}\0{time}" for found in classes.values() for file, length, time in found]

    if whole:
        say(f"folder:{base}: {describe(train, test)}")
    for line in describe_passed_over(base, [base] if whole else [base / "train", find_test(base)]):
        say(f"folder:{base}: {line}")

    def read() -> Decoded:
        say(f"folder:{base}: decoding {sum(map(len, train.values())) + sum(map(len, test.values())):,} images")
        return Decoded(classes=tuple(train), train=_part(train, size), test=_part(test, size))

    return load_cached(f"folder:{base}", identity, size, read, say)


def list_parts(base: Path) -> tuple[dict[str, list[Found]], dict[str, list[Found]]]:
    """The image files of each class, of the training and of the test part, checked."""
    second = find_test(base)
    _check_utf8(base)
    if is_whole(base):
        classes = list_classes(base)
        _check_classes(base, classes)
        return hold_out(classes)
    for part, wanted in ((base / "train", "train/"), (second, "test/ or val/")):
        if not part.is_dir():
            raise TunerError(
                f"data folder {str(base)!r} has no {wanted}: images belong in train/CLASS/ and test/CLASS/ (or val/CLASS/), or in CLASS/"
            )
    train, test = list_classes(base / "train"), list_classes(second)
    if not train:
        raise TunerError(f"{str(base / 'train')!r} has no class folders: images belong in train/CLASS/")
    # A Mac writes "é" as two letters, and only some ways of copying keep that: such names are one class, spelt as in train/.
    spelt = {unicodedata.normalize("NFC", name): name for name in train}
    test = {spelt.get(unicodedata.normalize("NFC", name), name): found for name, found in test.items()}
    if train.keys() != test.keys():
        only = [
            f"only in {part.name}/: {_names(names)}"
            for part, names in ((base / "train", train.keys() - test.keys()), (second, test.keys() - train.keys()))
            if names
        ]
        raise TunerError(f"train/ and {second.name}/ of {str(base)!r} have different classes ({'; '.join(only)}): make them the same")
    test = {name: test[name] for name in train}
    for part, classes in ((base / "train", train), (second, test)):
        _check_classes(part, classes)
    for name, found in train.items():
        if len(found) < 2:
            raise TunerError(f"class {name!r} has one training image in {str(base / 'train' / name)!r}: at least two are needed")
    return train, test


def is_whole(base: Path) -> bool:
    """Whether a folder holds classes and no parts: neither train/ nor test/ nor val/, and images in its folders."""
    return not any((base / name).is_dir() for name in ("train", "test", "val")) and any(list_classes(base).values())


def _check_classes(part: Path, classes: dict[str, list[Found]]) -> None:
    """Errors: TunerError for fewer than two classes, and for a class without images."""
    if len(classes) < 2:
        raise TunerError(f"{str(part)!r} has one class only, {next(iter(classes))!r}: at least two are needed")
    for name, found in classes.items():
        if not found:
            deeper = next((path for path, is_image in _list_passed_over(part / name) if is_image), None)
            if deeper is not None:
                raise TunerError(
                    f"class folder {str(part / name)!r} holds its images in a folder of its own (such as {str(deeper)!r}, as in "
                    "tiny-imagenet): move them up into the class folder"
                )
            raise TunerError(f"class folder {str(part / name)!r} holds no image files (such as .png or .jpg): add some or remove it")


def list_classes(part: Path) -> dict[str, list[Found]]:
    with os.scandir(part) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    for name in names:
        _check_utf8(part / name)
    return {name: list_images(part / name) for name in names}


def find_test(base: Path) -> Path:
    return base / "test" if (base / "test").is_dir() else base / "val"


def _check_utf8(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise TunerError(f"the name of folder {str(path)!r} is not UTF-8: rename it") from None


def describe_passed_over(base: Path, parts: list[Path]) -> list[str]:
    """A line about files that are not read, and one about images that lie too deep, with one example each."""
    files: list[Path] = []
    images: list[Path] = []
    for part in parts:
        for name in list_classes(part):
            for path, is_image in _list_passed_over(part / name):
                (images if is_image else files).append(path)
    lines = []
    if images:
        example = str(images[0].relative_to(base))
        lines.append(f"{len(images):,} images in folders within class folders are passed over, such as {example!r}")
    if files:
        example = str(files[0].relative_to(base))
        lines.append(f"{len(files):,} files whose ending is none of an image that is read are passed over, such as {example!r}")
    return lines


def _list_passed_over(class_folder: Path) -> list[tuple[Path, bool]]:
    """What is not read below a class folder, hidden files apart, and whether it looks like an image."""
    found = []
    for folder, folders, names in os.walk(class_folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        top = Path(folder) == class_folder
        for name in sorted(names):
            is_image = "." + name.rpartition(".")[2].lower() in EXTENSIONS
            if not name.startswith(".") and not (top and is_image):
                found.append((Path(folder) / name, is_image))
    return found


def list_images(class_folder: Path) -> list[Found]:
    found = []
    with os.scandir(class_folder) as entries:
        for entry in entries:
            extension = "." + entry.name.rpartition(".")[2].lower()
            if entry.name.startswith(".") or extension not in EXTENSIONS or entry.is_dir():
                continue
            try:
                status = entry.stat()  # of the file a link leads to
            except FileNotFoundError:
                raise TunerError(f"image {entry.path!r} is a link to nothing: replace or remove it") from None
            found.append((entry.path, status.st_size, status.st_mtime_ns))
    return sorted(found)


def _names(names: set[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - NAMED_AT_MOST} more" if len(shown) > NAMED_AT_MOST else ""
    return ", ".join(map(repr, shown[:NAMED_AT_MOST])) + more


def _part(classes: dict[str, list[Found]], size: int) -> Part:
    labels = np.repeat(np.arange(len(classes)), [len(found) for found in classes.values()])
    return Part(labels=labels, chunks=decode.decode_files([file for found in classes.values() for file, _, _ in found], size))
