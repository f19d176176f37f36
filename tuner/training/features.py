"""Each image once through a network of which only the head is trained."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from ..config.trial_config import TrialConfig
from ..data.features import Features
from ..data.resident import Resident
from ..models.forms import TrainingForm
from ..models.tuned import Tuned
from .evaluation import predict

# A worker's trials train heads on the same features. One set is kept for a part, as long as the part itself.
_kept: WeakKeyDictionary[Resident, tuple[tuple[object, ...], Features]] = WeakKeyDictionary()


class NoFeatures(Exception):
    """The network has none that its head alone makes its outputs of."""


def are_reusable(config: TrialConfig) -> bool:
    """Whether an image has the same features each time: all but the head stands still, and images are not augmented."""
    return config.freeze == "backbone" and config.augment == "none"


def find_features(network: TrainingForm, part: Resident, config: TrialConfig, stop: Callable[[], bool]) -> Features | None:
    """The features of all images of a part, found now or kept; None where `stop` said so. It is asked before each batch.

    They are the same bits each time, on one kind of device. Errors: NoFeatures.
    """
    assert isinstance(network, Tuned), type(network)
    key = (config.model, network.digest_backbone(), config.precision, torch.get_num_threads())
    if part in _kept and _kept[part][0] == key:
        return _kept[part][1]
    found: list[Tensor] = []
    labels: list[Tensor] = []
    for features, theirs in predict(_FeatureFinder(network), part, part.device, config.precision):
        found.append(features)
        labels.append(theirs)
        if stop():
            return None
    kept = Features(values=torch.cat(found), labels=torch.cat(labels), of=part)
    _kept[part] = key, kept
    return kept


def forget() -> None:
    """Keep no features any longer."""
    _kept.clear()


class _FeatureFinder:
    """Stands for an evaluator that gives features (B, F) in place of logits."""

    def __init__(self, network: Tuned) -> None:
        self._network = network

    def refresh(self) -> None:
        self._network.eval()

    def __call__(self, x: Tensor) -> Tensor:
        features, alone = self._network.find_features(x)
        if not alone:
            raise NoFeatures
        return features
