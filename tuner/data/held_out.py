"""A folder of classes without train/ and test/: which of its images are the test part."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import TunerError

TEST_SHARE = 0.2
SEED = 0

# path, size in bytes, modification time in ns
Found = tuple[str, int, int]
# Part of such a folder's key in the cache.
RULE = f"test part: {TEST_SHARE} of each class by name, seed {SEED}"


def hold_out(classes: dict[str, list[Found]]) -> tuple[dict[str, list[Found]], dict[str, list[Found]]]:
    """The training and the test part: of each class a fifth is for the test, at least one image.

    An image's name alone decides when its turn comes, so the parts are the same on every machine and for every study, and stay
    nearly the same when images are added. Errors: TunerError for a class of fewer than three images.
    """
    train, test = {}, {}
    for name, found in classes.items():
        if len(found) < 3:
            raise TunerError(f"class {name!r} has {len(found)} images: three are needed, one to test on and two to train on")
        count = max(1, round(TEST_SHARE * len(found)))
        turns = sorted(found, key=lambda each: _draw(name, Path(each[0]).name))
        train[name], test[name] = sorted(turns[count:]), sorted(turns[:count])
    return train, test


def describe(train: dict[str, list[Found]], test: dict[str, list[Found]]) -> str:
    """A line that says how many images are held out, and how to choose them oneself."""
    held_out = sum(map(len, test.values()))
    total = held_out + sum(map(len, train.values()))
    return (
        f"no train/ and test/, so {held_out:,} of {total:,} images, {TEST_SHARE:.0%} of each class by a draw from their names "
        f"(seed {SEED}), are the test part; to choose them, make train/CLASS/ and test/CLASS/"
    )


def _draw(name: str, file: str) -> bytes:
    return hashlib.sha256(f"{SEED}/{name}/{file}".encode("utf-8", "surrogateescape")).digest()
