"""Weights that were trained, in the network that their configuration names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..config.facts import Facts, find_facts
from ..config.named_code import name_carried_code, name_trained_code
from ..errors import UsageError
from ..models import find_model
from ..models.weights import Loaded, fit_into, fit_network, open_weights
from .run import build_network


def load_trained(
    path: Path, config: Path | None, say: Callable[[str], None], *, accept_changed_code: bool = False
) -> tuple[Loaded, Facts | None]:
    """The network of a file of weights, and what is known of its training: carried, or said by `config` or the file beside it.

    Networks of the user's own and torchvision's need to be named there; ours are known by their weights.
    Errors: as `load_network` and `find_facts`; UsageError where the user's file is not there, or is not what was trained and that
    is not accepted.
    """
    opened = open_weights(path)
    facts = find_facts(opened.carried, path, config, say)
    if facts is None:
        return fit_network(opened), None
    trained = facts.config
    if not find_model(trained.model).takes_options:
        return fit_network(opened, trained.model), facts
    where = config or path
    name_code_of(trained.model, trained.code, path, config, accept=accept_changed_code)
    classes = facts.data.classes
    if classes is None:
        raise UsageError(f"{where} does not say which classes {trained.model} tells apart: give the file that `tuner train` wrote")
    return fit_into(opened, find_model(trained.model), build_network(trained, len(classes)), len(classes)), facts


def name_code_of(spec: str, digest: str | None, path: Path, config: Path | None, *, accept: bool) -> None:
    """Permit the code that weights need. Beside a configuration that the user gave it is run as that says; what the weights' own file
    or the one beside it says may be anybody's: then only a file in the folder where the user is, with the digest that is wanted."""
    if config is not None:
        name_trained_code(spec, digest, config.parent, str(config), accept=accept)
    else:
        name_carried_code(spec, digest, str(path), accept=accept)
