"""The optimiser of a trial, and its learning rate at each step."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from ..config.trial_config import TrialConfig

WARM_UP = 0.25  # share of the steps in which the one-cycle schedule rises


def compute_learning_rate(config: TrialConfig, step: int, steps: int) -> float:
    """The learning rate of a step (from 0) out of all `steps` of the trial. It depends on nothing else.

    constant: lr. cosine: from lr down to 0 along half a cosine. onecycle: in a line up to lr over the first quarter
    of the steps, then in a line down to 0.
    """
    if config.schedule == "cosine":
        return config.lr * 0.5 * (1 + math.cos(math.pi * step / steps))
    if config.schedule == "onecycle":
        rise = max(1, round(WARM_UP * steps))
        return config.lr * ((step + 1) / rise if step < rise else (steps - step) / (steps - rise))
    assert config.schedule == "constant", config.schedule
    return config.lr


def make_optimizer(config: TrialConfig, network: nn.Module, lr: Tensor) -> Optimizer:
    """SGD or AdamW (whose first beta is the momentum), fused; it reads `lr` at each step.

    The state is there from the start, zero: that is where SGD and AdamW begin, and so it can be captured, saved and
    restored like any other tensor.
    """
    parameters = list(network.parameters())
    if config.optimizer == "adamw":
        # Off the CPU the count of steps has to live on the device for a step to be captured.
        capturable = lr.device.type == "cuda"
        betas = (config.momentum, 0.999)
        made: Optimizer = AdamW(parameters, config.lr, betas=betas, weight_decay=config.weight_decay, fused=True, capturable=capturable)
        for p in parameters:
            step = torch.zeros((), dtype=torch.float32, device=p.device)
            made.state[p] = {"step": step, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
        return _reading(made, lr)
    assert config.optimizer == "sgd", config.optimizer
    made = SGD(
        parameters,
        config.lr,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=config.nesterov and config.momentum > 0,
        fused=True,
    )
    if config.momentum > 0:
        for p in parameters:
            made.state[p] = {"momentum_buffer": torch.zeros_like(p)}
    return _reading(made, lr)


def _reading(made: Optimizer, lr: Tensor) -> Optimizer:
    """The optimiser, reading its learning rate from a tensor. If it were built with one, it would compare it, and wait for the device."""
    for group in made.param_groups:
        group["lr"] = lr
    return made
