"""Labelled image files in place: the ImageNet 2012 validation set in either of its forms, or a folder's test part."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np

from ..config.checks import find_path
from ..errors import TunerError, UsageError, nearest
from .dataset import Array
from .folder import list_classes, list_images, list_parts
from .held_out import Found

WNID = re.compile(r"n\d{8}")
FLAT = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG", re.IGNORECASE)
DEVKIT = "ILSVRC2012_devkit_t12"
TRUTH = "data/ILSVRC2012_validation_ground_truth.txt"
META = "data/meta.mat"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """N image files with their int64 labels (N,), which index `classes`.

    `fingerprint` is 16 hex digits of names, sizes, times and labels: the files are not read for it.
    """

    base: Path
    files: tuple[str, ...]
    labels: Array
    classes: tuple[str, ...]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.files)

    def shown(self, index: int) -> str:
        """An image's path for people, within `base`."""
        return str(Path(self.files[index]).relative_to(self.base))


@cache
def list_wnids() -> dict[str, int]:
    """The 1,000 classes' WordNet ids in the order of the networks' outputs, each with its index."""
    return {line.split(" ", 1)[0]: index for index, line in enumerate(_facts())}


@cache
def _facts() -> list[str]:
    return (files(__package__) / "imagenet_classes.txt").read_text(encoding="utf-8").splitlines()


def list_lemmas() -> list[str]:
    """A word for each class."""
    return [line.split(" ", 1)[1] for line in _facts()]


def list_imagenet(path: str) -> Listing:
    """The validation set, or a part of it: class folders by WordNet id, or flat files with the devkit; in PATH or PATH/val.

    Errors: UsageError for a path that is not there or a class folder that is none of ImageNet's, TunerError where no
    images are found or the devkit is missing or broken.
    """
    base = find_path(path, "data folder").resolve()
    if not base.is_dir():
        problem = "is a file, not a folder" if base.exists() else "does not exist"
        raise UsageError(f"data {path!r} {problem}: give ImageNet's validation folder, or folder:PATH for images of your own")
    place = base / "val" if (base / "val").is_dir() else base
    try:
        flat = any(FLAT.fullmatch(entry.name) for entry in place.iterdir())
        return _flat(place, base) if flat else _by_class(place)
    except OSError as error:
        raise TunerError(f"data folder {str(error.filename or base)!r} cannot be read: {error.strerror or error}") from None


def list_folder_test(path: str) -> Listing:
    """The test part of PATH/train and PATH/test (or val), in the order in which `data.folder` decodes it."""
    base = find_path(path, "data folder").resolve()
    try:
        _, test = list_parts(base)
    except OSError as error:
        raise TunerError(f"data folder {str(error.filename or base)!r} cannot be read: {error.strerror or error}") from None
    return _listing(base, list(test.values()), tuple(test), range(len(test)))


def _by_class(place: Path) -> Listing:
    found = list_classes(place)
    known = list_wnids()
    for name in found:
        if name not in known:
            raise UsageError(
                f"class folder {str(place / name)!r} is none of ImageNet's 1,000 classes: {_why(name)}, "
                f"remove it, or give folder:PATH for classes of your own"
            )
    if not any(found.values()):
        raise TunerError(f"{str(place)!r} holds no images: it needs class folders by WordNet id, or ILSVRC2012_val_*.JPEG")
    return _listing(place, list(found.values()), tuple(known), [known[name] for name in found])


def _why(name: str) -> str:
    if WNID.fullmatch(name):
        return nearest(name, list_wnids())
    words = list_lemmas()
    return (
        f"rename it to {list(list_wnids())[words.index(name)]!r}" if name in words else "its name must be a WordNet id such as 'n01440764'"
    )


def _flat(place: Path, base: Path) -> Listing:
    numbered = [(found, FLAT.fullmatch(Path(found[0]).name)) for found in list_images(place)]
    labels = _truth(place, base)
    images: list[list[Found]] = []
    chosen = []
    for found, match in numbered:
        if match is None:
            raise UsageError(f"{found[0]!r} is not named as ImageNet's images are (ILSVRC2012_val_*.JPEG): remove it")
        number = int(match.group(1))
        if not 1 <= number <= len(labels):
            raise UsageError(f"{found[0]!r} has no line in {TRUTH}, which has {len(labels):,}: remove it")
        images.append([found])
        chosen.append(labels[number - 1])
    return _listing(place, images, tuple(list_wnids()), chosen)


def _truth(place: Path, base: Path) -> list[int]:
    """The class index of each numbered image, from the devkit beside them."""
    for where in dict.fromkeys((place, base, place.parent, base.parent)):
        for name in (DEVKIT, f"{DEVKIT}.tar.gz"):
            if (where / name).exists():
                return _devkit(where / name)
    raise TunerError(f"the images in {str(place)!r} have no labels: put {DEVKIT}.tar.gz, or {DEVKIT}/, beside them")


def _devkit(path: Path) -> list[int]:
    from scipy.io import loadmat

    try:
        read = _members(path)
        synsets = loadmat(BytesIO(read(META)), squeeze_me=True)["synsets"]
        # A row: ILSVRC2012_ID, WNID, words, gloss, num_children, ...; the networks' classes are those without children.
        index = {int(row[0]): list_wnids()[str(row[1])] for row in synsets if int(row[4]) == 0}
        return [index[int(line)] for line in read(TRUTH).decode("ascii").split()]
    except (OSError, KeyError, ValueError, IndexError, TypeError, EOFError, tarfile.TarError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TunerError(f"{str(path)!r} is not ImageNet 2012's devkit ({reason}): replace it") from None


def _members(path: Path) -> Callable[[str], bytes]:
    if path.is_dir():
        return lambda name: (path / name).read_bytes()
    with tarfile.open(path) as archive:
        content = {name: archive.extractfile(f"{DEVKIT}/{name}") for name in (META, TRUTH)}
        held = {name: file.read() for name, file in content.items() if file is not None}
    return lambda name: held[name]


def _listing(base: Path, images: list[list[Found]], classes: tuple[str, ...], labels: range | list[int]) -> Listing:
    digest = blake2b(digest_size=8)
    paths, flat = [], []
    for group, label in zip(images, labels, strict=True):
        for path, size, changed in group:
            digest.update(f"{Path(path).relative_to(base)}\0{size}\0{changed}\0{label}\n".encode())
            paths.append(path)
            flat.append(label)
    return Listing(base=base, files=tuple(paths), labels=np.array(flat, dtype=np.int64), classes=classes, fingerprint=digest.hexdigest())
