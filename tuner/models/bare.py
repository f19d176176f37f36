"""torchvision's networks without weights, for any number of classes: how they are built, and which part is their head."""

from __future__ import annotations

from functools import cache

import torch
import torchvision
from torch import nn
from torchvision.models import get_model, list_models

from ..errors import UsageError, nearest
from .stages import find_stages

WITH_HEADS = ("googlenet", "inception_v3")  # that have auxiliary heads


def check_known(name: str) -> None:
    """Errors: UsageError where torchvision has no classification network of that name; it names the nearest."""
    known = list_models(module=torchvision.models)
    if name not in known:
        raise UsageError(f"no model {name!r} in torchvision {torchvision.__version__}: {nearest(name, known)}")


def build_bare(name: str, classes: int) -> nn.Module:
    """The network as torchvision's own builder makes it, drawn at random, in training mode.

    GoogLeNet and Inception v3 have no auxiliary heads, and take images that are normalised as ImageNet's (`transform_input`):
    so their weights in torchvision want it. Errors: UsageError for an unknown name.
    """
    check_known(name)
    options = {"aux_logits": False, "transform_input": True, "init_weights": False} if name in WITH_HEADS else {}
    network: nn.Module = get_model(name, weights=None, num_classes=classes, **options)
    return network


@cache
def list_weights(name: str) -> tuple[str, ...]:
    """The names in the network's state dict."""
    return tuple(_build_without_memory(name, 2).state_dict())


@cache
def find_head(name: str) -> str:
    """The module that gives one number a class, such as `fc`: the one whose weights have another shape for other classes."""
    two, three = (dict(_build_without_memory(name, classes).named_parameters()) for classes in (2, 3))
    (head,) = {each.rpartition(".")[0] for each, weight in two.items() if weight.shape != three[each].shape}
    return head


@cache
def count_stages(name: str) -> int:
    """How many stages the network has, its head apart."""
    return len(find_stages(_build_without_memory(name, 2), find_head(name)))


def _build_without_memory(name: str, classes: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                return build_bare(name, classes)
        except NotImplementedError:  # RegNet's builder reckons with tensors
            return build_bare(name, classes)
