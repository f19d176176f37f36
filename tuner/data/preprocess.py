"""Images of any kind to a network's input, as its training had them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import UsageError
from .dataset import Array
from .decode import decode_image
from .resident import Resident

WANTED = "give PIL images or uint8 arrays of the shape (H, W, 3) or (N, H, W, 3)"


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """Upright, in RGB, resized to `image_size` bilinearly, and `(x / 255 - mean) / std`, with one of these or one a channel.

    Called with images it gives float32 (N, 3, image_size, image_size) on `device`. It takes one PIL image of any mode, one uint8
    array (H, W, 3) or (N, H, W, 3), or a list of PIL images and arrays (H, W, 3).
    """

    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    device: str = "cpu"

    def __call__(self, images: Image.Image | Array | Sequence[Image.Image | Array]) -> Tensor:
        """Errors: UsageError for anything else, with its type or its shape."""
        if isinstance(images, Image.Image):
            images = [images]
        elif isinstance(images, np.ndarray):
            images = [images] if images.ndim == 3 else list(images)
        if not isinstance(images, Sequence) or not len(images):
            raise UsageError(f"{type(images).__name__} is no list of images: {WANTED}")
        return self.normalise(np.stack([self._decode(image) for image in images]))

    def normalise(self, pixels: Array) -> Tensor:
        """The same of pixels that have their size: uint8 (N, image_size, image_size, 3)."""
        labels = np.zeros(len(pixels), dtype=np.int64)
        part = Resident(pixels, labels, mean=self.mean, std=self.std, device=self.device)
        return part.batch(torch.arange(len(pixels)))[0]

    def _decode(self, image: object) -> Array:
        if isinstance(image, Image.Image):
            try:
                return decode_image(image, self.image_size)
            except ValueError as error:
                raise UsageError(f"an image of the mode {image.mode} cannot be read: {error}") from None
        if not isinstance(image, np.ndarray):
            raise UsageError(f"{type(image).__name__} is no image: {WANTED}")
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise UsageError(f"an array of {image.dtype} with the shape {image.shape} is no image: {WANTED}")
        return decode_image(Image.fromarray(image), self.image_size)
