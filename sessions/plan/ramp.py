"""A rate that goes from one value to another."""

from __future__ import annotations

import math
from typing import Literal

import msgspec


class Ramp(msgspec.Struct, frozen=True, omit_defaults=True):
    """`1..64/120s:exp`: from 1 to 64 requests per second in 120 s, exponentially."""

    from_rps: float
    to_rps: float
    over_s: float
    shape: Literal["linear", "exp"] = "linear"


def mean_rate_rps(ramp: Ramp) -> float:
    """Over its whole length: the logarithmic mean of its ends where it is exponential."""
    low, high = ramp.from_rps, ramp.to_rps
    if ramp.shape == "linear" or low == high:
        return (low + high) / 2
    return (high - low) / math.log(high / low)
