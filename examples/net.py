"""A network of one's own: `tuner search examples/own_network.yaml`. Its arguments are what the study file names under `network`."""

from torch import nn


def build(classes: int, *, depth: int = 2, channels: int = 16, dropout: float = 0.0) -> nn.Module:
    layers: list[nn.Module] = []
    inputs = 3
    for _ in range(depth):
        layers += [nn.Conv2d(inputs, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2)]
        inputs, channels = channels, 2 * channels
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(inputs, classes)]
    return nn.Sequential(*layers, *head)
