"""Whether the fast form computes on a device what the plain network computes there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tuner.config.trial_config import TrialConfig
from tuner.models import find_model
from tuner.models.forms import TrainingForm
from tuner.training.run import build_network

from .naive import Network
from .ours import make_run


@dataclass(frozen=True, kw_only=True)
class Check:
    """A relative difference and the most that it may be."""

    name: str
    difference: float
    most: float

    @property
    def passed(self) -> bool:
        return self.difference <= self.most  # false for NaN


def checks(device: str, *, quick: bool) -> list[Check]:
    """All of them, for both networks."""
    if not device.startswith("cuda"):
        torch.set_num_threads(1)
    width = 0.0625 if quick else 0.25
    tf32 = device.startswith("cuda")  # where PyTorch's convolutions round fp32 to 10 bits, unless told otherwise
    found = []
    for model in ("mynet", "googlenet"):
        for dtype, most_forward, most_weights in ((torch.float64, 1e-12, 1e-10), (torch.float32, 1e-2 if tf32 else 1e-4, 0.1)):
            forward, weights = plain_and_fast(model, width, device, dtype)
            name = f"{model} {str(dtype).removeprefix('torch.')}: fast and plain"
            found.append(Check(name=f"{name}, forward", difference=forward, most=most_forward))
            found.append(Check(name=f"{name}, change of weights in 5 steps", difference=weights, most=most_weights))
        if device.startswith("cuda"):
            for precision in ("fp32", "bf16"):
                difference = captured_and_eager(model, width, device, precision)
                found.append(
                    Check(name=f"{model} {precision}: captured and eager, an epoch's change of weights", difference=difference, most=0.1)
                )
        losses = [epoch(model, width, device, precision=precision)[1] for precision in ("fp32", "bf16")]
        found.append(Check(name=f"{model}: bf16 and fp32, an epoch's loss", difference=abs(losses[1] / losses[0] - 1), most=0.05))
    return found


def plain_and_fast(model: str, width: float, device: str, dtype: torch.dtype) -> tuple[float, float]:
    """Differences in the logits, and in what five steps of SGD change."""
    ours = build_network(TrialConfig(model=model, width=width), 10)
    start = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    plain = Network(model, width)
    plain.load_state_dict(start)
    plain = plain.to(device=device, dtype=dtype)
    quick = find_model(model).to_training_form(ours.to(dtype), torch.device(device))
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(8, 3, 32, 32, generator=generator, dtype=dtype).to(device)
    labels = torch.randint(0, 10, (8,), generator=generator).to(device)
    with torch.no_grad():
        forward = far(quick(images.to(memory_format=torch.channels_last)), plain(images))
    for network, x in ((plain, images), (quick, images.to(memory_format=torch.channels_last))):
        _train(network, x, labels)
    return forward, moved(start, quick.to_plain(quick.state_dict()), plain.state_dict())


def _train(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)
    for _ in range(5):
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(network(images), labels))
        if isinstance(network, TrainingForm):
            network.after_backward()
        optimizer.step()


def captured_and_eager(model: str, width: float, device: str, precision: str) -> float:
    """Difference in what an epoch with a short last batch changes, so that a step too many or too few shows."""
    (eager, _), (captured, _) = (epoch(model, width, device, precision=precision, capture=capture) for capture in (False, True))
    return moved(build_network(TrialConfig(model=model, width=width), 10).state_dict(), captured, eager)


def moved(start: dict[str, Tensor], after: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """How far the change from `start` to `after` is from the one expected, as a share of it: all weights as one vector."""
    names = [name for name, tensor in start.items() if tensor.is_floating_point()]
    changes = [torch.cat([(end[name].cpu() - start[name]).flatten() for name in names]) for end in (after, expected)]
    return float((changes[0] - changes[1]).norm() / changes[1].norm())


def epoch(model: str, width: float, device: str, *, precision: str, capture: bool = False) -> tuple[dict[str, Tensor], float]:
    """Weights and training loss after one epoch of 3 full batches and a short one."""
    run = make_run(model=model, width=width, batch=8, images=30, threads=1, device=device, precision=precision, capture=capture)
    first = next(run.epochs())
    return run.weights(), first.train_loss


def far(a: Tensor, b: Tensor) -> float:
    """Largest difference, relative to the largest value."""
    return float((a - b).detach().abs().max() / b.detach().abs().max().clamp_min(1e-300))
