"""The networks against report A's tables, and their fast form against the plain one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tuner.config.trial_config import TrialConfig
from tuner.models import MODELS, find_model
from tuner.models.inception import Inception
from tuner.models.layers import Narrow, Pointwise, join, split
from tuner.models.merged import Folded, Merged
from tuner.training.run import build_network

# The first argument of each block in report A: what it reads.
INPUTS = {
    "mynet": {"a3": 128, "b3": 128, "a4": 256, "b4": 544, "c4": 768, "a5": 768, "b5": 1024},
    "googlenet": {"a3": 192, "b3": 256, "a4": 480, "b4": 512, "c4": 512, "d4": 512, "e4": 528, "a5": 832, "b5": 832},
}
# Channel counts that are no multiple of 16 and differ between branches: 8, 16, 24, 40, 56.
ODD = TrialConfig(width=0.0625, widths={"stem": 3, "*.n1x1": 1.7, "*.n3x3": 2.5, "*.n5x5": 3, "?4.pool": 5}, batch_size=4)
NETWORKS = {"mynet": TrialConfig(), "googlenet": TrialConfig(model="googlenet"), "odd": ODD}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def conv(network: nn.Module, name: str) -> nn.Conv2d:
    found = network.get_submodule(name)
    assert isinstance(found, nn.Conv2d)
    return found


def pair(config: TrialConfig) -> tuple[Inception, Merged]:
    """The plain network and its fast form as it trains, both fp64."""
    plain = build_network(config, 10).double()
    return plain, Merged(plain).to(memory_format=torch.channels_last)


def images(count: int, size: int = 8, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 3, size, size, dtype=torch.float64, generator=generator)
    return x, torch.randint(0, 10, (count,), generator=generator)


def far(a: torch.Tensor, b: torch.Tensor) -> float:
    """Largest difference, relative to the largest value."""
    return float((a - b).detach().abs().max() / b.detach().abs().max())


@pytest.mark.parametrize(("name", "parameters"), [("mynet", 7_600_402), ("googlenet", 7_730_922)])
def test_parameter_counts_are_the_reported_ones(name: str, parameters: int) -> None:
    network = build_network(TrialConfig(model=name), 10)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert sum(p.numel() for p in Merged(network).parameters()) == parameters


@pytest.mark.parametrize("name", MODELS)
def test_channels_are_the_reported_ones(name: str) -> None:
    network, widths = build_network(TrialConfig(model=name), 10), find_model(name).widths
    stem = conv(network, "pre_layers.0")
    assert (stem.in_channels, stem.out_channels, stem.kernel_size, stem.padding) == (3, widths["stem"], (3, 3), (1, 1))
    for block, planes in INPUTS[name].items():
        n = {branch: widths[f"{block}.{branch}"] for branch in ("n1x1", "n3x3red", "n3x3", "n5x5red", "n5x5", "pool")}
        expected = {
            "b1.0": (planes, n["n1x1"], 1),
            "b2.0": (planes, n["n3x3red"], 1),
            "b2.3": (n["n3x3red"], n["n3x3"], 3),
            "b3.0": (planes, n["n5x5red"], 1),
            "b3.3": (n["n5x5red"], n["n5x5"], 5),
            "b3.6": (n["n5x5"], n["n5x5"], 5),
            "b4.1": (planes, n["pool"], 1),
        }
        for place, (inputs, outputs, kernel) in expected.items():
            layer = conv(network, f"{block}.{place}")
            assert (layer.in_channels, layer.out_channels, layer.kernel_size, layer.padding) == (
                inputs,
                outputs,
                (kernel, kernel),
                (kernel // 2, kernel // 2),
            ), f"{block}.{place}"
    assert (network.linear.in_features, network.linear.out_features) == (1024, 10)


@pytest.mark.parametrize("name", MODELS)
def test_names_are_report_a_s_and_in_its_order(name: str) -> None:
    unit = {"conv": ("weight", "bias"), "norm": ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")}
    block = ["b1.0", "b1.1", "b2.0", "b2.1", "b2.3", "b2.4", "b3.0", "b3.1", "b3.3", "b3.4", "b3.6", "b3.7", "b4.1", "b4.2"]
    layers = ["pre_layers.0", "pre_layers.1", *(f"{b}.{place}" for b in INPUTS[name] for place in block)]
    expected = [f"{layer}.{leaf}" for i, layer in enumerate(layers) for leaf in unit["norm" if i % 2 else "conv"]]
    assert list(build_network(TrialConfig(model=name), 10).state_dict()) == [*expected, "linear.weight", "linear.bias"]


@pytest.mark.parametrize("name", MODELS)
def test_shapes_and_a_gradient_for_every_parameter(name: str) -> None:
    for network in (build_network(TrialConfig(model=name, width=0.1), 7), Merged(build_network(TrialConfig(model=name, width=0.1), 7))):
        logits = network(torch.randn(3, 3, 32, 32))
        assert logits.shape == (3, 7) and logits.isfinite().all()
        F.cross_entropy(logits, torch.tensor([0, 3, 6])).backward()
        for parameter, p in network.named_parameters():
            assert p.grad is not None and p.grad.isfinite().all() and p.grad.any(), parameter


def test_between_the_stages_there_are_the_reported_pools() -> None:
    network, seen = build_network(TrialConfig(width=0.1), 10), []
    for stage in ("pre_layers", "a3", "b3", "a4", "b4", "c4", "a5", "b5"):
        network.get_submodule(stage).register_forward_hook(lambda m, x, y, stage=stage: seen.append((stage, y.shape[-1])))
    network(torch.randn(1, 3, 32, 32))
    between, within = network.maxpool, network.get_submodule("a3.b4.0")
    assert isinstance(within, nn.MaxPool2d)
    assert (between.kernel_size, between.stride, between.padding) == (3, 2, 1)
    assert (within.kernel_size, within.stride, within.padding) == (3, 1, 1)
    assert seen == [("pre_layers", 32), ("a3", 32), ("b3", 32), ("a4", 16), ("b4", 16), ("c4", 16), ("a5", 8), ("b5", 8)]


def test_on_images_of_32_the_global_pool_is_the_reported_8x8_average_pool() -> None:
    network, kept = build_network(TrialConfig(width=0.1), 10), []
    network.get_submodule("b5").register_forward_hook(lambda m, x, y: kept.append(y))
    logits = network(torch.randn(2, 3, 32, 32))
    reported = network.linear(F.avg_pool2d(kept[0], 8, stride=1).flatten(1))
    torch.testing.assert_close(logits, reported)


@pytest.mark.parametrize("size", [8, 20, 33])
def test_other_image_sizes_work(size: int) -> None:
    plain, merged = pair(ODD)
    x, _ = images(3, size)
    assert far(merged(x.to(memory_format=torch.channels_last)), plain(x)) < 1e-13


def test_a_seed_gives_the_same_weights_and_leaves_the_caller_s_chance_alone() -> None:
    torch.manual_seed(5)
    first, after = Merged(build_network(TrialConfig(width=0.1, seed=3), 10)).state_dict(), torch.rand(1)
    torch.manual_seed(6)
    second, other = (
        build_network(TrialConfig(width=0.1, seed=3), 10).state_dict(),
        build_network(TrialConfig(width=0.1, seed=4), 10).state_dict(),
    )
    assert all(torch.equal(first[name], second[name]) for name in first if name in second)
    assert not torch.equal(second["linear.weight"], other["linear.weight"])
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)


@pytest.mark.parametrize("config", NETWORKS.values(), ids=NETWORKS)
def test_the_fast_form_is_converted_back_exactly(config: TrialConfig) -> None:
    plain = build_network(config, 10)
    with torch.no_grad():
        for index, tensor in enumerate(plain.state_dict().values()):  # no two alike, the counters of batches apart
            tensor.copy_(tensor + index / 7 if tensor.is_floating_point() else torch.tensor(9))
    merged = Merged(plain).to(memory_format=torch.channels_last)
    back = merged.to_plain(merged.state_dict())
    assert list(back) == list(plain.state_dict())
    for name, tensor in plain.state_dict().items():
        assert torch.equal(back[name], tensor) and back[name].is_contiguous() and back[name].dtype == tensor.dtype, name
    again = merged.from_plain(back, merged.state_dict())
    assert all(torch.equal(again[name], tensor) for name, tensor in merged.state_dict().items())


def test_weights_of_another_network_are_refused() -> None:
    merged, wider = Merged(build_network(TrialConfig(width=0.1), 10)), build_network(TrialConfig(width=0.3), 10)
    with pytest.raises(ValueError, match="another network"):
        merged.from_plain(wider.state_dict(), merged.state_dict())
    with pytest.raises(ValueError, match=r"another network.*linear\.bias"):
        merged.from_plain(
            {n: t for n, t in build_network(TrialConfig(width=0.1), 10).state_dict().items() if n != "linear.bias"}, merged.state_dict()
        )


@pytest.mark.parametrize("config", NETWORKS.values(), ids=NETWORKS)
def test_in_fp64_the_fast_form_s_forward_is_the_plain_one_s(config: TrialConfig) -> None:
    plain, merged = pair(config)
    x, _ = images(4, 16)
    for train in (True, False):
        assert far(merged.train(train)(x.to(memory_format=torch.channels_last)), plain.train(train)(x)) < 1e-13


@pytest.mark.parametrize(
    ("config", "batch", "size"),
    [*((config, 4, 16) for config in NETWORKS.values()), (ODD, 9, 32)],
    ids=[*NETWORKS, "odd, many pixels"],
)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_in_fp64_five_steps_of_sgd_end_at_the_same_weights(config: TrialConfig, batch: int, size: int, device: str) -> None:
    """Of both devices' ways, on the CPU."""
    plain, merged = pair(config)
    merged.adapt(torch.device(device))
    assert [conv.drops_bias for conv, _ in merged.pairs] == [device == "cuda"] * len(merged.pairs) and len(merged.pairs) > 10
    options = {"lr": 0.001, "momentum": 0.9, "weight_decay": 5e-4, "nesterov": True}
    optimizers = [torch.optim.SGD(plain.parameters(), **options), torch.optim.SGD(merged.parameters(), **options, fused=True)]
    for step in range(5):
        x, y = images(batch, size, seed=step)
        for network, optimizer, inputs in zip((plain, merged), optimizers, (x, x.to(memory_format=torch.channels_last)), strict=True):
            optimizer.zero_grad()
            F.cross_entropy(network(inputs), y).backward()
            if network is merged:
                merged.after_backward()
            optimizer.step()
    weights = merged.to_plain(merged.state_dict())
    momenta = merged.to_plain({name: optimizers[1].state[p]["momentum_buffer"] for name, p in merged.named_parameters()})
    assert list(momenta) == [name for name, _ in plain.named_parameters()]
    for name, tensor in plain.state_dict().items():
        assert tensor.dtype == torch.int64 or far(weights[name], tensor) < 1e-12, name
    assert weights["a3.b3.1.num_batches_tracked"] == 5
    # A bias before a BatchNorm has no gradient but rounding: momenta are compared on the scale of their largest.
    scale = max(float(optimizers[0].state[p]["momentum_buffer"].abs().max()) for p in plain.parameters())
    for name, p in plain.named_parameters():
        assert (momenta[name] - optimizers[0].state[p]["momentum_buffer"]).abs().max() < 1e-12 * scale, name


def test_folded_weights_evaluate_as_the_network_does() -> None:
    plain, merged = pair(ODD)
    folded = Folded(merged)
    x, _ = images(20)
    for seed in range(2):  # refreshed in place when the network has moved on
        F.cross_entropy(merged(images(9, seed=seed)[0]), images(9)[1]).backward()
        with torch.no_grad():
            for p in merged.parameters():
                p.add_(torch.randn_like(p), alpha=0.1)
        folded.refresh()
        plain.load_state_dict(merged.to_plain(merged.state_dict()))
        assert far(folded(x), plain.eval()(x)) < 1e-12
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.network.modules())


def difference(plain: nn.Conv2d, ours: nn.Conv2d, layer: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> float:
    """The largest between `plain` and `layer`, which is `ours` or a way of computing it, with the same weights; gradients too."""
    ours.load_state_dict(plain.state_dict())
    x = x.double().to(memory_format=torch.channels_last)
    upstream = torch.randn_like(plain(x))
    results = []
    for module, call in ((plain, plain), (ours, layer)):
        leaf = x.clone().requires_grad_()
        y = call(leaf)
        assert y.is_contiguous(memory_format=torch.channels_last)
        results.append([y, *torch.autograd.grad(y, [leaf, *module.parameters()], upstream)])
    assert [tensor.shape for tensor in results[0]] == [tensor.shape for tensor in results[1]]
    return max(far(got, expected) for expected, got in zip(*results, strict=True))


@pytest.mark.parametrize(("batch", "size"), [(1, 8), (5, 4), (8, 6), (3, 5), (16, 5), (20, 4)])
def test_a_pointwise_convolution_is_the_convolution(batch: int, size: int) -> None:
    torch.manual_seed(0)
    plain, ours = nn.Conv2d(12, 24, 1).double(), Pointwise(12, 24).double()
    assert difference(plain, ours, ours, torch.randn(batch, 12, size, size)) < 1e-13


@pytest.mark.parametrize(("batch", "height", "width"), [(1, 8, 8), (3, 5, 6), (2, 3, 2), (9, 31, 31), (8, 32, 32)])
def test_a_narrow_convolution_is_the_convolution(batch: int, height: int, width: int) -> None:
    torch.manual_seed(0)
    plain, ours = nn.Conv2d(8, 8, 5, padding=2).double(), Narrow().double()
    x = torch.randn(batch, 8, height, width)
    assert difference(plain, ours, ours, x) < 1e-13
    if width % 2 == 0:
        assert difference(plain, ours, ours.paired, x) < 1e-13  # also where `ours` does not choose it


def test_joining_and_splitting_are_torch_s_and_give_what_they_pass_on_in_one_piece() -> None:
    torch.manual_seed(0)
    branches = [torch.randn(2, n, 4, 4).to(memory_format=torch.channels_last).requires_grad_() for n in (8, 3, 5)]
    upstream = torch.randn(2, 16, 4, 4).to(memory_format=torch.channels_last)
    assert torch.equal(join(branches), torch.cat(branches, 1))
    ours, plain = (torch.autograd.grad(f(branches), branches, upstream) for f in (join, lambda b: torch.cat(b, 1)))
    assert all(torch.equal(a, b) and a.is_contiguous(memory_format=torch.channels_last) for a, b in zip(ours, plain, strict=True))

    whole = upstream.clone().requires_grad_()
    for got, expected in zip(split(whole, [8, 3, 5]), torch.split(whole, [8, 3, 5], 1), strict=True):
        assert torch.equal(got, expected) and got.is_contiguous(memory_format=torch.channels_last)
    (gradient,) = torch.autograd.grad(split(whole, [8, 3, 5]), whole, branches)
    assert torch.equal(gradient, torch.cat(branches, 1))


def test_weights_that_are_cast_at_once_give_the_same_bits_as_those_that_autocast_casts() -> None:
    made = []
    for at_once in (False, True):
        merged = Merged(build_network(TrialConfig(width=0.1), 10)).to(memory_format=torch.channels_last)
        merged.casts_at_once = at_once
        x, y = images(4, 16)
        with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):
            logits = merged(x.float().to(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits, y)
        loss.backward()
        made.append([logits.detach(), *(p.grad for p in merged.parameters())])
        assert all(conv.cast is None for conv, _ in merged.pairs), "nothing is held between steps"
    assert all(torch.equal(a, b) for a, b in zip(*made, strict=True)) and made[0][1].dtype == torch.float32
