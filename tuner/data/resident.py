"""Images that stay on the device as bytes, and become normalised batches there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .dataset import Array

AUGMENTS = ("none", "flip", "flip-crop")
PADDING = 4  # zero pixels round an image before "flip-crop" crops it


class Resident:
    """One part of a data set, as one uint8 tensor `pixels` (N, H * W * 3) on the device.

    `rows` are the images and labels that make the part; None takes all. On the CPU the images are then read
    where they lie, which may be a map that workers share; elsewhere the part is copied to the device.
    A batch x is `(pixels / 255 - mean) / std`, with `mean` and `std` for all channels or one a channel.
    """

    def __init__(
        self,
        images: Array,
        labels: Array,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        device: str | torch.device = "cpu",
        augment: str = "none",
        rows: Array | None = None,
    ) -> None:
        assert images.dtype == np.uint8 and images.ndim == 4 and images.shape[3] == 3, (images.dtype, images.shape)
        assert len(images) == len(labels), (len(images), len(labels))
        assert augment in AUGMENTS, augment
        self.device = torch.device(device)
        self.height, self.width = images.shape[1:3]
        self._chosen: Tensor | None = None
        if rows is not None and self.device.type == "cpu":
            self._chosen = torch.from_numpy(np.ascontiguousarray(rows, dtype=np.int64))
        elif rows is not None:
            images, labels = images[rows], labels[rows]
        self.pixels = torch.from_numpy(np.ascontiguousarray(images)).view(len(images), -1).to(self.device)
        self._labels = torch.from_numpy(np.ascontiguousarray(labels, dtype=np.int64)).to(self.device)
        scale = 1 / (255 * np.broadcast_to(np.asarray(std, dtype=np.float64), 3))
        shift = -np.broadcast_to(np.asarray(mean, dtype=np.float64), 3) * 255 * scale
        self._scale: float | Tensor
        if len(set(scale)) == len(set(shift)) == 1:  # a quarter faster
            self._scale, self._shift = float(scale[0]), torch.tensor(shift[0], dtype=torch.float32, device=self.device)
        else:  # one value a byte of an image: a last dimension of 3 would make the broadcast slow
            self._scale, self._shift = (
                torch.from_numpy(values.astype(np.float32)).repeat(self.height * self.width).to(self.device) for values in (scale, shift)
            )
        self._sources = None if augment == "none" else _sources(self.height, self.width, augment).to(self.device)
        self._black = torch.zeros(1, 1, dtype=torch.uint8, device=self.device)

    def __len__(self) -> int:
        return len(self._labels if self._chosen is None else self._chosen)

    @property
    def labels(self) -> Tensor:
        """int64 (N,), on the device."""
        return self._labels if self._chosen is None else self._labels.index_select(0, self._chosen)

    def batch(self, rows: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """x float32 (B, 3, H, W) in channels_last, and y int64 (B,), of the images `rows` (B,).

        Augmenting needs the CPU `generator`, the only source of chance.
        """
        return self.gather(rows, self.draw(len(rows), generator))

    def draw(self, count: int, generator: torch.Generator | None) -> Tensor | None:
        """Which augmentation each of `count` images gets, on the device; None where there is none to draw."""
        if self._sources is None:
            return None
        assert generator is not None, "augmenting needs a generator"
        return self.move(torch.randint(len(self._sources), (count,), generator=generator))

    def gather(self, rows: Tensor, drawn: Tensor | None) -> tuple[Tensor, Tensor]:
        """The batch of `rows` with the augmentation `drawn`. Fixed shapes and no chance, so that a CUDA graph can hold it."""
        rows = self.move(rows)
        if self._chosen is not None:
            rows = self._chosen.index_select(0, rows)
        pixels = self.pixels.index_select(0, rows)
        if drawn is not None:
            assert self._sources is not None
            # Byte by byte: as fast as pixels packed into int32 (414,000 against 397,000 images/s, batch 64, one thread),
            # with no packed copy of the data.
            padded = torch.cat([pixels, self._black.expand(len(rows), 1)], dim=1)
            pixels = padded.gather(1, self._sources.index_select(0, drawn))
        x = pixels.to(torch.float32)
        if isinstance(self._scale, float):
            torch.add(self._shift, x, alpha=self._scale, out=x)
        else:
            torch.addcmul(self._shift, x, self._scale, out=x)
        return x.view(-1, self.height, self.width, 3).permute(0, 3, 1, 2), self._labels.index_select(0, rows)

    def move(self, values: Tensor) -> Tensor:
        """Rows or choices (B,), on the device, without waiting for it."""
        if self.device.type == "cuda" and values.device.type == "cpu":
            values = values.pin_memory()  # from pageable memory the copy would wait for the device
        return values.to(self.device, non_blocking=True)


def _sources(height: int, width: int, augment: str) -> Tensor:
    """Where each byte of an augmented image comes from, int64 (choices, H * W * 3); one past the image means black.

    A choice is flipped or not, and for "flip-crop" one of the 81 places of the crop in the padded image.
    """
    shifts = range(-PADDING, PADDING + 1) if augment == "flip-crop" else range(1)
    choices = []
    for down in shifts:
        for right in shifts:
            for flip in (False, True):
                y = np.arange(height)[:, None] + down
                x = (np.arange(width)[::-1] if flip else np.arange(width))[None, :] + right
                inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
                byte = (y * width + x)[..., None] * 3 + np.arange(3)
                choices.append(np.where(inside[..., None], byte, height * width * 3).reshape(-1))
    return torch.from_numpy(np.stack(choices).astype(np.int64))
