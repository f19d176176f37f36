"""The form in which a network that has a head is trained: parts of it may stand still, and learn at rates of their own."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn

from ..errors import UsageError
from .forms import AsItIs
from .stages import find_stages

Freeze = str | int  # "none", "backbone" (all but the head), or a number of leading stages


class Tuned(AsItIs):
    """A plain network whose last module is `head`. It reads images (B, 3, H, W), or features (B, F), which go through the head alone.

    A part that is frozen is as in an evaluation: its weights and BatchNorm's running figures stay, nothing in it is random.
    """

    def __init__(self, plain: nn.Module, head: str) -> None:
        super().__init__(plain)
        self.head = head
        self.stages = find_stages(plain, head)
        self._frozen: list[nn.Module] = []

    def freeze(self, what: Freeze) -> None:
        """Errors: UsageError for more stages than there are."""
        if what == "none":
            return
        if isinstance(what, int) and what > len(self.stages):
            raise UsageError(f"freeze {what}: the network has {len(self.stages)} stages, its head apart: freeze fewer, or backbone")
        count = what if isinstance(what, int) else len(self.stages)
        for name, parameter in self.plain.named_parameters():
            if not self._is_in_head(name) and self._find_stage(name) < count:
                parameter.requires_grad_(False)
        still = [part for stage in self.stages[:count] for part in stage]
        for name, module in self.plain.named_modules():
            within = what == "backbone" or any(name == part or name.startswith(f"{part}.") for part in still)
            holds_head = f"{self.head}.".startswith(f"{name}.") or not name
            if within and not holds_head:
                self._frozen.append(module)

    def train(self, mode: bool = True) -> Tuned:
        super().train(mode)
        for module in self._frozen:
            module.training = False
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.plain.get_submodule(self.head)(x) if x.ndim == 2 else self.plain(x)  # type: ignore[no-any-return]

    def find_features(self, x: Tensor) -> tuple[Tensor, bool]:
        """What the head reads of images, in evaluation mode, and whether the network gives what the head makes of it and no more."""
        read: list[Tensor] = []
        head = self.plain.get_submodule(self.head)
        watching = head.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
        try:
            logits = self.plain(x)
        finally:
            watching.remove()
        (features,) = read
        return features, features.ndim == 2 and torch.equal(head(features), logits)

    def digest_backbone(self) -> str:
        """A digest of all weights but the head's."""
        found = hashlib.blake2b(digest_size=16)
        for name, tensor in self.plain.state_dict().items():
            if not self._is_in_head(name):
                found.update(tensor.detach().cpu().contiguous().numpy().data)
        return found.hexdigest()

    def scale_rate(self, name: str, *, head_lr: float, layer_decay: float) -> float:
        """What a parameter's learning rate is multiplied by: `head_lr` in the head, `layer_decay` once more with each stage from there."""
        name = name.removeprefix("plain.")
        return head_lr if self._is_in_head(name) else layer_decay ** (len(self.stages) - self._find_stage(name))

    def _is_in_head(self, name: str) -> bool:
        return name.startswith(f"{self.head}.")

    def _find_stage(self, name: str) -> int:
        """The stage of a parameter. What lies in none, such as a class token, is read with the image: it goes with the first."""
        found = (index for index, stage in enumerate(self.stages) if any(name.startswith(f"{part}.") for part in stage))
        return next(found, 0)
