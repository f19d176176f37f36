"""One trial's training, from its configuration to its last epoch."""

from __future__ import annotations

import hashlib
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..config.objective import check_classes
from ..config.trial_config import TrialConfig
from ..data.features import Features
from ..data.resident import Resident
from ..errors import UsageError
from ..models import find_model
from ..models.finetuned import is_torchvisions
from ..models.forms import TrainingForm
from ..models.tuned import Tuned
from .class_weights import find_loss, weigh_classes
from .counts import make_counts
from .cuda_graph import CapturedStep, Recorder
from .evaluation import Figures, cast_to, evaluate, prepare
from .features import NoFeatures, are_reusable, find_features
from .metrics import Sums
from .optimizer import Optimizer, compute_learning_rate
from .score import Score, find_counted
from .state import read_state


class Diverged(Exception):
    """A loss is no longer finite; the text says which, and in which epoch."""


class Stopped(Exception):
    """`stop` said so within an epoch. The run is no longer whole: only its checkpoint is."""


class Run:
    """A training run that can stop after any epoch and be resumed, in another process too.

    All that is random in an epoch comes from the trial's seed and the epoch's number, and the learning rate from
    the step's number. So weights, the optimiser's state and the curve are all there is to go on from.

    Without `val` the scores have no validation figures. `stop` is asked before each step, `stepping` told of it (epoch from 1, step from
    0, steps of an epoch), and `evaluating` told before each evaluation. A `recorder` records the step once and replays it; `captured`
    then says whether it does. `lr` is the learning rate of the next step, on the device. `train` and `val` become their features
    where these can be reused. A batch larger than the training part is a UsageError. Sets the number of threads of this process.
    """

    def __init__(
        self,
        config: TrialConfig,
        train: Resident,
        val: Resident | None,
        *,
        classes: int,
        device: str = "cpu",
        stop: Callable[[], bool] = lambda: False,
        stepping: Callable[[int, int, int], None] = lambda epoch, step, steps: None,
        evaluating: Callable[[], None] = lambda: None,
        recorder: Recorder | None = None,
    ) -> None:
        if config.batch_size > len(train):
            few = f"the {len(train)} images of the training part"
            raise UsageError(f"batch_size {config.batch_size} is more than {few}: choose a smaller batch_size or more images")
        check_classes(config.objective, classes)
        self.config = config
        self.classes = classes
        self.train: Resident | Features = train
        self.val: Resident | Features | None = val
        self.curve: list[Score] = []
        self._stop, self._stepping, self._evaluating = stop, stepping, evaluating
        self._device = torch.device(device)
        self._class_weights = None if config.class_weights == "none" else weigh_classes(train.labels, classes)
        self.further: dict[str, float] = {}  # by name, as of the last evaluation
        self._asked = 0.0  # seconds of this epoch in which `stop` was asked
        self._whole = True  # not within an epoch
        self._best: dict[str, Tensor] | None = None  # weights of the best epoch, where its value counts and it is not the last
        torch.set_num_threads(config.threads)
        prepare(self._device)
        self.network = make_form(config, classes, self._device)
        self.parameters = sum(p.numel() for p in self.network.parameters())
        self._evaluator = self.network.evaluator()
        self.lr = torch.tensor(config.lr, dtype=torch.float32, device=self._device)
        self._optimizer = Optimizer(config, self.network, self.lr)
        self.sums = Sums(self._device)
        self.captured = None if recorder is None else CapturedStep(config.batch_size, recorder, self._list_changed())

    def _list_changed(self) -> dict[str, Tensor]:
        """Every tensor that a step changes, by name."""
        changed = dict(self.network.state_dict())
        for kind, named in self._moments().items():
            changed |= {f"{kind} of {name}": tensor for name, tensor in named.items()}
        return {**changed, "sum of losses and hits": self.sums.tensor}

    def epochs(self) -> Iterator[Score]:
        """First the scores of `curve` that are there already, then one for each epoch trained.

        Raises Diverged and Stopped.
        """
        yield from tuple(self.curve)
        for epoch in range(len(self.curve) + 1, self.config.epochs + 1):
            began, self._asked = time.perf_counter(), 0.0
            self._reuse_features()
            train_loss, train_accuracy = self._train_epoch(epoch)
            self._evaluating()
            val_loss, val_accuracy = self.evaluate(self.val) if self.val is not None else (None, None)
            for part, loss in (("training", train_loss), ("validation", val_loss)):
                if loss is not None and not math.isfinite(loss):
                    raise Diverged(f"{part} loss is {loss} in epoch {epoch}")
            score = Score(
                epoch=epoch,
                train_loss=train_loss,
                train_accuracy=train_accuracy,
                val_loss=val_loss,
                val_accuracy=val_accuracy,
                seconds=time.perf_counter() - began - self._asked,
                **{f"val_{name}": figure for name, figure in self.further.items()},
            )
            self._keep_best(score)
            self.curve.append(score)
            yield score

    def _reuse_features(self) -> None:
        """Where no image has other features the next time, train and evaluate on these: each image passes the network once."""
        if not are_reusable(self.config) or isinstance(self.train, Features):
            return
        assert isinstance(self.network, Tuned) and not isinstance(self.val, Features)
        found = []
        for part in (self.train, self.val):
            try:
                features = None if part is None else find_features(self.network, part, self.config, self._should_stop)
            except NoFeatures:
                return
            if part is not None and features is None:
                raise Stopped
            found.append(features)
        self.train, self.val = found[0] or self.train, found[1]

    def _keep_best(self, score: Score) -> None:
        """Before the epoch of `score` joins the curve: the weights of the one that is best with it."""
        if self.config.value == "best" and find_counted([*self.curve, score], "best", self.config.objective) is score:
            self._best = self.weights()

    @property
    def counted(self) -> Score:
        """The epoch whose figures and weights are the run's result."""
        return find_counted(self.curve, self.config.value, self.config.objective)

    def take_counted(self) -> None:
        """Give the network the weights of that epoch. It is not trained on after that."""
        if self._best is not None:
            own = self.network.state_dict()
            with torch.no_grad():
                for name, tensor in self.network.from_plain(self._best, own).items():
                    own[name].copy_(tensor)
        self._whole = False

    def _train_epoch(self, epoch: int) -> tuple[float, float]:
        """Loss per image and accuracy over the epoch. The device is waited for once, at the end."""
        config = self.config
        seed = derive_epoch_seed(config.seed, epoch)
        torch.manual_seed(seed)
        if find_model(config.model).takes_options:  # code of the user's own may draw from these
            random.seed(seed)
            np.random.seed(seed % 2**32)
        generator = torch.Generator().manual_seed(seed)
        order = self.train.move(torch.randperm(len(self.train), generator=generator))
        batches = torch.split(order, config.batch_size)
        # Drawn for the whole epoch: in a captured step's time the host could not draw a batch.
        drawn = self.train.draw(len(order), generator)
        draws = [None] * len(batches) if drawn is None else torch.split(drawn, config.batch_size)
        self._whole = False
        self.network.train()
        self.sums.reset()
        for index, (rows, draw) in enumerate(zip(batches, draws, strict=True)):
            if self._should_stop():
                raise Stopped
            self._stepping(epoch, index, len(batches))
            rate = compute_learning_rate(config, (epoch - 1) * len(batches) + index, config.epochs * len(batches))
            self._optimizer.set_learning_rate(rate)
            self.step(*self.train.gather(rows, draw))
        loss, accuracy = self.sums.means(len(self.train))
        self._whole = True
        return loss, accuracy

    def _should_stop(self) -> bool:
        """What `stop` says. The time it takes, to report an epoch for example, is not the epoch's."""
        began = time.perf_counter()
        answer = self._stop()
        self._asked += time.perf_counter() - began
        return answer

    def step(self, images: Tensor, labels: Tensor) -> None:
        """One step of training, replayed where it has been recorded."""
        if self.captured is None:
            self._step(images, labels)
        else:
            self.captured(self._step, images, labels)

    def _step(self, images: Tensor, labels: Tensor) -> None:
        self._optimizer.clear_gradients()
        count = min(self.config.micro_batches, len(labels))
        for part, theirs in zip(images.tensor_split(count), labels.tensor_split(count), strict=True):
            with cast_to(self._device, self.config.precision):
                logits = self.network(part)
                loss = find_loss(logits, theirs, self.config.label_smoothing, self._class_weights)
            # Gradients add up to that of the mean over the whole batch.
            torch.autograd.backward(loss if count == 1 else loss * (len(theirs) / len(labels)))
            self.network.after_backward()
            self.sums.add(loss, logits, theirs)
        self._optimizer.step()

    def evaluate(self, part: Resident | Features) -> Figures:
        """The figures of the weights as they are now; what the objective takes beside them is in `further` then."""
        counts = make_counts(self.config.objective)
        figures = evaluate(self._evaluator, part, self._device, self.config.precision, counts)
        self.further = {} if counts is None else counts.read()
        return figures

    def weights(self) -> dict[str, Tensor]:
        """The plain network's state dict, on the CPU, as report A's code would save it."""
        return self.network.to_plain(self.network.state_dict())

    def _moments(self) -> dict[str, dict[str, Tensor]]:
        """The optimiser's tensors by kind, then by parameter."""
        kinds: dict[str, dict[str, Tensor]] = {}
        for name, parameter in self.network.named_parameters():
            for kind, tensor in self._optimizer.state.get(parameter, {}).items():
                kinds.setdefault(kind, {})[name] = tensor
        return kinds

    def state(self) -> dict[str, Any]:
        """Everything needed to go on: plain numbers, lists and CPU tensors under the plain network's names."""
        assert self._whole, "state in mid-epoch"
        weights = self.weights()
        best: dict[str, Any] = {}
        if self._best is not None:  # one tensor where it is the last epoch: it is written once
            best["best"] = weights if self.counted is self.curve[-1] else self._best
        return {
            "weights": weights,
            **best,
            "optimizer": {kind: self.network.to_plain(named) for kind, named in self._moments().items()},
            "curve": [score.to_dict() for score in self.curve],
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`. ValueError, with nothing loaded, when it is none, or of another network or optimiser."""
        given = read_state(state, epochs=self.config.epochs, objective=self.config.objective)
        best = given.best
        if (best is not None) != (self.config.value == "best" and bool(given.curve)):
            raise ValueError("weights of the best epoch are there, or lacking, where the value is another")
        moments = self._moments()
        if given.optimizer.keys() != moments.keys():
            raise ValueError(f"the state of another optimizer: {sorted(given.optimizer)}, not {sorted(moments)}")
        pairs = [(self.network.state_dict(), given.weights), *((named, given.optimizer[kind]) for kind, named in moments.items())]
        if best is not None:
            self.network.from_plain(best, self.network.state_dict())  # ValueError where it does not fit
        loaded = [(own, self.network.from_plain(plain, own)) for own, plain in pairs]
        for own, new in loaded:
            for name, tensor in own.items():
                if new[name].dtype != tensor.dtype:
                    raise ValueError(f"{name} is {new[name].dtype}, not {tensor.dtype}")
        with torch.no_grad():
            for own, new in loaded:
                for name, tensor in own.items():
                    tensor.copy_(new[name])  # in place: a captured step goes on using the same memory
        self.curve, self._best = given.curve, best
        self._whole = True


def make_form(config: TrialConfig, classes: int, device: torch.device) -> TrainingForm:
    """The network as the trial trains it: initialised, on the device, and frozen as far as it stands still."""
    plain = build_network(config, classes)
    if is_torchvisions(config.model):
        from ..models.initial import load_initial  # and torchvision, which other networks do without

        load_initial(plain, config.model, config.weights, config.weights_digest)
    form = find_model(config.model).to_training_form(plain, device)
    if isinstance(form, Tuned):
        form.freeze(config.freeze)
    return form


def build_network(config: TrialConfig, classes: int) -> nn.Module:
    """The plain network of a trial, drawn from its seed alone; no weights are loaded. The caller's random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        return find_model(config.model).build(config.channels, classes, **config.network)


def derive_epoch_seed(seed: int, epoch: int) -> int:
    """A seed of 63 bits for all that is random in an epoch."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{epoch}".encode()).digest()[:8]) >> 1
