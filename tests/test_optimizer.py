"""The optimiser is PyTorch's own, without what PyTorch imports for it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tuner.config.trial_config import TrialConfig
from tuner.training.optimizer import Optimizer

CHOICES: list[dict[str, Any]] = [
    {"momentum": 0.0, "weight_decay": 0.0},
    {"momentum": 0.9, "weight_decay": 0.01},
    {"momentum": 0.9, "nesterov": True},
    {"optimizer": "adamw", "momentum": 0.8, "weight_decay": 0.1},
]


class Network(nn.Module):
    """Parameters of several shapes and of two kinds of numbers, one of which the loss does not depend on."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.kernel = nn.Parameter(torch.randn(7, 3, 5, 5, generator=generator))
        self.bias = nn.Parameter(torch.randn(7, generator=generator))
        self.in_double = nn.Parameter(torch.randn(4, 6, generator=generator).double())
        self.unused = nn.Parameter(torch.randn(2, generator=generator))


@pytest.mark.parametrize("changes", CHOICES, ids=str)
def test_its_steps_are_those_of_torch_optim_bit_for_bit(changes: dict[str, Any]) -> None:
    config = TrialConfig(lr=0.3, **changes)
    ours, theirs = Network(), Network()
    lr = torch.tensor(config.lr)
    optimizer = Optimizer(config, ours, lr)
    reference: torch.optim.Optimizer
    if config.optimizer == "adamw":
        reference = torch.optim.AdamW(theirs.parameters(), betas=(config.momentum, 0.999), weight_decay=config.weight_decay, fused=True)
    else:
        nesterov = config.nesterov and config.momentum > 0
        reference = torch.optim.SGD(
            theirs.parameters(), momentum=config.momentum, weight_decay=config.weight_decay, nesterov=nesterov, fused=True
        )
    reference.param_groups[0]["lr"] = lr.clone()
    generator = torch.Generator().manual_seed(5)
    for step in range(6):
        optimizer.set_learning_rate(0.3 / (step + 1))
        reference.param_groups[0]["lr"].fill_(0.3 / (step + 1))
        optimizer.clear_gradients()
        for name, parameter in ours.named_parameters():
            assert parameter.grad is None
            # From the third step on the second parameter has none either, as a layer that is left out at times.
            if name != "unused" and (name != "bias" or step < 2):
                parameter.grad = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            other: Tensor = theirs.get_parameter(name)
            other.grad = None if parameter.grad is None else parameter.grad.clone()
        optimizer.step()
        reference.step()
        for name, parameter in ours.named_parameters():
            assert torch.equal(parameter, theirs.get_parameter(name)), (name, step)
            for kind, tensor in reference.state[theirs.get_parameter(name)].items():
                assert torch.equal(optimizer.state[parameter][kind], tensor), (name, kind, step)
    assert torch.equal(ours.unused, Network().unused)


def test_training_imports_no_compiler() -> None:
    """It costs a worker seconds and memory, and nothing is compiled."""
    program = """
import sys
from tuner.training.self_check import check_training
check_training("mynet", "cpu", "fp32")
import torch
from tuner.config.trial_config import TrialConfig
from tuner.training.optimizer import Optimizer
network = torch.nn.Linear(2, 2)
network(torch.ones(1, 2)).sum().backward()
Optimizer(TrialConfig(optimizer="adamw"), network, torch.tensor(0.1)).step()
assert "torch.optim" in sys.modules
print(sorted({name.split(".")[1] for name in sys.modules if name.startswith(("torch._dynamo", "torch._inductor"))}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
