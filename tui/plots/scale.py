"""Fixed scales: bounds on the 1-2-5 grid that grow at once and shrink only after a while."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]

HOLD_NS = 10_000_000_000
"""How long a smaller scale must have sufficed before it is taken."""
STRAY = 0.05
"""Share of the lowest values that may be left on the lowest row of a logarithmic scale."""
TINIEST, HUGEST = 1e-9, 1e15
# Finer than 1-2-5: on two or three rows, 26 on a scale to 50 would leave half of them empty.
_LINEAR_DIGITS = (1, 1.5, 2, 3, 4, 5, 6, 8)
_THIRDS = 1 / 3, 2 / 3
_PARTS = {"1.5": _THIRDS, "3": _THIRDS, "6": _THIRDS, "5": (0.4, 0.8, 0.2, 0.6)}
"""By the digits of the upper bound, where halves and quarters of it are not round."""


@dataclass(frozen=True)
class Scale:
    """Values from `low` at the bottom to `high` at the top. Carried by the caller from frame to frame."""

    low: float
    high: float
    log: bool = False
    small_since_ns: int | None = None
    """Since when a smaller scale would have been enough; None when none would."""
    cut: bool = False
    """There are values below `low`: they lie on the lowest row, whose label says so."""
    bend: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    """Places along a straight scale, and where they lie on this one (`centred`)."""

    def position(self, values: Series) -> Series:
        """0 at the bottom, 1 at the top, clipped; NaN where a value is not finite."""
        # `np.clip` takes as long as all of this, and a frame asks for a hundred.
        out = np.minimum(np.maximum(np.where(np.isfinite(values), values, np.nan), -HUGEST), HUGEST)
        if self.log:
            out = np.log(np.maximum(out, self.low) / self.low) / math.log(self.high / self.low)
        else:
            out = (out - self.low) / (self.high - self.low)
        clipped: Series = np.minimum(np.maximum(out, 0.0), 1.0)
        return clipped if self.bend is None else np.interp(clipped, *self.bend)

    def place(self, value: float) -> float:
        """`position` of one finite value, without the cost of an array."""
        if self.log:
            out = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            out = (value - self.low) / (self.high - self.low)
        out = min(max(out, 0.0), 1.0)
        return out if self.bend is None else float(np.interp(out, *self.bend))


PERCENT = Scale(0.0, 100.0)


def centred(scale: Scale, values: Iterable[float], height: int, base: float = 0.0) -> Scale:
    """`scale`, bent by half a row at the most, so that each of `values` lies in the midst of its row of
    `height`: a line drawn there parts what is below it from what is above. Of several in one row the lowest
    does.

    `base` are the rows that the lowest place fills already; where it is a whole one, it is none of a value's.
    """
    straight, bent = [0.0], [0.0]
    for value in sorted(values):
        place = scale.place(value)
        row = min(max(int(base + place * (height - base)), int(base)), height - 1)
        to = (row + 0.5 - base) / (height - base)
        if place == 0.0 and len(bent) == 1:
            bent[0] = max(to, 0.0)
        elif place > straight[-1] and to > bent[-1]:
            straight.append(place)
            bent.append(to)
    if straight[-1] < 1.0:
        straight.append(1.0)
        bent.append(1.0)
    return replace(scale, bend=(tuple(straight), tuple(bent)))


def floor_125(value: float) -> float:
    """The largest of ..., 0.5, 1, 2, 5, 10, ... that is not above `value` (> 0)."""
    return _grid_125(value, upwards=False)


def ceil_125(value: float, digits: tuple[float, ...] = (1, 2, 5)) -> float:
    """The smallest of ..., 0.5, 1, 2, 5, 10, ... (or of other `digits`) that is not below `value` (> 0)."""
    return _grid_125(value, upwards=True, digits=digits)


def _grid_125(value: float, upwards: bool, digits: tuple[float, ...] = (1, 2, 5)) -> float:
    grid = _grid(math.floor(math.log10(value)) - 1, digits)
    near = value * 1e-9
    if upwards:
        return next(point for point in grid if point >= value - near)
    return next(point for point in reversed(grid) if point <= value + near)


@lru_cache(64)
def _grid(exponent: int, digits: tuple[float, ...]) -> list[float]:
    """Three decades of it from `1e{exponent}` on."""
    return [float(f"{digit}e{exponent + i}") for i in range(3) for digit in digits]


def bounds(
    series: Iterable[Series], log: bool, least_high: float, nought: float = 0.0, kept: Sequence[float] = ()
) -> tuple[float, float, bool]:
    """1-2-5 bounds, and whether values lie below the lower one; they hold every other finite value.

    On a logarithmic scale what is not above `nought` is no length at all (chunks that came in one read), and
    where the lowest `STRAY` of the values reach more than a decade below the others, they are left out.
    `kept` are values that never are.
    `(least_high / 10 or 0, least_high)` where there is no value.
    """
    finite = [values[np.isfinite(values)] for values in series]
    every = np.concatenate([*finite, np.array(kept, dtype=np.float64)])
    every = np.clip(every, -HUGEST, HUGEST)
    if not log:
        high = float(every.max()) if every.size else 0.0
        return 0.0, ceil_125(max(high, least_high), _LINEAR_DIGITS), False
    lengths = np.sort(every[every > nought])
    if not lengths.size:
        return floor_125(least_high / 10), ceil_125(least_high), bool(every.size)
    least, usual = float(lengths[0]), float(lengths[int(len(lengths) * STRAY)])
    least = least if least >= usual / 10 else min([usual, *(value for value in kept if value > nought)])
    low = floor_125(max(least, TINIEST))
    high = ceil_125(max(float(lengths[-1]), TINIEST))
    while high / low < 4.9:  # a constant must not fill the chart with its noise
        low, high = floor_125(low * 0.7), ceil_125(high * 1.3)
    return low, high, bool((every < low).any())


def fitted(
    previous: Scale | None,
    series: Iterable[Series],
    now_ns: int,
    *,
    log: bool = False,
    least_high: float = 1.0,
    nought: float = 0.0,
    kept: Sequence[float] = (),
) -> Scale:
    """The scale to draw `series` on, given the one drawn last.

    Grows at once; shrinks when a smaller one has sufficed for `HOLD_NS`, or when time ran backwards.
    """
    low, high, cut = bounds(series, log, least_high, nought, kept)
    if previous is None or previous.log != log:
        return Scale(low, high, log, cut=cut)
    if low < previous.low or high > previous.high:
        return Scale(min(low, previous.low), max(high, previous.high), log, cut=cut)
    if low == previous.low and high == previous.high:
        return replace(previous, small_since_ns=None, cut=cut)
    since_ns = previous.small_since_ns
    if since_ns is None:
        return replace(previous, small_since_ns=now_ns, cut=cut)
    if now_ns < since_ns or now_ns - since_ns >= HOLD_NS:
        return Scale(low, high, log, cut=cut)
    return replace(previous, cut=cut)


def ticks(scale: Scale, height: int, name: Callable[[float], str]) -> dict[int, str]:
    """Row of the chart (0 is the top) to label: both bounds, then what fits between with a row to spare."""
    out: dict[int, str] = {}
    if height < 1:
        return out
    for value in [scale.high, scale.low, *between(scale)]:
        row = row_at(scale, value, height)
        if all(abs(row - other) >= 2 for other in out) or (value == scale.low and row not in out):
            out[row] = name(value) if value != scale.low or not scale.cut else "<" + name(value)
    return out


@lru_cache(256)
def row_at(scale: Scale, value: float, height: int) -> int:
    """The row of a chart (0 is the top) in which a value lies: labels are the same from frame to frame."""
    above = 1.0 - float(scale.position(np.array([value]))[0])
    return min(int(above * height), height - 1)


def between(scale: Scale) -> list[float]:
    """Round values between the bounds, the roundest first."""
    if not scale.log:
        leading = f"{scale.high:e}".partition("e")[0].rstrip("0").rstrip(".")
        return [float(f"{scale.high * share:.9g}") for share in _PARTS.get(leading, (0.5, 0.25, 0.75))]
    points: list[float] = []
    for digits in ((1,), (2, 5)):
        exponent = math.floor(math.log10(scale.low))
        while 10.0**exponent <= scale.high:
            points += [float(f"{digit}e{exponent}") for digit in digits]
            exponent += 1
    return [point for point in points if scale.low < point < scale.high]
