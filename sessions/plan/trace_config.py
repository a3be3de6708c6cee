"""A trace as a run or a stage asks for it, and what was found in it."""

from __future__ import annotations

import msgspec

from loadgen.trace.figures import TraceFigures
from sessions.digits import digits

LEAST_SPEED, MOST_SPEED = 0.001, 1000.0


class TraceConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """`speed` or `rate_rps` may be asked for, not both; without either it runs as it was recorded."""

    file: str
    """As it was typed: a file, or a session."""
    speed: float | None = None
    """So many times as fast."""
    rate_rps: float | None = None
    """As fast as it takes to come to this rate on average."""
    form: str = ""
    """`mooncake`, `azure`, `burstgpt` or `ttftop`; empty until it was read, as all below."""
    figures: TraceFigures | None = None
    """Of the part that is taken, at its own speed."""
    compiled: str = ""
    """Where the run's processes read it; a file of the session."""

    @property
    def times_as_fast(self) -> float:
        """Once it was read."""
        if self.rate_rps is not None and self.figures is not None:
            return self.rate_rps / self.figures.rate_rps
        return 1.0 if self.speed is None else self.speed

    @property
    def mean_rate_rps(self) -> float:
        """At the speed that was asked for; 0 until it was read."""
        return 0.0 if self.figures is None else self.figures.rate_rps * self.times_as_fast

    @property
    def span_s(self) -> float:
        """From the first request to the last, at that speed; 0 until it was read."""
        return 0.0 if self.figures is None else self.figures.span_s / self.times_as_fast

    @property
    def name(self) -> str:
        """The file without its directories."""
        return self.file.rstrip("/").rpartition("/")[2]

    @property
    def words(self) -> str:
        """What it is and how fast."""
        if self.figures is None:
            return f"trace {self.name}"
        what = f"trace {self.name} ({self.form}) at {digits(self.times_as_fast, 3)}x"
        return f"{what}: {self.figures.requests:,} requests, {digits(self.mean_rate_rps, 3)} rps on average"
