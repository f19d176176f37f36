"""Batches of images: decoded from files, or out of what is resident."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ..data.imagenet import Listing
from ..data.resident import Resident


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The images `rows` of a data set as x float32 (B, 3, H, W) in channels_last; `broken` ones, by row, with the reason.

    x is None where all are broken.
    """

    x: Tensor | None
    rows: list[int]
    broken: dict[int, str]


class Images(Protocol):
    """N images. `batch` may be called by several threads at once."""

    def __len__(self) -> int: ...

    def batch(self, start: int, stop: int, *, pinned: bool) -> Batch: ...


class Files:
    """Image files, each decoded as torchvision's `ImageFolder` does (RGB, not turned) and passed through `transforms`."""

    def __init__(self, listing: Listing, transforms: Callable[[Any], Tensor]) -> None:
        self.listing = listing
        self.transforms = transforms

    def __len__(self) -> int:
        return len(self.listing)

    def batch(self, start: int, stop: int, *, pinned: bool) -> Batch:
        x: Tensor | None = None
        rows: list[int] = []
        broken: dict[int, str] = {}
        for row in range(start, stop):
            try:
                with open(self.listing.files[row], "rb") as file:  # noqa: PTH123  50,000 of them: Path.open is slower
                    one = self.transforms(Image.open(file).convert("RGB"))
            except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
                broken[row] = _reason(error)
                continue
            if x is None:
                x = torch.empty((stop - start, *one.shape), dtype=one.dtype, memory_format=torch.channels_last, pin_memory=pinned)
            x[len(rows)] = one
            rows.append(row)
        return Batch(x=None if x is None else x[: len(rows)], rows=rows, broken=broken)


class Stored:
    """Images that are on the device already."""

    def __init__(self, part: Resident) -> None:
        self.part = part

    def __len__(self) -> int:
        return len(self.part)

    def batch(self, start: int, stop: int, *, pinned: bool) -> Batch:
        del pinned
        rows = list(range(start, stop))
        return Batch(x=self.part.batch(torch.tensor(rows, device=self.part.device))[0], rows=rows, broken={})


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image that Pillow knows"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__
