"""What was asked for, on the command line or from Python."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..config.checks import check_positive, check_whole
from ..config.environment import check_seconds
from ..config.trial_config import PRECISIONS
from ..errors import UsageError, nearest
from ..placement import Placement, choose_placements

ENGINES = ("local", "ray")  # who places the workers
NO_RULE = "none"  # in place of a budget or a number of trials: lifts the rule that the study has


@dataclass(frozen=True, kw_only=True)
class Request:
    """A search, as the options of `tuner search` and `tuner worker` say it."""

    study: str
    trials: int | None = None
    more: int | None = None
    gpu: str | None = None
    device: str = "auto"
    workers: int | None = None
    threads: int = 1
    source: str | None = None
    earlier: str | None = None
    seed: int | None = None
    timeout: float | None = None
    target: float | None = None
    budget: float | str | None = None
    stop_when_flat: int | str | None = None
    stall: float = 300.0
    trial_timeout: float | None = None
    checkpoints: Path | None = None
    keep: int = 5
    accept_changed_code: bool = False
    precision: str = "auto"
    capture: bool | None = None
    engine: str = "local"
    address: str | None = None
    gpus_per_worker: float | None = None
    publish: bool = True
    storage: str | None = None
    progress: bool = True
    closing: bool = True  # say at the end how it went, and print the best trials; whoever calls from Python has them returned

    def placements(self, at_most: int = 10**6) -> list[Placement]:
        """One placement for each worker on this machine. Errors: UsageError for a device that is not there."""
        return choose_placements(
            device=self.device,
            gpu=self.gpu,
            workers=self.workers,
            at_most=at_most,
            threads=self.threads,
            precision=self.precision,
            capture=self.capture,
        )

    @property
    def budget_seconds(self) -> float | None:
        """As `StoppingLeases.set_rules` takes it; without end where the study's is to be lifted."""
        return math.inf if isinstance(self.budget, str) else self.budget

    @property
    def patience(self) -> int | None:
        """Likewise; 0 where the study's is to be lifted."""
        return 0 if isinstance(self.stop_when_flat, str) else self.stop_when_flat

    def check(self, *, dry_run: bool = False) -> None:
        """Errors: UsageError for options that do not go together, and for settings of the environment that are none."""
        check_seconds()
        self._check_values()
        if self.trials is not None and self.more is not None:
            raise UsageError(f"--trials {self.trials} and --more {self.more} say two things: give one of them")
        if dry_run and self.earlier is not None:
            raise UsageError(f"--dry-run opens no storage, where the trials of --from {self.earlier} are: leave one of them out")
        if self.engine == "local":
            for option, value in (("--address", self.address), ("--gpus-per-worker", self.gpus_per_worker)):
                if value is not None:
                    raise UsageError(f"{option} {value} is for --engine ray: add it, or leave {option} out")
            return
        if self.gpu is not None:
            raise UsageError(f"--gpu {self.gpu} names a GPU of this machine, and Ray gives workers theirs: use --gpus-per-worker")
        if self.device not in ("auto", "cpu") or (self.device == "cpu" and self.gpus_per_worker):
            raise UsageError(f"--device {self.device} does not go with --engine ray: use --gpus-per-worker, or --device cpu without it")
        if self.address is not None and "://" in self.address:
            raise UsageError(f"--address {self.address} is Ray's client: give HOST:PORT of the head, such as 10.0.0.1:6379")
        if dry_run:
            raise UsageError("--dry-run times steps on this machine: leave --engine ray out")
        if find_spec("ray") is None:
            raise UsageError("--engine ray needs Ray: pip install 'optuna-tuner[ray]'")

    def _check_values(self) -> None:
        """Each value on its own: the command line's parser has seen to it, Python has not."""
        for name in ("trials", "more", "workers", "threads", "keep"):
            check_whole(name, getattr(self, name), 1, allow_none=name not in ("threads", "keep"))
        check_whole("seed", self.seed, 0, allow_none=True)
        if self.stop_when_flat != NO_RULE:
            check_whole("stop_when_flat", self.stop_when_flat, 1, allow_none=True)
        if self.budget not in (None, NO_RULE):
            check_positive("budget", self.budget)
        for name in ("timeout", "trial_timeout", "gpus_per_worker", "target"):
            if getattr(self, name) is not None:
                check_positive(name, getattr(self, name))
        if isinstance(self.stall, bool) or not isinstance(self.stall, (int, float)) or not self.stall >= 0:
            raise UsageError(f"stall takes seconds, or 0 for never, not {self.stall!r}")
        for name, known in (("precision", ("auto", *PRECISIONS)), ("engine", ENGINES)):
            if getattr(self, name) not in known:
                raise UsageError(f"unknown {name} {getattr(self, name)!r}: {nearest(getattr(self, name), known)}")
