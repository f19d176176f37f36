"""The training, validation and test part of a data set on one device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..config.data_config import DataConfig
from .dataset import Array, Dataset
from .resident import Resident
from .split import split


class Parts:
    """Both parts, kept from trial to trial: one training part for each kind of augmentation that was asked for."""

    def __init__(self, dataset: Dataset, config: DataConfig, device: str) -> None:
        self.classes = len(dataset.classes)
        self._dataset = dataset
        self._config = config
        self._device = device
        self._train, self._val = split(dataset, config)
        self._kept: dict[str, Resident] = {}
        self._other: Parts | None = None

    def split_by(self, seed: int) -> Parts:
        """The parts of the same images where this seed decides which are held out. Of other seeds than the own the last one is kept."""
        if seed == self._config.seed:
            return self
        if self._other is None or self._other._config.seed != seed:
            self._other = None  # its images leave the device first
            self._other = Parts(self._dataset, replace(self._config, seed=seed), self._device)
        return self._other

    def train(self, augment: str) -> Resident:
        if augment not in self._kept:
            self._kept[augment] = make_resident(self._dataset, self._config, self._device, self._train, augment)
        return self._kept[augment]

    def everything(self, augment: str) -> Resident:
        """Both parts together."""
        rows = np.sort(np.concatenate([self._train, self._val]))
        return make_resident(self._dataset, self._config, self._device, rows, augment)

    def test(self) -> Resident:
        if "test" not in self._kept:
            self._kept["test"] = make_resident(self._dataset, self._config, self._device, None)
        return self._kept["test"]

    def val(self) -> Resident:
        if "val" not in self._kept:
            self._kept["val"] = make_resident(self._dataset, self._config, self._device, self._val)
        return self._kept["val"]


def make_resident(dataset: Dataset, config: DataConfig, device: str, rows: Array | None, augment: str = "none") -> Resident:
    """The training images of these rows on a device; the test part where `rows` is None."""
    images, labels = (dataset.test_images, dataset.test_labels) if rows is None else (dataset.train_images, dataset.train_labels)
    return Resident(images, labels, mean=config.mean, std=config.std, device=device, augment=augment, rows=rows)
