"""The optimiser of a trial, and its learning rate at each step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.sgd import sgd

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


@dataclass(frozen=True)
class Group:
    """Parameters of one learning rate, which is `scale` times that of the trial."""

    parameters: tuple[nn.Parameter, ...]
    scale: float
    lr: Tensor


class Optimizer:
    """SGD, or AdamW whose first beta is the momentum: PyTorch's fused kernels, which read the learning rate from a tensor at each step.

    The figures are those of `torch.optim.SGD` and `torch.optim.AdamW`, bit for bit. Those classes import PyTorch's compiler
    at their first step, also where nothing is compiled: seconds and 150 MB a worker.
    The state is there from the start, zero: that is where both begin, and so it can be captured, saved and restored
    like any other tensor.
    """

    def __init__(self, config: TrialConfig, network: nn.Module, lr: Tensor) -> None:
        assert config.optimizer in ("sgd", "adamw"), config.optimizer
        self._config, self._lr = config, lr
        self.groups = tuple(
            Group(tuple(parameters), scale, lr if scale == 1 else lr * scale)
            for scale, parameters in group_parameters(config, network).items()
        )
        self.state: dict[Tensor, dict[str, Tensor]] = {p: self._begin(p) for group in self.groups for p in group.parameters}

    def _begin(self, parameter: Tensor) -> dict[str, Tensor]:
        if self._config.optimizer == "adamw":
            step = torch.zeros((), dtype=torch.float32, device=parameter.device)
            return {"step": step, "exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}
        return {"momentum_buffer": torch.zeros_like(parameter)} if self._config.momentum > 0 else {}

    def set_learning_rate(self, value: float) -> None:
        """Set the trial's rate, in its tensor, and those that are multiples of it."""
        self._lr.fill_(value)
        for group in self.groups:
            if group.lr is not self._lr:
                group.lr.fill_(value * group.scale)

    def clear_gradients(self) -> None:
        for group in self.groups:
            for parameter in group.parameters:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One step on the gradients there are: a parameter that the loss does not depend on has none, and stays."""
        for group in self.groups:
            with_gradient: list[Tensor] = [p for p in group.parameters if p.grad is not None]
            gradients = [p.grad for p in with_gradient if p.grad is not None]
            if self._config.optimizer == "adamw":
                self._step_adamw(with_gradient, gradients, group.lr)
            else:
                self._step_sgd(with_gradient, gradients, group.lr)

    def _step_sgd(self, parameters: list[Tensor], gradients: list[Tensor], lr: Tensor) -> None:
        sgd(
            parameters,
            gradients,
            [self.state[p].get("momentum_buffer") for p in parameters],
            fused=True,
            weight_decay=self._config.weight_decay,
            momentum=self._config.momentum,
            lr=lr,
            dampening=0,
            nesterov=self._config.nesterov and self._config.momentum > 0,
            maximize=False,
        )

    def _step_adamw(self, parameters: list[Tensor], gradients: list[Tensor], lr: Tensor) -> None:
        states = [self.state[p] for p in parameters]
        adam(
            parameters,
            gradients,
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            capturable=lr.device.type == "cuda",  # the count of steps lives on the device, for a step to be captured
            decoupled_weight_decay=True,
            amsgrad=False,
            beta1=self._config.momentum,
            beta2=0.999,
            lr=lr,
            weight_decay=self._config.weight_decay,
            eps=1e-8,
            maximize=False,
        )


def group_parameters(config: TrialConfig, network: nn.Module) -> dict[float, list[nn.Parameter]]:
    """What is trained, by what the trial's learning rate is multiplied by."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            scale = 1.0
            if isinstance(network, Tuned):
                scale = network.scale_rate(name, head_lr=config.head_lr, layer_decay=config.layer_decay)
            groups.setdefault(scale, []).append(parameter)
    return groups
