"""The training loss where the classes of the training part are not alike in size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def weigh_classes(labels: Tensor, classes: int) -> Tensor:
    """A weight for each class, float32 (classes,), on the device of `labels` (N,): scikit-learn's "balanced".

    N / (k * n) for a class of n images, where k classes have any; 0 for the others. Over all images the mean weight is 1.
    """
    counts = torch.bincount(labels.cpu(), minlength=classes).double()
    there = counts > 0
    weights = torch.where(there, len(labels) / (int(there.sum()) * counts.clamp(min=1)), 0.0)
    return weights.to(torch.float32).to(labels.device)


def find_loss(logits: Tensor, labels: Tensor, label_smoothing: float, weights: Tensor | None) -> Tensor:
    """Mean cross entropy of a batch. With `weights` (classes,) each image's counts as many times as its class weighs.

    It is divided by the number of images, and not by the sum of their weights as PyTorch's own `weight` does: so a small batch
    of one class weighs as that class does, and the learning rate means the same whatever the batch size.
    """
    if weights is None:
        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    losses = F.cross_entropy(logits, labels, label_smoothing=label_smoothing, reduction="none")
    return (losses * weights.index_select(0, labels)).mean()
