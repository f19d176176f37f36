"""What a trial's network may cost: `limits: {parameters: 2000000, macs: 50000000, milliseconds: 5}` in a study file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from .checks import check_keys, check_positive, check_whole

# What a network costs, each with its name for people: its parameters, the multiply-accumulates of one image (of convolutions, linear
# layers and attention), and the latency of one image in evaluation mode.
COSTS = {"parameters": "parameters", "macs": "multiply-adds", "milliseconds": "ms an image"}
KNOWN_BEFORE = ("parameters", "macs")  # without training, or running, anything


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that a trial's network may cost, by the names of COSTS; None where there is no limit.

    False where there is none at all. Errors: UsageError for a value that can be no limit.
    """

    parameters: int | None = None
    macs: int | None = None
    milliseconds: float | None = None

    def __post_init__(self) -> None:
        for name in KNOWN_BEFORE:
            value = getattr(self, name)
            if isinstance(value, float) and value.is_integer():  # 2e6
                object.__setattr__(self, name, int(value))
            check_whole(f"limits: {name}", getattr(self, name), 1, allow_none=True)
        if self.milliseconds is not None:
            check_positive("limits: milliseconds", self.milliseconds)

    def __bool__(self) -> bool:
        return bool(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """The reverse of `parse_limits`."""
        return {name: value for name in COSTS if (value := getattr(self, name)) is not None}

    @property
    def known_before(self) -> Limits:
        """Those that a configuration can be held to before it is trained."""
        return Limits(parameters=self.parameters, macs=self.macs)

    def find_excess(self, cost: Mapping[str, float]) -> float:
        """By what factor a cost is above its limit, the worst of them; at most 1 within the limits, and 0 without any."""
        return max((cost[name] / limit for name, limit in self.to_dict().items()), default=0.0)

    def __str__(self) -> str:
        return " and ".join(format_cost(name, value) for name, value in self.to_dict().items())


def parse_limits(plain: Any) -> Limits:
    """The limits as they stand in a study file. Errors: UsageError."""
    if not isinstance(plain, dict) or not plain:
        raise UsageError(f"limits takes a map such as {{parameters: 2000000}}, not {plain!r}")
    check_keys(plain, set(COSTS), "limits")
    if (empty := next((name for name, value in plain.items() if value is None), None)) is not None:
        raise UsageError(f"limits: {empty} has no value: give a number, or leave it out")
    return Limits(**plain)


def format_cost(name: str, value: float) -> str:
    """A cost for people: `2,000,000 parameters`, `1.25 ms an image`."""
    return f"{value:,.0f} {COSTS[name]}" if name in KNOWN_BEFORE or value >= 100 else f"{value:.3g} {COSTS[name]}"


def describe_cost(cost: Mapping[str, float], names: Mapping[str, Any]) -> str:
    """The costs of these names together: `5,432 parameters and 1,000 multiply-adds`."""
    return " and ".join(format_cost(name, cost[name]) for name in COSTS if name in names)
