"""Loss and top-k hits: summed on the device, fetched once."""

from __future__ import annotations

import torch
from torch import Tensor


class Sums:
    """Running sums over images that stay on the device, so that adding to them never waits for it."""

    def __init__(self, device: torch.device | str, topk: tuple[int, ...] = (1,)) -> None:
        self.topk = topk
        # MPS has no float64. float32 counts exactly up to 16 million images.
        exact = torch.float32 if torch.device(device).type == "mps" else torch.float64
        self.tensor = torch.zeros(1 + len(topk), dtype=exact, device=device)

    def reset(self) -> None:
        self.tensor.zero_()

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count a batch; `loss` is its mean."""
        best = logits.detach().topk(min(max(self.topk), logits.shape[1])).indices == labels[:, None]
        self.tensor[0] += loss.detach() * len(labels)
        for place, k in enumerate(self.topk, start=1):
            self.tensor[place] += best[:, :k].sum()

    def means(self, images: int) -> list[float]:
        """Loss per image, then one accuracy for each k. Waits for the device."""
        return [total / images for total in self.tensor.tolist()]
