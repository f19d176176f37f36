"""A network with its preprocessing as one file that PyTorch runs without this package."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import TunerError
from .network import Trained

FACTS = "tuner.json"  # the extra file that says what the program is of


class _Program(nn.Module):
    """uint8 images (N, H, W, 3) of the trained size to logits (N, classes)."""

    mean: Tensor
    std: Tensor

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.network = trained.loaded.network
        for name in ("mean", "std"):
            values = torch.tensor(getattr(trained.preprocess, name), dtype=torch.float32)
            self.register_buffer(name, values.view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        x = (images.permute(0, 3, 1, 2).to(torch.float32) / 255 - self.mean) / self.std
        return self.network(x)  # type: ignore[no-any-return]


def make_program(trained: Trained, weights: Path) -> bytes:
    """The content of a .pt2 file, for any number of images. `torch.export` makes it.

    Errors: TunerError for a network that `torch.export` cannot follow.
    """
    size = trained.preprocess.image_size
    program = _Program(trained).eval().requires_grad_(False)
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    try:
        exported = torch.export.export(program, (example,), dynamic_shapes=({0: torch.export.Dim("images")},))
    except Exception as error:  # whatever following a network's own code meets
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TunerError(f"torch.export cannot follow the network of {weights}: {said}: use `tuner.load` in Python") from None
    facts = {
        "weights": digest(weights),
        "model": trained.loaded.spec.name,
        "classes": list(trained.classes),
        "input": ["images", size, size, 3],
    }
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own archive
        torch.export.save(exported, buffer, extra_files={FACTS: json.dumps(facts)})
    return buffer.getvalue()


def is_program(path: Path, weights: Path) -> bool:
    """Whether a file is the program of these very weights."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith(f"/{FACTS}"))
            facts = json.loads(archive.read(name))
    except (OSError, StopIteration, ValueError, zipfile.BadZipFile):
        return False
    return isinstance(facts, dict) and facts.get("weights") == digest(weights)


def digest(weights: Path) -> str:
    """16 hex digits of the file's SHA-256."""
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
