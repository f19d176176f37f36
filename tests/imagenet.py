"""Small validation sets in ImageNet's forms, and files of weights in torchvision's own, for tests."""

from __future__ import annotations

import importlib.util
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from scipy.io import savemat
from torch import nn
from torchvision.models import get_model, get_model_weights

from tuner.data.imagenet import list_wnids

IDS = list(list_wnids())
SPARE = {"googlenet": {"init_weights": False, "aux_logits": True}, "vgg16": {"init_weights": False}}


def real_pictures() -> dict[int, list[Path]]:
    """The labelled ImageNet pictures inside foolbox, by class index; none where it is not installed."""
    spec = importlib.util.find_spec("foolbox")
    found: dict[int, list[Path]] = {}
    if spec is not None and spec.submodule_search_locations:
        for path in sorted(Path(spec.submodule_search_locations[0]).glob("data/imagenet_*.jpg")):
            match = re.fullmatch(r"imagenet_\d+_(\d+)\.jpg", path.name)
            assert match is not None
            found.setdefault(int(match.group(1)), []).append(path)
    return found


def link_pictures(folder: Path) -> Path:
    """The real pictures in class folders by WordNet id."""
    for label, paths in real_pictures().items():
        (folder / IDS[label]).mkdir(parents=True)
        for path in paths:
            shutil.copy2(path, folder / IDS[label] / path.name)
    return folder


def draw(path: Path, seed: int, size: tuple[int, int] = (40, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path, quality=95)


def by_class(folder: Path, count: int, classes: tuple[int, ...] = (0, 207, 999)) -> Path:
    """Generated pictures in class folders."""
    for index in range(count):
        draw(folder / IDS[classes[index % len(classes)]] / f"{index:04d}.JPEG", index)
    return folder


def devkit(folder: Path, truth: list[int], *, packed: bool) -> list[str]:
    """The devkit whose line n is `truth[n]`, an id from 1 to 1,000. The WordNet id that each id means, from id 1 on."""
    order = [IDS[(index * 7) % 1000] for index in range(1000)]  # the devkit's ids are not in the networks' order
    kind = [(name, object) for name in ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children", "wordnet_height", "images")]
    leaves = [(index + 1, wnid, "a, b", "a thing", 0, [], 0, 1300) for index, wnid in enumerate(order)]
    parent = (1001, "n00001740", "entity", "all", 2, [1, 2], 1, 0)
    root = folder / "ILSVRC2012_devkit_t12"
    (root / "data").mkdir(parents=True)
    savemat(root / "data" / "meta.mat", {"synsets": np.array([*leaves, parent], dtype=kind)})
    (root / "data" / "ILSVRC2012_validation_ground_truth.txt").write_text("".join(f"{line}\n" for line in truth))
    if packed:
        with tarfile.open(folder / f"{root.name}.tar.gz", "w:gz") as archive:
            archive.add(root, root.name)
        shutil.rmtree(root)
    return order


def file_name(name: str) -> str:
    return Path(get_model_weights(name).DEFAULT.url).name


def weights(name: str, folder: Path, seed: int = 0) -> Path:
    """A file as torchvision's own, with weights by chance; GoogLeNet's has its auxiliary heads, as the real one has."""
    torch.manual_seed(seed)
    path = folder / file_name(name)
    torch.save(get_model(name, weights=None, **SPARE.get(name, {})).state_dict(), path)
    return path


def torchvision_itself(name: str, file: Path, folder: Path, **options: Any) -> nn.Module:
    """What torchvision builds when it finds the file where it looks for its weights."""
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    link = folder / "checkpoints" / file_name(name)
    if not link.exists():
        link.symlink_to(file)
    with patch.object(torch.hub, "_hub_dir", str(folder)):
        return get_model(name, weights=get_model_weights(name).DEFAULT, **options).eval()


def sharpened(name: str, file: Path, images: torch.Tensor, favoured: list[int], folder: Path) -> None:
    """Change the last layer so that guesses differ from image to image and fall on the favoured classes."""
    with torch.inference_mode():
        middle = torchvision_itself(name, file, folder)(images).mean(0)
    state = torch.load(file)
    weight, bias = [key for key in state if key.startswith(("fc.", "classifier."))][-2:]
    state[weight] = state[weight] * 50
    state[bias] = (state[bias] - middle) * 50 - 1000
    state[bias][favoured] += 1000
    torch.save(state, file)
