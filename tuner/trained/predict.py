"""What a network says of image files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..data.decode import BLOCK, decode_files
from ..data.folder import EXTENSIONS
from ..errors import UsageError
from ..training.evaluation import cast_to, choose_precision, prepare
from .network import Trained


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """An image's likeliest classes with their probabilities, the first the likeliest; or why the image is `broken`."""

    image: str
    classes: tuple[tuple[str, float], ...] = ()
    broken: str | None = None

    def to_dict(self) -> dict[str, Any]:
        if self.broken is not None:
            return {"image": self.image, "broken": self.broken}
        return {"image": self.image, "classes": [{"class": name, "probability": value} for name, value in self.classes]}


def list_images(paths: Sequence[Path]) -> list[str]:
    """The files given, and the image files in and below the folders given, by name; hidden ones are passed over.

    Errors: UsageError for a folder without any.
    """
    found: list[str] = []
    for path in paths:
        if not path.is_dir():
            found.append(str(path))
            continue
        within = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in EXTENSIONS
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
            and not file.is_dir()
        )
        if not within:
            raise UsageError(f"folder {str(path)!r} holds no image files (such as .png or .jpg): give files or another folder")
        found += map(str, within)
    return found


def predict(trained: Trained, images: Sequence[str], *, top: int = 3, device: str = "cpu") -> Iterator[Prediction]:
    """One prediction for each image file, in their order, computed as `tuner evaluate` computes its accuracy."""
    warnings.filterwarnings("ignore", module="PIL")  # of broken Exif in images that decode
    where = torch.device(device)
    prepare(where)
    loaded, precision = trained.loaded, choose_precision(trained.facts.config.precision, device)
    evaluator = loaded.spec.to_training_form(loaded.network, where).evaluator()
    evaluator.refresh()
    broken: dict[str, str] = {}
    blocks = decode_files(images, trained.preprocess.image_size, into=broken)
    for begin, pixels in zip(range(0, len(images), BLOCK), blocks, strict=True):
        names = images[begin : begin + BLOCK]
        whole = [place for place, name in enumerate(names) if name not in broken]
        likely: dict[int, tuple[tuple[str, float], ...]] = {}
        if whole:
            with torch.inference_mode(), cast_to(where, precision):
                logits = evaluator(trained.preprocess.normalise(pixels[whole]))
            values, classes = logits.float().cpu().softmax(1).topk(min(top, loaded.classes))
            for place, row, columns in zip(whole, values.tolist(), classes.tolist(), strict=True):
                likely[place] = tuple((trained.classes[column], value) for column, value in zip(columns, row, strict=True))
        for place, name in enumerate(names):
            yield Prediction(image=name, classes=likely.get(place, ()), broken=broken.get(name))
