"""Weights that were trained here, in the network that their configuration names."""

from __future__ import annotations

from pathlib import Path

from ..config.named_code import ACCEPT, name_trained_code
from ..config.trial_config import read_config, read_data_record
from ..errors import UsageError
from ..models import find_model
from ..models.weights import Loaded, load_into, load_network
from .run import build_network


def load_trained(path: Path, config: Path, *, accept_changed_code: bool = False, remedy: str = ACCEPT) -> Loaded:
    """The network of a file of weights. Those of a network of the user's own need the configuration that names it.

    Errors: as `load_network`; UsageError where the user's file is not there, or is not what was trained and that is not accepted.
    """
    if not config.exists():
        return load_network(path)
    trained, _, _ = read_config(config)
    if not find_model(trained.model).takes_options:
        return load_network(path, trained.model)
    name_trained_code(trained.model, trained.code, config.parent, str(config), accept=accept_changed_code, remedy=remedy)
    classes = read_data_record(config).classes
    if classes is None:
        raise UsageError(f"{config} does not say which classes {trained.model} tells apart: give the file that `tuner train` wrote")
    return load_into(path, find_model(trained.model), build_network(trained, len(classes)), len(classes))
