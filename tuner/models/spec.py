"""What the rest of the code needs to know of a network whose hyper-parameters can be searched. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from .forms import TrainingForm

MOST_CHANNELS = 2**20  # of one width; a single 1x1 convolution between two such has 4 TB of weights


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One network. Only calling its functions imports torch.

    `widths` are the channel counts that can be searched, by name, as they are at a factor of 1.
    `build` makes the plain network from a channel count for each of them and the number of classes: it reads
    (B, 3, H, W) and gives logits (B, classes).
    `make_faster` makes the form that trains fastest and computes the same; None where that is the plain network itself.
    `owns` says from the names alone whether a state dict is this network's, and `read_sizes` takes the channel counts and
    the number of classes from its shapes; KeyError where something is lacking.
    Where it `takes_options`, `build` gets those of `network` as arguments.
    `count` tells parameters and multiply-adds from channel counts, classes and an image's pixels, without building anything.
    """

    name: str
    title: str
    widths: Mapping[str, int]
    build: Callable[..., nn.Module]
    owns: Callable[[Mapping[str, Tensor]], bool]
    read_sizes: Callable[[Mapping[str, Tensor]], tuple[dict[str, int], int]]
    make_faster: Callable[[nn.Module], TrainingForm] | None = None
    takes_options: bool = False
    count: Callable[[Mapping[str, int], int, tuple[int, int]], tuple[int, int]] | None = None

    def channels(self, width: float = 1.0, factors: Mapping[str, float] | None = None) -> dict[str, int]:
        """The channel count of every width, scaled by `width` and by the factor of each pattern that matches.

        Factors of patterns that overlap multiply. Rounded once, to a multiple of 8 and at least 8, so that at
        1.0 they are exactly the reported network's. UsageError for more than any machine holds.
        """
        counts = {}
        for name, base in self.widths.items():
            scale = width * math.prod(f for pattern, f in (factors or {}).items() if fnmatchcase(name, pattern))
            if base * scale > MOST_CHANNELS:
                raise UsageError(f"width {name} of {self.name} would have more than {MOST_CHANNELS:,} channels: give smaller widths")
            counts[name] = max(8, 8 * math.floor(base * scale / 8 + 0.5))
        return counts

    def matches(self, pattern: str) -> list[str]:
        """The names of the widths that a pattern such as `*.n1x1` scales."""
        return [name for name in self.widths if fnmatchcase(name, pattern)]

    def to_training_form(self, plain: nn.Module, device: torch.device) -> TrainingForm:
        """The form of a plain network that trains fastest, on a device, with its weights. The plain one may be part of it."""
        import torch

        from .forms import AsItIs

        form = self.make_faster(plain) if self.make_faster is not None else AsItIs(plain)
        form.adapt(device)
        return form.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
