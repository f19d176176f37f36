"""A trial's kept weights, and what they say of each image of the validation part."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..config.named_code import name_stored_code
from ..config.trial_config import TrialConfig
from ..data import Dataset, load, split
from ..data.dataset import Array
from ..data.parts import make_resident
from ..errors import TunerError
from ..models import find_model
from ..study.study import Study
from ..study.trials import TrialRow
from ..trained.kept import NotKept, read_kept
from ..training.evaluation import choose_precision, predict
from ..training.run import build_network
from ..training.state import choose_weights
from .languages.en import ENGLISH


class NoPredictions(Exception):
    """There are none to be had; the text is the reason. `key` and `detail` say it in other languages, of trial `number`."""

    def __init__(self, key: str, number: int, detail: str = "") -> None:
        super().__init__(ENGLISH.say(key, trial=ENGLISH.trial(number), detail=detail))
        self.key, self.number, self.detail = key, number, detail


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """For N images: uint8 `images` (N, H, W, 3), int64 `labels` and `guesses` (N,), float `sureness` (N,) of the guess."""

    classes: tuple[str, ...]
    images: Array
    labels: Array
    guesses: Array
    sureness: Array

    @property
    def accuracy(self) -> float:
        return float((self.labels == self.guesses).mean())

    def matrix(self) -> Array:
        """Counts, int64 (true class, predicted class)."""
        counts = np.zeros((len(self.classes), len(self.classes)), dtype=np.int64)
        np.add.at(counts, (self.labels, self.guesses), 1)
        return counts

    def most_wrong(self, count: int) -> list[int]:
        """The images with a wrong guess, the surest of them first."""
        wrong = np.flatnonzero(self.labels != self.guesses)
        return [int(index) for index in wrong[np.argsort(-self.sureness[wrong], kind="stable")][:count]]

    def confused(self, count: int) -> list[tuple[str, str, int]]:
        """The true and predicted classes that were mixed up most often, and how often."""
        counts = self.matrix()
        np.fill_diagonal(counts, 0)
        pairs = [(int(t), int(p)) for t, p in np.argwhere(counts)]
        pairs.sort(key=lambda pair: (-int(counts[pair]), pair))
        return [(self.classes[t], self.classes[p], int(counts[t, p])) for t, p in pairs[:count]]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A trial's weights as its checkpoint has them, and the images that they were scored on."""

    config: TrialConfig
    weights: dict[str, torch.Tensor]  # the plain network's
    dataset: Dataset
    rows: Array  # of the validation part
    device: str

    def predictions(self) -> Predictions:
        """The class that the weights give each image, computed as the trial computed its accuracy."""
        torch.set_num_threads(self.config.threads)
        where = torch.device(self.device)
        plain = build_network(self.config, len(self.dataset.classes))
        plain.load_state_dict(self.weights)
        evaluator = find_model(self.config.model).to_training_form(plain, where).evaluator()
        part = make_resident(self.dataset, self.config.data, self.device, self.rows)
        precision = choose_precision(self.config.precision, self.device)
        logits = [each.float().cpu() for each, _ in predict(evaluator, part, where, precision)]
        sureness, guesses = torch.cat(logits).softmax(1).max(1)
        return Predictions(
            classes=self.dataset.classes,
            images=self.dataset.train_images[self.rows],
            labels=self.dataset.train_labels[self.rows],
            guesses=guesses.numpy(),
            sureness=sureness.numpy(),
        )


def find_kept_weights(study: Study, row: TrialRow, device: str) -> Kept:
    """The trial's weights from its checkpoint. Errors: NoPredictions where they are gone, or the images are."""
    assert row.config is not None
    try:
        state = read_kept(study, row)
    except NotKept as fault:
        raise NoPredictions("lacking_unreadable" if fault.fault else "lacking_gone", row.number, fault.fault) from None
    try:
        name_stored_code({**study.config.code, row.config.model: row.config.code}, study.name, remedy="leave it out")
    except TunerError as error:
        raise NoPredictions("lacking_code", row.number, error.message) from None
    # The search may have been continued on another machine, where the images lie elsewhere.
    data = replace(row.config.data, source=study.config.data.source)
    try:
        dataset = load(data)
    except TunerError as error:
        raise NoPredictions("lacking_images", row.number, error.message) from None
    if dataset.fingerprint != study.data:
        raise NoPredictions("lacking_others", row.number, repr(data.source))
    _, rows = split(dataset, data)
    return Kept(config=row.config, weights=choose_weights(state), dataset=dataset, rows=rows, device=device)
