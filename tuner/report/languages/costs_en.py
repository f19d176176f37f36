"""What a report in English says of a network's cost and of limits."""

from __future__ import annotations

COSTS = {
    "best_size_macs": "{network}, here of {parameters} parameters and {macs} multiply-adds an image,",
    "reason_too_slow": "{reason}",
}
