"""Search the hyper-parameters of image-classification networks, and remember everything.

    study = tuner.search("quickstart", trials=20)
    study.best.params
    study.figure("curves")

docs/python.md says more. What these functions need is imported when they are called.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .errors import TunerError

if TYPE_CHECKING:
    from torch import nn

    from .search.results import Figure, Study, Trial

__version__ = "0.1.0"
__all__ = ["Figure", "Study", "Trial", "TunerError", "__version__", "load", "load_study", "search"]

# The folder `search/` is a module of this name too, and a package that is imported becomes an attribute of this one: before
# the function is defined, so that the function stays.
importlib.import_module(".search", __name__)


def search(
    study: str | os.PathLike[str],
    *,
    trials: int | None = None,
    more: int | None = None,
    data: str | None = None,
    device: str = "auto",
    gpu: int | str | Sequence[int] | None = None,
    workers: int | None = None,
    threads: int = 1,
    precision: str = "auto",
    capture: bool | None = None,
    seed: int | None = None,
    timeout: float | None = None,
    target: float | None = None,
    budget: float | str | None = None,
    stop_when_flat: int | str | None = None,
    stall: float = 300.0,
    trial_timeout: float | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    keep: int = 5,
    engine: str = "local",
    address: str | None = None,
    gpus_per_worker: float | None = None,
    storage: str | None = None,
    publish: bool | None = None,
    progress: bool = True,
) -> Study:
    """Run a study, or go on with it, as `tuner search` does; returns it when it has its trials.

    `study` is a name or the path of a study file. `trials` is the study's total; the same call again goes on after any
    interruption. Every other argument is the option of that name; times are in seconds, and "none" lifts a budget or a
    `stop_when_flat` that the study has. `storage` and `publish` are by default what TUNER_STORAGE and TUNER_PUBLISH say. With
    `progress=False` nothing is printed.

    Errors: `TunerError` and its kinds in `tuner.errors`, each a line with the value and the remedy; `Interrupted` after Ctrl-C,
    when running trials are back in the queue.
    """
    from pathlib import Path

    from .config.environment import read_flag
    from .search.request import Request
    from .search.results import Study
    from .search.run import run

    numbers = (gpu,) if isinstance(gpu, int) else gpu
    request = Request(
        study=os.fspath(study),
        trials=trials,
        more=more,
        source=data,
        device=device,
        gpu=numbers if numbers is None or isinstance(numbers, str) else ",".join(map(str, numbers)),
        workers=workers,
        threads=threads,
        precision=precision,
        capture=capture,
        seed=seed,
        timeout=timeout,
        target=target,
        budget=budget,
        stop_when_flat=stop_when_flat,
        stall=stall,
        trial_timeout=trial_timeout,
        checkpoints=None if checkpoints is None else Path(checkpoints),
        keep=keep,
        engine=engine,
        address=address,
        gpus_per_worker=gpus_per_worker,
        storage=storage or os.environ.get("TUNER_STORAGE"),
        publish=read_flag("TUNER_PUBLISH", True) if publish is None else publish,
        progress=progress,
        closing=False,
    )
    return Study(run(request))


def load_study(name: str | None = None, *, storage: str | None = None) -> Study:
    """A study that was searched; without a name the one searched last. Nothing is written.

    Errors: `UsageError` for one that is not there, `TunerError` for a storage that does not open.
    """
    from .config.study_files import find
    from .search.results import Study
    from .study.storage import Storage
    from .study.studies import load

    return Study(load(Storage(storage or os.environ.get("TUNER_STORAGE")), find(name)[0] if name else None))


def load(weights: str | os.PathLike[str], *, config: str | os.PathLike[str] | None = None, device: str = "cpu") -> nn.Module:
    """The network in a file of weights, in evaluation mode: `net(net.preprocess(images))` gives logits (N, classes).

    `net.preprocess` takes PIL images or uint8 arrays (H, W, 3) to the input that the network was trained with, `net.classes` are
    the classes' names in the order of its outputs, and `net.configuration` is a plain map of what it was trained with. `config`
    is the configuration file of weights that carry none. Errors: `tuner.errors.UsageError`.
    """
    from pathlib import Path

    from .trained.network import load as load_trained

    return load_trained(Path(weights), config=None if config is None else Path(config), device=device)


def __getattr__(name: str) -> Any:
    """The classes, which cannot be imported before Optuna is."""
    if name in ("Figure", "Study", "Trial"):
        from .search import results

        return getattr(results, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
