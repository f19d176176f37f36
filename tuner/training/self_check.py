"""Whether training is right on a device: tried on a small network before any trial is."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional as F

from ..config.trial_config import TrialConfig
from ..data.resident import Resident
from ..errors import TunerError
from ..models import find_model
from ..models.finetuned import is_torchvisions
from .run import Run, build_network

WIDTH, IMAGES, SIZE, CLASSES = 0.125, 8, 16, 4
CLOSE = 1e-6  # relative, in float64; a deep network makes 1e-9 of its rounding, and a fault far more than this


def check_training(model: str, device: str, precision: str) -> None:
    """Compare the fast form with the plain network, and a run that was saved and loaded with one that went on.

    Takes half a second on a CPU. torchvision's networks are trained as they are, and some have no pixel left of the images here.
    Errors: TunerError with the figure that is wrong.
    """
    if is_torchvisions(model):
        return
    config = TrialConfig(model=model, width=WIDTH, lr=0.01, batch_size=IMAGES, precision=precision)
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)
    train = Resident(images, np.arange(IMAGES, dtype=np.int64) % CLASSES, mean=(0.5,), std=(0.5,), device=device)
    where = f"{model} on {device}"
    if find_model(model).make_faster is not None and not device.startswith("mps"):  # which has no float64
        differing = _compare_forms(config, train)
        if not differing <= CLOSE:
            raise TunerError(
                f"{where} is trained wrongly: gradients differ from the plain network's by {differing:.1e} in float64, allowed {CLOSE:g}"
            )
    with torch.random.fork_rng(devices=[train.device] if device.startswith("cuda") else []):
        name = _find_loss_of_state(config, train, CLASSES)
    if name is not None:
        raise TunerError(f"{where} is not taken up again as it was: {name} differs after a checkpoint was loaded and a step taken")


def check_resuming(config: TrialConfig, train: Resident, classes: int, device: str) -> None:
    """Compare a run of these images that was saved and loaded with one that went on. Errors: TunerError with the name of what differs."""
    config = replace(config, batch_size=min(IMAGES, len(train)), micro_batches=1)
    with torch.random.fork_rng(devices=[train.device] if device.startswith("cuda") else []):
        name = _find_loss_of_state(config, train, classes)
    if name is not None:
        raise TunerError(
            f"{config.model} on {device} cannot be taken up again as it was: {name} differs after a checkpoint was loaded and "
            "a step taken; keep all that a step changes in parameters and buffers that are saved"
        )


def _compare_forms(config: TrialConfig, train: Resident) -> float:
    """The largest difference of a gradient, in float64, relative to the largest of its tensor's."""
    plain = build_network(config, CLASSES).double().to(train.device)
    form = find_model(config.model).to_training_form(build_network(config, CLASSES).double(), train.device)
    images, labels = train.batch(torch.arange(IMAGES))
    for network in (plain, form):
        network.train()
        torch.autograd.backward(F.cross_entropy(network(images.double()), labels))
    form.after_backward()
    ours = form.to_plain({name: p.grad for name, p in form.named_parameters() if p.grad is not None})
    worst = 0.0
    for name, parameter in plain.named_parameters():
        assert parameter.grad is not None
        wanted = parameter.grad.cpu()
        scale = max(float(wanted.abs().max()), 1e-6)  # biases before a BatchNorm have gradients of nothing but rounding
        worst = max(worst, float((ours[name] - wanted).abs().max()) / scale)
    return worst


def _find_loss_of_state(config: TrialConfig, train: Resident, classes: int) -> str | None:
    """The first tensor that differs between a run that goes on and one that was made anew from its state."""
    batch = train.batch(torch.arange(config.batch_size))

    def make() -> Run:
        run = Run(config, train, None, classes=classes, device=str(train.device))
        run.network.train()
        return run

    run = make()
    run.step(*batch)
    again = make()
    again.load_state(run.state())
    found = []
    for each in (run, again):
        torch.manual_seed(0)  # of dropout
        random.seed(0)
        np.random.seed(0)
        each.step(*batch)
        state = each.state()
        found.append(state["weights"] | {f"{kind} of {name}": t for kind, named in state["optimizer"].items() for name, t in named.items()})
    went_on, loaded = found
    return next((name for name, tensor in went_on.items() if not torch.equal(tensor, loaded[name])), None)
