"""The optimiser of a trial, and its learning rate at each step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from ..config.trial_config import TrialConfig
from ..models.tuned import Tuned

WARM_UP = 0.25  # share of the steps in which the one-cycle schedule rises


def compute_learning_rate(config: TrialConfig, step: int, steps: int) -> float:
    """The learning rate of a step (from 0) out of all `steps` of the trial. It depends on nothing else.

    constant: lr. cosine: from lr down to 0 along half a cosine. onecycle: in a line up to lr over the first quarter
    of the steps, then in a line down to 0. With `warmup_epochs` constant and cosine first rise to lr in a line, and begin after it.
    """
    rise = config.warmup_epochs * steps / config.epochs
    if step < rise:
        return config.lr * min(1.0, (step + 1) / rise)
    if config.schedule == "cosine":
        return config.lr * 0.5 * (1 + math.cos(math.pi * (step - rise) / (steps - rise)))
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
    groups = group_parameters(config, network)
    parameters = [parameter for group in groups for parameter in group["params"]]
    if config.optimizer == "adamw":
        # Off the CPU the count of steps has to live on the device for a step to be captured.
        capturable = lr.device.type == "cuda"
        betas = (config.momentum, 0.999)
        made: Optimizer = AdamW(groups, config.lr, betas=betas, weight_decay=config.weight_decay, fused=True, capturable=capturable)
        for p in parameters:
            step = torch.zeros((), dtype=torch.float32, device=p.device)
            made.state[p] = {"step": step, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
        return _reading(made, lr)
    assert config.optimizer == "sgd", config.optimizer
    made = SGD(
        groups,
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


def group_parameters(config: TrialConfig, network: nn.Module) -> list[dict[str, Any]]:
    """What is trained, in groups of one learning rate: `scale` is what the trial's is multiplied by."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            scale = 1.0
            if isinstance(network, Tuned):
                scale = network.scale_rate(name, head_lr=config.head_lr, layer_decay=config.layer_decay)
            groups.setdefault(scale, []).append(parameter)
    return [{"params": parameters, "scale": scale} for scale, parameters in groups.items()]


def set_learning_rate(optimizer: Optimizer, lr: Tensor, value: float) -> None:
    """Set `lr`, and the rates that are multiples of it."""
    lr.fill_(value)
    for group in optimizer.param_groups:
        if group["lr"] is not lr:
            group["lr"].fill_(value * group["scale"])


def _reading(made: Optimizer, lr: Tensor) -> Optimizer:
    """The optimiser, reading its learning rate from a tensor. If it were built with one, it would compare it, and wait for the device."""
    for group in made.param_groups:
        group["lr"] = lr if group["scale"] == 1 else lr * group["scale"]
    return made
