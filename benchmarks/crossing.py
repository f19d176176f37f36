"""Learning curves made to cross: how they lie until half of their epochs foretells as much of their end as one wishes."""

from __future__ import annotations

import numpy as np

from tuner.simulate.recording import Recording

SPREAD = 0.25  # of the logarithm of the error, among configurations
NOISE = 0.01  # of the same, from epoch to epoch


def make_crossing(agreement: float, *, count: int = 400, epochs: int = 16, seed: int = 0) -> Recording:
    """Curves whose order stands still until half of the epochs and then passes over, evenly, into that of the end.

    `agreement` is the correlation of the two: with 0 the first half says nothing, with 1 everything.
    Errors: ValueError for an agreement outside 0 to 1.
    """
    if not 0 <= agreement <= 1:
        raise ValueError(f"agreement must be from 0 to 1, not {agreement!r}")
    rng = np.random.default_rng(seed)
    end = rng.normal(size=(count, 1))
    early = agreement * end + np.sqrt(1 - agreement**2) * rng.normal(size=(count, 1))
    time = np.arange(1, epochs + 1) / epochs
    passed = np.clip(2 * time - 1, 0, 1)
    mean = np.log(0.6) - (1 - np.exp(-3 * time)) - 0.3 * passed
    logarithm = mean + SPREAD * ((1 - passed) * early + passed * end) + NOISE * rng.normal(size=(count, epochs))
    return Recording(name=f"agreement {agreement:g}", errors=np.minimum(np.exp(logarithm), 1.0))
