"""Files of weights as other people save them: one rule for networks of ours and for torchvision's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.models import get_model

from tuner.config.trial_config import TrialConfig
from tuner.errors import TunerError, UsageError
from tuner.models import MODELS, pretrained
from tuner.models.weights import load_network, read_weights

State = dict[str, Tensor]


def wrapped(state: State) -> dict[str, Any]:
    """The same weights in every wrapping."""

    def named(prefix: str) -> State:
        return {prefix + name: value for name, value in state.items()}

    ways: dict[str, Any] = {f"prefix {p}": named(p) for p in ("module.", "_orig_mod.", "model.", "net.", "module._orig_mod.")}
    ways |= {f"prefix {p}": named(p) for p in ("_orig_mod.module.", "model._orig_mod.net.", "module.module.")}
    keys = ("state_dict", "model_state_dict", "model", "net", "weights", "params", "model_state", "state_dict_ema")
    ways |= {f"wrapper {key}": {key: state, "epoch": 3} for key in keys}
    ways["ImageNet main.py"] = {"epoch": 9, "arch": "x", "best_acc1": torch.tensor(3.0), "state_dict": named("module."), "optimizer": {}}
    ways["Lightning"] = {"state_dict": {**named("model."), "criterion.weight": torch.ones(3)}, "hyper_parameters": {"lr": 0.1}}
    ways["averaged"] = {"n_averaged": torch.tensor(4), **named("module.")}
    ways["wrapped twice"] = {"model": {"state_dict": named("_orig_mod.")}}
    return ways


def our_state() -> State:
    config = TrialConfig(model="mynet", width=0.0625)
    torch.manual_seed(0)
    state: State = MODELS["mynet"].build(config.channels, 10).state_dict()
    return state


def test_weights_of_ours_are_read_out_of_every_wrapping(tmp_path: Path) -> None:
    state = our_state()
    for way, content in wrapped(state).items():
        torch.save(content, tmp_path / "w.pth")
        loaded = load_network(tmp_path / "w.pth")
        assert loaded.classes == 10, way
        assert all(torch.equal(value, state[name]) for name, value in loaded.network.state_dict().items()), way


def test_weights_of_torchvisions_are_read_by_the_same_rule(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = get_model("squeezenet1_1", weights=None).state_dict()
    for way, content in wrapped(state).items():
        torch.save(content, tmp_path / "w.pth")
        built = pretrained.find("squeezenet1_1", tmp_path / "w.pth").build()
        assert all(torch.equal(value, state[name]) for name, value in built.state_dict().items()), way


def test_half_precision_is_widened(tmp_path: Path) -> None:
    half = {name: value.half() if value.is_floating_point() else value for name, value in our_state().items()}
    torch.save(half, tmp_path / "w.pth")
    network = load_network(tmp_path / "w.pth").network
    assert all(value.dtype == torch.float32 for value in network.parameters())
    assert all(torch.equal(value, half[name].float()) for name, value in network.named_parameters())


def test_googlenet_is_read_with_and_without_its_auxiliary_heads(tmp_path: Path) -> None:
    whole = get_model("googlenet", weights=None, aux_logits=True, init_weights=False).state_dict()
    bare = {name: value for name, value in whole.items() if not name.startswith("aux")}
    for state in (whole, bare):
        torch.save(state, tmp_path / "w.pth")
        built = pretrained.find("googlenet", tmp_path / "w.pth").build()
        assert built.transform_input and built.aux1 is None
        with pytest.raises(UsageError, match=r"they are torchvision's, give --weights googlenet=.*w.pth to `tuner"):
            load_network(tmp_path / "w.pth")
        assert all(torch.equal(value, bare[name]) for name, value in built.state_dict().items())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_an_error_that_names_the_first(tmp_path: Path, value: float) -> None:
    ours, theirs = our_state(), get_model("squeezenet1_1", weights=None).state_dict()
    for state in (ours, theirs):
        name = list(state)[2]
        state[name].view(-1)[0] = value
        torch.save(state, tmp_path / "w.pth")
        with pytest.raises(TunerError, match=f"holds NaN or infinite weights, first in '{name}'") as caught:
            load_network(tmp_path / "w.pth") if state is ours else pretrained.find("squeezenet1_1", tmp_path / "w.pth").build()
        assert caught.value.exit_code == 1 and "\n" not in caught.value.message


def test_what_is_no_state_dict_is_one_line(tmp_path: Path) -> None:
    endless: dict[str, Any] = {}
    endless["model"] = endless
    for content in (endless, {}, {"model": {"epoch": 3}}, [torch.ones(1)]):
        torch.save(content, tmp_path / "w.pth")
        with pytest.raises(UsageError, match="holds no state dict"):
            read_weights(tmp_path / "w.pth")
    torch.save({name: torch.tensor(1.0) for name in our_state()}, tmp_path / "w.pth")
    with pytest.raises(TunerError, match="looks like mynet but does not fit it"):
        load_network(tmp_path / "w.pth")


CHANGES: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "a view that repeats one number": (lambda tensor: torch.zeros(1).expand(2**33), "is no tensor of real numbers"),
    "no numbers": (lambda tensor: tensor[:0], "is no tensor of real numbers"),
    "no memory": (lambda tensor: tensor.to("meta"), "is no tensor of real numbers"),
    "sparse": (Tensor.to_sparse, "save network.state_dict"),
    "complex": (lambda tensor: tensor.to(torch.complex64), "is no tensor of real numbers"),
    "truth values": (lambda tensor: tensor > 0, "is no tensor of real numbers"),
    "whole numbers": (Tensor.long, "is torch.int64, not torch.float32"),
    "no dimensions": (lambda tensor: torch.tensor(1.0), "a weight has no dimensions"),
    "other dimensions": (Tensor.flatten, "has the shape"),
}


@pytest.mark.parametrize("change,message", CHANGES.values(), ids=CHANGES)
def test_a_weight_that_is_none_is_one_line(tmp_path: Path, change: Callable[[Tensor], Tensor], message: str) -> None:
    state = our_state()
    first = next(iter(state))
    torch.save(state | {first: change(state[first])}, tmp_path / "w.pth")
    with pytest.raises(TunerError, match=message) as caught:
        load_network(tmp_path / "w.pth")
    assert str(tmp_path / "w.pth") in caught.value.message and caught.value.message.isprintable()


def test_a_file_of_a_megabyte_is_no_network_of_terabytes(tmp_path: Path) -> None:
    """Every width is read off one weight; a wide and otherwise thin one would be built before it failed to fit."""
    state = {name: value if value.ndim < 4 else torch.zeros(2**17 if "b1" in name else 1, 1, 1, 1) for name, value in our_state().items()}
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(TunerError, match=r"looks like mynet but does not fit it: .* has the shape"):
        load_network(tmp_path / "w.pth")


def test_weights_of_an_old_torch_lack_the_count_of_batches(tmp_path: Path) -> None:
    state = {name: value for name, value in our_state().items() if not name.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "w.pth")
    assert load_network(tmp_path / "w.pth").classes == 10


def test_a_pipe_and_a_device_are_no_weights(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UsageError, match="is a folder, a pipe or a device: give a file of weights"):
            read_weights(path)
