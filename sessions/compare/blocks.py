"""How sure a figure of one run is: bootstrap over blocks of time.

Requests that follow each other share a queue and a batch, so n of them are not n independent ones. What is
drawn anew is therefore stretches of time, each long enough that what happens in one hardly tells of the next.
Pure, and the same for the same figures: the draws are seeded.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sessions.timeline.columns import Floats, Ints

RESAMPLES = 400
"""Of a standard error, which then is good to 4 %; tails of the interval come from Student's t."""
LEAST_BLOCKS = 6
TIMES_A_BLOCK = 1.0
"""Blocks last so many times the integrated autocorrelation of the figure."""
GRAIN = 0.001
"""Values are counted in bins so wide, as a share of them."""

_ROUNDING = 1e-18
Counted = NDArray[np.float32]


class Sums(NamedTuple):
    """A mean, as one sum over another: what each cell of time adds to both."""

    above: Floats
    below: Floats


class Counts(NamedTuple):
    """A quantile: how often each value came in each cell of time."""

    values: Floats
    """Ascending, `(k,)`."""
    counts: Counted
    """`(cells, k)`."""
    share: float
    """0.95 for p95."""
    width: float
    """Of the bin around each value, in its log."""


Quantity = Sums | Counts


class Estimate(NamedTuple):
    """A figure, and how far it may be off."""

    value: float
    error: float | None
    """Standard error of its log; None where the run is too short to tell."""
    blocks: float
    """Independent stretches of time that it rests on."""
    steady: bool = True
    """False where it went one way all along, as latency does while a queue grows."""
    nothing: bool = False
    """Nothing at all was counted: `value` is that of half a one."""


def counts_of(values: Floats, cell: Ints, cells: int, share: float) -> Counts:
    """Of single values above 0, each in its cell of time."""
    bins = np.rint(np.log(values) / GRAIN).astype(np.int64)
    seen, place = np.unique(bins, return_inverse=True)
    flat = np.bincount(cell * len(seen) + place, minlength=cells * len(seen))
    return Counts(np.exp(seen * GRAIN), flat.reshape(cells, len(seen)).astype(np.float32), share, GRAIN)


def per_cell(values: Floats, cell: Ints, cells: int) -> Floats:
    """What each cell of time has of them in all."""
    return np.bincount(cell, values, cells).astype(np.float64)


def sums_of(values: Floats, cell: Ints, cells: int) -> Sums:
    """The mean of single values."""
    return Sums(per_cell(values, cell, cells), per_cell(np.ones(len(cell)), cell, cells))


def estimate(quantity: Quantity, least_cells: int, value: float | None = None) -> Estimate | None:
    """The figure and its standard error; None where there is no figure above 0.

    Args:
        least_cells: a block lasts at least so many cells.
        value: the figure, where it is known more exactly.
    """
    cells, plain = cells_of(quantity), _plain(quantity)
    if not (math.isfinite(plain) and plain > 0):
        return None
    time = correlation_cells(quantity, plain)
    length = max(least_cells, math.ceil(TIMES_A_BLOCK * time))
    steady = cells / length >= 2
    blocks = min(cells / length, _blocks_behind(quantity, plain, length))
    value = plain if value is None else value
    if blocks < LEAST_BLOCKS:
        return Estimate(value, None, blocks, steady)
    figures = _figures(quantity, _draws(cells, length))
    known = figures[np.isfinite(figures) & (figures > 0)]
    if len(known) < 0.9 * RESAMPLES:
        return Estimate(value, None, blocks)
    # Blocks next to each other still have something in common: of what is remembered for a block (an AR(1))
    # about half, and of a figure in which that is mixed with chance, of the share that is remembered.
    missed = (1 - 1 / time) * (length + 1) / (2 * length)
    error = float(np.log(known).std()) * math.sqrt(blocks / (blocks - 1) / (1 - missed))
    if isinstance(quantity, Counts):  # where in its bin the figure lies nobody knows
        error = math.hypot(error, quantity.width / math.sqrt(12))
    return Estimate(value, error, blocks)


def estimate_of_nothing(quantity: Sums) -> Estimate | None:
    """Of a count that is 0 all along: half a one, give or take a factor of e; None where it is not 0."""
    of = float(quantity.below.sum())
    return None if quantity.above.any() or of <= 0 else Estimate(0.5 / of, 1.0, LEAST_BLOCKS, nothing=True)


def _figures(quantity: Quantity, weights: Counted) -> Floats:
    """The figure under each row of weights, `(draws, cells)`; NaN where nothing is left of it."""
    if isinstance(quantity, Sums):
        above, below = weights @ quantity.above, weights @ quantity.below
        return np.asarray(np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0))
    if not len(quantity.values):
        return np.full(len(weights), np.nan)
    counts = weights @ quantity.counts
    sums = np.cumsum(counts, axis=1, dtype=np.float64)
    place = quantity.share * sums[:, -1]
    rank = np.minimum((sums < place[:, None]).sum(axis=1), len(quantity.values) - 1)
    row = np.arange(len(rank))
    into = (sums[row, rank] - place) / np.maximum(counts[row, rank], 1.0)  # how far from the bin's end
    return np.where(sums[:, -1] > 0, quantity.values[rank] * np.exp((0.5 - into) * quantity.width), np.nan)


def cells_of(quantity: Quantity) -> int:
    """How many cells of time it is cut into."""
    return len(quantity[0]) if isinstance(quantity, Sums) else len(quantity.counts)


def _plain(quantity: Quantity) -> float:
    """The figure of all cells; NaN where there is none."""
    cells = cells_of(quantity)
    return float(_figures(quantity, np.ones((1, cells), dtype=np.float32))[0]) if cells else math.nan


def of_parts(quantity: Quantity, parts: int) -> Floats:
    """The figure of each of so many equal parts of the time, `(parts,)`; NaN where it has none."""
    cells = cells_of(quantity)
    part = np.arange(cells) * parts // max(cells, 1)
    return _figures(quantity, (part == np.arange(parts)[:, None]).astype(np.float32))


def pull(quantity: Quantity, figure: float | None = None) -> Floats:
    """How much each cell pulls the figure up or down, but for a factor."""
    if figure is None:
        figure = _plain(quantity)
    if isinstance(quantity, Sums):
        return quantity.above - figure * quantity.below
    over = quantity.counts[:, quantity.values > figure].sum(axis=1, dtype=np.float64)
    return np.asarray(over - (1 - quantity.share) * quantity.counts.sum(axis=1, dtype=np.float64))


def _blocks_behind(quantity: Quantity, figure: float, length: int) -> float:
    """How many blocks a tail comes from: a p95 that two bad moments made rests on those two (Kish)."""
    if isinstance(quantity, Sums):
        return math.inf
    over = quantity.counts[:, quantity.values > figure].sum(axis=1, dtype=np.float64)
    each = np.add.reduceat(over, np.arange(0, len(over), length))
    square = float(each @ each)
    return float(each.sum()) ** 2 / square if square > 0 else math.inf


def correlation_cells(quantity: Quantity, figure: float | None = None) -> float:
    """The integrated autocorrelation time of a figure, in cells; 1 where cells tell nothing of each other.

    The autocorrelation adds up until it turns negative (Geyer's initial positive sequence of pairs).
    """
    if figure is None:
        figure = _plain(quantity)
    pulled = pull(quantity, figure)
    z = pulled - pulled.mean()
    n, power = len(z), float(z @ z)
    sizes = quantity.above if isinstance(quantity, Sums) else quantity.counts.sum(axis=1, dtype=np.float64)
    if not power > _ROUNDING * float(sizes @ sizes):  # every cell says the same
        return 1.0
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(z, size)
    correlation = np.fft.irfft(spectrum * spectrum.conj(), size)[:n] / power
    time = -1.0
    for lag in range(0, n - 1, 2):
        pair = float(correlation[lag] + correlation[lag + 1])
        if pair <= 0:
            break
        time += 2 * pair
    # Of a series that is not much longer than its memory, its own mean has swallowed some of it.
    return max(time * (1 + 4 * time / n), 1.0)


def _draws(cells: int, length: int) -> Counted:
    """How often each cell is drawn, `(RESAMPLES, cells)`: circular blocks, the last one cut to fit."""
    draw = np.random.default_rng([cells, length])
    starts = draw.integers(cells, size=(RESAMPLES, -(-cells // length)))
    drawn = (starts[:, :, None] + np.arange(length)).reshape(RESAMPLES, -1)[:, :cells] % cells
    flat = np.bincount((drawn + cells * np.arange(RESAMPLES)[:, None]).ravel(), minlength=RESAMPLES * cells)
    return flat.reshape(RESAMPLES, cells).astype(np.float32)
