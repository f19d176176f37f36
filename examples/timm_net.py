"""The networks of timm (`pip install timm`): `tuner search examples/timm_network.yaml`. With `pretrained` timm downloads weights."""

import timm
from torch import nn


def build(classes: int, *, name: str = "resnet10t", dropout: float = 0.0, pretrained: bool = False) -> nn.Module:
    return timm.create_model(name, num_classes=classes, drop_rate=dropout, pretrained=pretrained)
