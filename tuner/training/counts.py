"""What an objective counts beside loss and accuracy: in whole numbers on the device, divided on the host."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

Z = float(ndtri(0.975))  # of a 95 % interval


class Counts(Protocol):
    """Counts over batches, which wait for the device only when they are read."""

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Count a batch: logits (B, classes), labels (B,)."""

    def read(self) -> dict[str, float]:
        """The figures of all batches so far."""


def make_counts(objective: str) -> Counts | None:
    """What counts for an objective; None where loss and accuracy are all it takes."""
    if objective == "top5":
        return TopHits(5)
    return ClassCounts(objective) if objective in ("balanced_accuracy", "macro_f1") else None


class TopHits:
    """How many images have their class among the k likeliest."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._hits: Tensor | None = None
        self._images = 0

    def add(self, logits: Tensor, labels: Tensor) -> None:
        hits = (logits.topk(self._k).indices == labels[:, None]).sum()
        self._hits = hits if self._hits is None else self._hits + hits
        self._images += len(labels)

    def read(self) -> dict[str, float]:
        assert self._hits is not None, "no batch was counted"
        return {f"top{self._k}": int(self._hits.item()) / self._images}


class ClassCounts:
    """Of each class the images, those that are guessed right, and those that are guessed to be of it: int64 (3, classes)."""

    def __init__(self, objective: str) -> None:
        self._objective = objective
        self._counts: Tensor | None = None

    def add(self, logits: Tensor, labels: Tensor) -> None:
        # Comparisons, because a count by index waits for the device, and is not the same bits each time where it is in floats.
        classes = torch.arange(logits.shape[1], device=labels.device)
        true, guessed = labels[:, None] == classes, logits.topk(1).indices == classes
        found = torch.stack([true.sum(0), (true & guessed).sum(0), guessed.sum(0)])
        self._counts = found if self._counts is None else self._counts + found

    def read(self) -> dict[str, float]:
        assert self._counts is not None, "no batch was counted"
        images, hits, guesses = self._counts.cpu().numpy()
        if self._objective == "macro_f1":
            return {"macro_f1": find_macro_f1(images, hits, guesses)}
        low, high = find_recall_interval(images, hits)
        return {"balanced_accuracy": find_balanced_accuracy(images, hits), "low": low, "high": high}


def find_balanced_accuracy(images: NDArray[np.int64], hits: NDArray[np.int64]) -> float:
    """The mean over the classes that have images of the share of them that is right."""
    there = images > 0
    return float((hits[there] / images[there]).mean())


def find_macro_f1(images: NDArray[np.int64], hits: NDArray[np.int64], guesses: NDArray[np.int64]) -> float:
    """The mean of F1 over the classes that have images or guesses; 0 for one without a hit."""
    either = images + guesses
    there = either > 0
    return float((2 * hits[there] / either[there]).mean())


def find_recall_interval(images: NDArray[np.int64], hits: NDArray[np.int64]) -> tuple[float, float]:
    """A 95 % interval for the balanced accuracy, each class a sample of its own.

    Wilson's interval of each class's share, combined as Zou, Huang and Zhang do it: A note on confidence interval estimation for
    a linear function of binomial proportions, Computational Statistics & Data Analysis 53, 2009. Where a small class is all
    right or all wrong it is still wide, which the normal approximation is not.
    """
    there = images > 0
    n, right = images[there].astype(np.float64), hits[there].astype(np.float64)
    shares = right / n
    middle, half = (right + Z**2 / 2) / (n + Z**2), Z / (n + Z**2) * np.sqrt(right * (n - right) / n + Z**2 / 4)
    below, above = (float(np.sqrt((each**2).sum())) / len(n) for each in (shares - (middle - half), (middle + half) - shares))
    value = float(shares.mean())
    return max(0.0, value - below), min(1.0, value + above)
