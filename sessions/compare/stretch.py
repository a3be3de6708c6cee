"""A stretch of one load in one session, as it is compared: its figures cut into cells of time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from sessions.compare.blocks import (
    LEAST_BLOCKS,
    TIMES_A_BLOCK,
    Counts,
    Estimate,
    Quantity,
    Sums,
    correlation_cells,
    counts_of,
    estimate,
    estimate_of_nothing,
    of_parts,
    pull,
    sums_of,
)
from sessions.compare.metrics import OF_TARGETS, Metric
from sessions.digits import digits
from sessions.metrics import QUANTILES, THIN_FLOORS
from sessions.timeline.columns import Floats, Ints

REQUESTS = "requests"
"""Ends the reason where there were too few of them, which repetitions do not mend."""
PARTS = LEAST_BLOCKS
"""Of a stretch that is too short, or never steady, for blocks."""
NEVER_STEADY = "never steady"
SAME_LOAD = 0.02
"""Loads no further apart than this are one."""


class Load(NamedTuple):
    """What was put on the server."""

    kind: str
    """`rps` or `concurrency`; `whole` where it changed within."""
    value: float
    input_tokens: str
    """Lengths as they were asked for."""
    output_tokens: str

    @property
    def words(self) -> str:
        """`8 rps`, `concurrency 32`, `whole run`."""
        if self.kind == "whole":
            return "whole run"
        return (
            f"{digits(self.value, 4)} rps" if self.kind == "rps" else f"concurrency {digits(self.value, 4)}"
        )

    def is_same(self, other: Load, lengths: bool = True) -> bool:
        """`lengths`: those have to be the same, too."""
        if lengths and (self.input_tokens, self.output_tokens) != (other.input_tokens, other.output_tokens):
            return False
        if self.kind != other.kind:
            return False
        low, high = sorted((self.value, other.value))
        return self.kind == "whole" or (low > 0 and high / low <= 1 + SAME_LOAD)


class Values(NamedTuple):
    """One figure a request, above 0, and the cell of time in which the request was due."""

    values: Floats
    cell: Ints


class Stretch(NamedTuple):
    """Requests are those due in it that succeeded."""

    name: str
    load: Load
    repetition: int | None
    seconds: float
    cells: int
    block_cells: int
    """A block lasts at least so many: `least_block`."""
    latencies: Mapping[str, Values]
    """`ttft`, `tpot`, `e2e`, in ms."""
    itl_mean: Sums | None
    """In ms; None where nobody said how many tokens a chunk bore."""
    itl: Counts | None
    """From sketches (1 %), by when a token came."""
    rates: Mapping[str, Sums]
    """`request_rps`, `output_tps`, `goodput_rps`, `attainment`, `j_per_output_token`, `cost`, as far as they
    are known."""
    requests: int
    succeeded: int
    input_tokens_mean: float | None
    output_tokens_mean: float | None

    def estimated(self, metric: Metric) -> tuple[Estimate | None, str]:
        """The figure and how sure it is; and why that cannot be told, where it cannot."""
        quantity, count = self._quantity(metric)
        if quantity is None:
            return None, "not measured"
        if metric.of in OF_TARGETS and isinstance(quantity, Sums) and (none := estimate_of_nothing(quantity)):
            return none, ""
        exact = None
        if metric.of in self.latencies and metric.statistic in QUANTILES:
            exact = float(np.quantile(self.latencies[metric.of].values, QUANTILES[metric.statistic]))
        least = self.block_cells
        if metric.of in self.latencies:
            least = max(least, _block(self.latencies[metric.of], self.cells))
        found = estimate(quantity, least, exact)
        if found is None:
            return None, "not measured"
        need = THIN_FLOORS.get(metric.statistic, 0)
        if count is not None and count < need:
            return found._replace(error=None), f"needs {need} {REQUESTS}"
        if not found.steady:
            return found, NEVER_STEADY
        if found.error is None:
            return found, f"needs {self.seconds * LEAST_BLOCKS / found.blocks:,.0f} s"
        return found, ""

    def pulled(self, metric: Metric) -> Floats | None:
        """How much each cell of time pulls the figure up or down, but for a factor; None where it is not
        measured."""
        quantity, _ = self._quantity(metric)
        return None if quantity is None else pull(quantity)

    def of_parts(self, metric: Metric) -> Floats | None:
        """The figure of each of `PARTS` equal parts of the time, in their order; None where not each has one
        above 0."""
        quantity, _ = self._quantity(metric)
        if quantity is None:
            return None
        found = of_parts(quantity, PARTS)
        return found if bool((np.isfinite(found) & (found > 0)).all()) else None

    def _quantity(self, metric: Metric) -> tuple[Quantity | None, int | None]:
        """What `metric` is made of, and how many requests it rests on where that matters."""
        if metric.of == "itl":
            if metric.statistic == "mean":
                return self.itl_mean, None
            share = QUANTILES[metric.statistic]
            return (None if self.itl is None else self.itl._replace(share=share)), None
        if not metric.statistic:
            return self.rates.get(metric.of), None
        values, cell = self.latencies[metric.of]
        if not len(values):
            return None, 0
        if metric.statistic == "mean":
            return sums_of(values, cell, self.cells), len(values)
        return counts_of(values, cell, self.cells, QUANTILES[metric.statistic]), len(values)


def least_block(stream_s: Floats, tpot: Values, cells: int, cell_s: float) -> int:
    """How many cells a block has at least, whatever figure it is for.

    As long as an answer usually streams, since requests that are in a batch together share their fate; and
    long enough for the server's pace, whose autocorrelation is seen more clearly than that of a tail.

    Args:
        stream_s: from first to last token of each request.
    """
    least = math.ceil(float(np.median(stream_s)) / cell_s) if len(stream_s) and cell_s > 0 else 1
    return max(1, least, _block(tpot, cells))


def _block(of: Values, cells: int) -> int:
    """So many cells make a block, by the mean of these."""
    if not len(of.values):
        return 1
    return math.ceil(TIMES_A_BLOCK * correlation_cells(sums_of(*of, cells)))
