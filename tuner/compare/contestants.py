"""What is compared: a network, where its weights are, and how it wants its images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote

import torch
from torch import Tensor, nn

from ..config.data_config import DataConfig
from ..config.data_sources import SOURCES
from ..config.named_code import name_code
from ..config.trial_config import TrialConfig
from ..data import Dataset, load
from ..data.cache import Say
from ..data.classes import match_classes
from ..data.imagenet import WNID, Listing, list_folder_test, list_imagenet, list_wnids
from ..data.parts import make_resident
from ..errors import UsageError
from ..models import MODELS, pretrained
from ..models.finetuned import TORCHVISION, is_torchvisions
from ..models.own_code import find_permitted, is_own, is_own_data
from ..models.weights import Loaded
from ..training.evaluation import cast_to, choose_precision
from ..training.trained import load_trained
from .batches import Files, Images, Stored


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A network on its device. `forward` takes a batch (B, 3, H, W) to logits (B, classes); `plain` is the network itself."""

    forward: Callable[[Tensor], Tensor]
    plain: nn.Module


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One network in a comparison. `key` is equal for those that see the images alike; `weights` is a fingerprint.

    `code` has, for a network of the user's own, the SHA-256 of its file as it is run, and as it was trained.
    """

    name: str
    choice: str
    weights: str
    key: str
    code: Mapping[str, str | None] = field(default_factory=dict)
    images: Callable[[], Images] = field(compare=False, repr=False)
    make: Callable[[torch.device], Ready] = field(compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Field:
    """All contestants, and what they are compared on: int64 `labels` (N,), and how an image is called."""

    contestants: tuple[Contestant, ...]
    source: str
    fingerprint: str
    labels: Tensor
    classes: int
    shown: Callable[[int], str] = field(compare=False, repr=False)


def enter(
    models: Sequence[str],
    weights: Mapping[str, Path],
    source: str,
    *,
    configs: Mapping[str, Path],
    device: str,
    progress: Say,
    bars: bool,
    accept_changed_code: bool = False,
) -> Field:
    """Find images and weights of all. Missing weights are downloaded now; images are decoded now for networks of ours only.

    `source` is ImageNet's folder, or cifar10, digits or folder:PATH. `models` are torchvision's names and files of ours.
    `configs` are the configurations of files of ours that carry none and have none beside them.
    Errors: UsageError where a model does not fit the images, and those of the images and the weights.
    """
    if not models:
        raise UsageError("--models names no model: give names such as alexnet,resnet18, or files of weights")
    twice = next((name for name in models if models.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"--models names {twice!r} twice: give it once")
    for name in weights:
        if name not in models:
            raise UsageError(f"--weights {name}={weights[name]}: {name!r} is not among --models {','.join(models)}")
    kind = source.partition(":")[0]
    ours = [name for name in models if _is_file(name)]
    for name in configs:
        if name not in ours:
            raise UsageError(f"--config {name}={configs[name]}: {name!r} is no file of weights among --models {','.join(models)}")
    own = name_code([source], None) if is_own_data(source) else []
    if not own and not (kind in SOURCES and (source == kind or ":" in source)):
        if ours:
            raise UsageError(f"{ours[0]!r} is a network of ours, which does not know ImageNet: give its own images with --data folder:PATH")
        found = list_imagenet(source)
        return _field(found, f"imagenet:{found.base}", _from_torchvision(models, weights, found, None, bars))
    listing = list_folder_test(source.partition(":")[2]) if kind == "folder" else None
    columns = None
    theirs = [name for name in models if name not in ours]
    if theirs:
        if listing is None or not all(WNID.fullmatch(name) and name in list_wnids() for name in listing.classes):
            raise UsageError(
                f"{theirs[0]!r} knows ImageNet's classes only, and those of {source!r} are others: "
                "leave it out, or name the class folders by WordNet id"
            )
        columns = torch.tensor([list_wnids()[name] for name in listing.classes])
    by_name: dict[str, Contestant] = {}
    dataset: Dataset | None = None
    if ours:
        by_name, dataset = _ours(ours, configs, source, device, progress, accept_changed_code)
    if listing is not None:
        by_name |= {c.name: c for c in _from_torchvision(theirs, weights, listing, columns, bars)}
        return _field(listing, source, [by_name[name] for name in models])
    assert dataset is not None
    return Field(
        contestants=tuple(by_name[name] for name in models),
        source=source,
        fingerprint=dataset.fingerprint,
        labels=torch.from_numpy(dataset.test_labels.copy()),
        classes=len(dataset.classes),
        shown=lambda index: f"image {index}",
    )


OF_THE_USER = "a network of your own"  # of whatever file: a database holds one list for all rows of a comparison


def list_choices() -> list[str]:
    """Every value that the model parameter of a comparison may take."""
    theirs = pretrained.list_names()
    return [*theirs, *(_own_choice(name) for name in MODELS), *(_own_choice(f"{TORCHVISION}{name}") for name in theirs), OF_THE_USER]


def _own_choice(model: str) -> str:
    """How a network of ours, one fine-tuned, or the user's stands among the model parameter's choices, beside torchvision's names."""
    if is_torchvisions(model):
        return f"{model.removeprefix(TORCHVISION)} (fine-tuned)"
    return f"{model} (ours)" if model in MODELS else OF_THE_USER


def _is_file(name: str) -> bool:
    return Path(name).suffix in (".pt", ".pth") or "/" in name or "\\" in name


def _field(listing: Listing, source: str, contestants: Sequence[Contestant]) -> Field:
    return Field(
        contestants=tuple(contestants),
        source=source,
        fingerprint=listing.fingerprint,
        labels=torch.from_numpy(listing.labels),
        classes=len(listing.classes),
        shown=listing.shown,
    )


def _from_torchvision(
    models: Sequence[str], weights: Mapping[str, Path], listing: Listing, columns: Tensor | None, bars: bool
) -> list[Contestant]:
    return [_torchvision(pretrained.find(name, weights.get(name), progress=bars), listing, columns) for name in models]


def _torchvision(found: pretrained.Pretrained, listing: Listing, columns: Tensor | None) -> Contestant:
    """`columns` are the outputs that compete, all where it is None."""
    transforms = found.transforms()

    def make(device: torch.device) -> Ready:
        network = found.build().to(device=device, memory_format=torch.channels_last).requires_grad_(False)  # type: ignore[call-overload]
        chosen = None if columns is None else columns.to(device)

        def forward(x: Tensor) -> Tensor:
            logits: Tensor = network(x)
            return logits if chosen is None else logits[:, chosen]

        return Ready(forward=forward, plain=network)

    return Contestant(
        name=found.name,
        choice=found.name,
        weights=found.fingerprint(),
        key=f"{type(transforms).__name__} {sorted(vars(transforms).items())}" if hasattr(transforms, "crop_size") else repr(transforms),
        images=lambda: Files(listing, transforms),
        make=make,
    )


def _ours(
    names: Sequence[str], configs: Mapping[str, Path], source: str, device: str, progress: Say, accept_changed_code: bool
) -> tuple[dict[str, Contestant], Dataset]:
    entered, datasets = {}, {}
    for name in names:
        path = Path(name)
        given = configs.get(name)
        loaded, facts = load_trained(path, given, progress, accept_changed_code=accept_changed_code)
        if facts is None:
            raise UsageError(
                f"nothing says which image size, normalisation and classes {name!r} was trained with: "
                f"give its configuration with --config {quote(name)}=FILE, or put it beside as config.yaml"
            )
        data, precision = replace(facts.config.data, source=source), choose_precision(facts.config.precision, device)
        if data.image_size not in datasets:
            datasets[data.image_size] = load(data, progress=progress)
        dataset = datasets[data.image_size]
        columns = match_classes(facts.data, loaded.classes, dataset, path, progress)
        entered[name] = Contestant(
            name=name,
            choice=_own_choice(loaded.spec.name),
            weights=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
            key=f"{data.image_size} pixels, mean {data.mean}, deviation {data.std}",
            code=_list_code(facts.config),
            images=_stored(dataset, data, device),
            make=_for_evaluation(loaded, precision, columns),
        )
    return entered, next(iter(datasets.values()))


def _list_code(config: TrialConfig) -> dict[str, str | None]:
    return {"code": find_permitted(config.model).digest, "trained_code": config.code} if is_own(config.model) else {}


def _stored(dataset: Dataset, data: DataConfig, device: str) -> Callable[[], Images]:
    return lambda: Stored(make_resident(dataset, data, device, None))


def _for_evaluation(loaded: Loaded, precision: str, columns: list[int]) -> Callable[[torch.device], Ready]:
    """Makes the network as `tuner evaluate` makes it, its outputs in the order `columns`."""
    in_place = columns == list(range(loaded.classes))

    def make(device: torch.device) -> Ready:
        evaluator = loaded.spec.to_training_form(loaded.network, device).evaluator()
        evaluator.refresh()

        def forward(x: Tensor) -> Tensor:
            with _cast(device, precision):
                logits: Tensor = evaluator(x).float()
                return logits if in_place else logits[:, columns]

        return Ready(forward=forward, plain=loaded.network.to(device).eval().requires_grad_(False))

    return make


def _cast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    return cast_to(device, precision) if precision != "fp32" else nullcontext()
