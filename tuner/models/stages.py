"""The stages of a network: its parts in order, as they are frozen and as their learning rates decay."""

from __future__ import annotations

from torch import nn

LEAST_STAGES = 4  # with fewer, what has parts is opened: torchvision keeps all of VGG16's convolutions in one
NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


def find_stages(network: nn.Module, head: str) -> list[tuple[str, ...]]:
    """The network's parts that have weights, in order and without the head: names of modules, one or more a stage.

    They are the children of the network. While these are fewer than four, the parts of each stand in its place. A
    normalisation belongs to what is before it. So ResNet18 has five: conv1 with bn1, and layer1 to layer4.
    """
    parts = _list_parts(network, "", head)
    while len(stages := _join_norms(network, parts)) < LEAST_STAGES:
        opened = [inner for part in parts for inner in (_list_parts(network, part, head) or [part])]
        if opened == parts:
            break
        parts = opened
    return stages


def _list_parts(network: nn.Module, within: str, head: str) -> list[str]:
    named = [(f"{within}.{name}".lstrip("."), child) for name, child in network.get_submodule(within).named_children()]
    return [name for name, child in named if name != head and next(child.parameters(), None) is not None]


def _join_norms(network: nn.Module, parts: list[str]) -> list[tuple[str, ...]]:
    stages: list[tuple[str, ...]] = []
    for part in parts:
        if stages and isinstance(network.get_submodule(part), NORMS):
            stages[-1] = (*stages[-1], part)
        else:
            stages.append((part,))
    return stages
