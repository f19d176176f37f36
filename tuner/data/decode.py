"""Image files to pixels, several at a time.

Threads, because Pillow gives the interpreter lock away while it decompresses and resizes: on two cores twice as
fast for photographs, and no slower for 32x32 PNGs (10,000 in 0.4 to 0.8 s; a process pool takes 0.5 s). And no
process is left behind when the reader is killed.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import TunerError
from .dataset import Array

NAMED_AT_MOST = 10  # broken files in a message
MOST_TOLD = 10_000  # characters of it
BLOCK = 32  # images a task
MOST_PIXELS = 2**28  # of an image; in memory it then takes 0.8 GB
Image.MAX_IMAGE_PIXELS = None  # Pillow would warn, once a process, of images half as large
ORIENTATION = 0x0112  # the Exif tag
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Item = TypeVar("Item")


def decode_files(paths: Sequence[str], size: int, *, into: dict[str, str] | None = None) -> Iterator[Array]:
    """Blocks of uint8 (n, size, size, 3) in the order of `paths`.

    Files that are no images are black, and one TunerError after the last block, so that one run finds them all: it names the
    first ten and counts the others. With `into` there is no error: it gets why, by path, before their block comes.
    """
    broken: dict[str, str] = {} if into is None else into
    black = np.zeros((size, size, 3), dtype=np.uint8)

    def one(path: str) -> Array:
        try:
            return _file(path, size)
        except TunerError as error:
            broken[path] = error.message
            return black

    yield from _blocks(paths, one)
    if broken and into is None:
        first = [broken[path] for path in paths if path in broken][:NAMED_AT_MOST]
        more = f"; and {len(broken) - len(first):,} more" if len(broken) > len(first) else ""
        raise TunerError("; ".join(first) + more, most=MOST_TOLD)


def decode_arrays(images: Array, size: int) -> Iterator[Array]:
    """Images (N, H, W, 3) uint8 resized, in blocks of uint8 (n, size, size, 3)."""
    return _blocks(images, lambda pixels: _resized(Image.fromarray(pixels), size))


def decode_image(image: Image.Image, size: int) -> Array:
    """Pixels uint8 (size, size, 3) of an image of any size and mode: upright, in RGB. ValueError for a mode without a white."""
    return _resized(_rgb(_upright(image)), size)


def _blocks(items: Sequence[Item] | Array, decode: Callable[[Item], Array]) -> Iterator[Array]:
    def block(start: int) -> Array:
        return np.stack([decode(item) for item in items[start : start + BLOCK]])

    threads = min(8, os.cpu_count() or 1)
    waiting: deque[Future[Array]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        try:
            for start in range(0, len(items), BLOCK):
                waiting.append(pool.submit(block, start))
                if len(waiting) > 2 * threads:  # few at a time, so that memory stays small
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _file(path: str, size: int) -> Array:
    try:
        if Path(path).stat().st_size == 0:
            raise TunerError(f"image {path!r} is empty: replace or remove it")
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise TunerError(
                    f"image {path!r} has {image.width:,} x {image.height:,} pixels, above {MOST_PIXELS:,}: shrink or remove it"
                )
            return decode_image(image, size)
    except TunerError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
        reason = "not an image that Pillow knows" if isinstance(error, UnidentifiedImageError) else _one_line(error)
        raise TunerError(f"image {path!r} cannot be read ({reason}): replace or remove it") from None


def _one_line(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def _upright(image: Image.Image) -> Image.Image:
    """The image as its camera was held, by the one rule of `ImageOps.exif_transpose`: what loading has left to be turned."""
    image.load()  # first: for some formats Pillow turns the pixels while it loads them, and then says so in the Exif
    try:
        turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # many cameras write Exif that is broken; the pixels are not
        return image
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    """RGB as torchvision's loader makes it: an alpha channel is dropped. 16-bit greys are scaled, where Pillow would clip them."""
    if image.mode.startswith("I"):  # Pillow's mode I, too, holds 0 to 65535 wherever a file says what white is
        grey = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        return Image.fromarray(((grey + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, of which nothing says what is white")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns about the direct way
    return image if image.mode == "RGB" else image.convert("RGB")


def _resized(image: Image.Image, size: int) -> Array:
    """Pixels uint8 (size, size, 3): as they are where the size is right, and else bilinear, smoothed when shrinking."""
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image)
