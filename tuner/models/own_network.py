"""A network of the user's own, `net.py:build`, as the rest of the code knows networks. Only calling its functions imports torch.

    def build(classes: int, *, depth: int = 3, dropout: float = 0.0) -> nn.Module: ...

A class of that signature does as well.
"""

from __future__ import annotations

import inspect
import random
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, nearest
from .own_code import Code, blaming, check_spec, find_permitted, load_function, name_place
from .spec import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

KINDS = (bool, int, float, str)


@dataclass(frozen=True, kw_only=True)
class Option:
    """One argument of the user's function: of one of KINDS, None where nothing says of which."""

    name: str
    kind: type | None
    required: bool
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What the user's function takes beside the number of classes; `open` where it takes any name. `place` is its file and line."""

    options: Mapping[str, Option]
    open: bool
    place: str

    def find(self, name: str) -> Option:
        """Errors: UsageError for a name that the function does not take."""
        if name in self.options:
            return self.options[name]
        if self.open:
            return Option(name=name, kind=None, required=False)
        remedy = nearest(name, self.options) if self.options else "it takes none beside the number of classes"
        raise UsageError(f"{self.place} takes no {name!r}: {remedy}")

    def check_complete(self, given: typing.Collection[str]) -> None:
        """Errors: UsageError where the function needs an argument that is not among `given`."""
        lacking = [name for name, option in self.options.items() if option.required and name not in given]
        if lacking:
            raise UsageError(f"{self.place} needs {lacking[0]!r}: name network: {{{lacking[0]}: ...}} under space, or give it a default")


def specify_own(spec: str) -> ModelSpec:
    """The ModelSpec of a network of the user's own. Nothing is read before it is built. Errors: UsageError for no such name."""
    check_spec(spec)

    def build(channels: Mapping[str, int], classes: int, /, **options: Any) -> nn.Module:
        assert not channels, channels
        return build_own(find_permitted(spec), classes, options)

    def owns(weights: Mapping[str, Tensor]) -> bool:
        del weights
        return False

    def read_sizes(weights: Mapping[str, Tensor]) -> tuple[dict[str, int], int]:
        raise KeyError(f"the sizes of {spec} cannot be read off {len(weights)} weights")

    return ModelSpec(name=spec, title=spec, widths={}, build=build, owns=owns, read_sizes=read_sizes, takes_options=True)


def read_signature(code: Code) -> Signature:
    """What the function takes. Its file is run. Errors: UsageError where it takes no number of classes."""
    function = load_function(code)
    place = f"{name_place(code, function)}: {code.function}"
    try:
        found = inspect.signature(function, eval_str=True)
    except (NameError, TypeError, SyntaxError, AttributeError):  # annotations that mean nothing here
        found = inspect.signature(function)
    except ValueError:
        raise UsageError(f"{place} has no signature: write a function of Python's") from None
    parameters = list(found.parameters.values())
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not parameters or parameters[0].kind not in plain:
        raise UsageError(f"{place} takes no number of classes: write def {code.function}(classes: int, ...)")
    named = [p for p in parameters[1:] if p.kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    return Signature(
        options={p.name: _read_option(p) for p in named},
        open=any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters),
        place=place,
    )


def _read_option(parameter: inspect.Parameter) -> Option:
    annotation, default = parameter.annotation, parameter.default
    required = default is inspect.Parameter.empty
    if typing.get_origin(annotation) is typing.Literal:
        values = typing.get_args(annotation)
        if all(isinstance(value, str) for value in values):
            return Option(name=parameter.name, kind=str, required=required, choices=values)
        return Option(name=parameter.name, kind=None, required=required)
    kind = annotation if annotation in KINDS else None
    if annotation is inspect.Parameter.empty and type(default) in KINDS:
        kind = type(default)
    return Option(name=parameter.name, kind=kind, required=required)


def build_own(code: Code, classes: int, options: Mapping[str, Any]) -> nn.Module:
    """The network, made by the user's function. What it draws of any generator comes from torch's seed.

    Errors: UsageError where it raises, or returns no network that can be trained and saved.
    """
    import numpy as np
    import torch
    from torch import nn
    from torch.nn.parameter import is_lazy

    signature = read_signature(code)
    for name in options:
        signature.find(name)
    signature.check_complete(options)
    function = load_function(code)
    seed = torch.initial_seed()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    with blaming(code, f"{code.function}({_show(classes, options)}) raised "):
        network = function(classes, **options)
    where = f"{signature.place}({_show(classes, options)})"
    if not isinstance(network, nn.Module):
        raise UsageError(f"{where} returned {type(network).__name__}, not a torch.nn.Module")
    if any(is_lazy(tensor) for tensor in (*network.parameters(), *network.buffers())):
        raise UsageError(f"{where} has weights that its first call makes (a Lazy module): give their sizes")
    if not any(True for _ in network.parameters()):
        raise UsageError(f"{where} has no parameters to train")
    odd = next((name for name, value in network.state_dict().items() if not isinstance(value, torch.Tensor)), None)
    if odd is not None:
        raise UsageError(f"{where} keeps {odd!r} in its state, which is no tensor: it could not be saved")
    return network


def check_own(code: Code, classes: int, pixels: tuple[int, int], options: Mapping[str, Any]) -> None:
    """Build the network and show it two images. Errors: UsageError where it does not map (N, 3, H, W) to (N, classes)."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = build_own(code, classes, options).eval()
    place = f"{name_place(code, load_function(code))}: {code.function}({_show(classes, options)})"
    with torch.no_grad(), blaming(code, f"the network of {code.function}({_show(classes, options)}) raised "):
        out = network(torch.zeros(2, 3, *pixels))
    shown = tuple(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
    if shown != (2, classes):
        size = f"(N, 3, {pixels[0]}, {pixels[1]})"
        raise UsageError(f"{place} maps two images {size} to {shown}, not to (2, {classes}): one number a class is wanted")
    if not out.is_floating_point():
        raise UsageError(f"{place} gives {out.dtype}, not floating-point numbers")


def _show(classes: int, options: Mapping[str, Any]) -> str:
    return ", ".join([str(classes), *(f"{name}={value!r}" for name, value in options.items())])
