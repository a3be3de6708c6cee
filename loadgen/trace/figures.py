"""What a trace is, in figures."""

from __future__ import annotations

import msgspec


class TraceFigures(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a trace is, in figures, as its times are."""

    requests: int
    span_s: float
    """From its first request to its last."""
    input_mean: float
    output_mean: float
    input_most: int
    output_most: int
    busiest_rps: float
    """In the second with the most requests."""
    left_out: int = 0
    """Lines with no token in or no token out: requests that failed there."""
    hashed: bool = False
    """It has hash ids."""

    @property
    def rate_rps(self) -> float:
        """On average; 1 where all of it comes at the same instant."""
        return (self.requests - 1) / self.span_s if self.span_s > 0 and self.requests > 1 else 1.0
