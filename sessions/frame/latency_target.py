"""A target of a run as a frame shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LatencyTarget:
    """One figure that is to stay below a limit, and what it is lately."""

    statistic: str
    """`p95`, any percentile, `mean` or `max`."""
    limit_ms: float
    now_ms: float | None = None
    """Over the last `recent_s`; None where nothing was observed."""
    thin: bool = False
    """`now_ms` rests on too few samples: draw it with `~`."""
    name: str = "ITL"
    """Of the figure, where it stands in the chart of another."""

    @property
    def met(self) -> bool | None:
        """None where nothing was observed."""
        return None if self.now_ms is None else self.now_ms <= self.limit_ms

    @property
    def quantile(self) -> float:
        """Which percentile is asked of, so that it is seen in which part of a chart; of a mean the middle."""
        if self.statistic in ("mean", "max"):
            return 0.5 if self.statistic == "mean" else 1.0
        return float(self.statistic[1:]) / 100
