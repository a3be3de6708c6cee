"""From values to places on an axis, and where its ticks lie."""

from __future__ import annotations

import math

from sessions.digits import digits


class Scale:
    """From values to places."""

    def __init__(
        self, low: float, high: float, first: float, last: float, log: bool, nice: bool = False
    ) -> None:
        if log:
            low, high = max(low, 1e-9), max(high, 1e-9)
            if nice:
                low, high = _log_below(low), _log_above(high)
            if high <= low:
                low, high = low / 1.5, low * 1.5
        elif high <= low:
            low, high = (low - 0.5, low + 0.5) if low else (0.0, 1.0)
        if nice and not log:
            step = _step((high - low) / 4)
            low, high = math.floor(low / step) * step, math.ceil(high / step - 1e-9) * step
        self.low, self.high, self._first, self._last, self._log = low, high, first, last, log

    def __call__(self, value: float) -> float:
        if self._log:
            part = math.log(max(value, 1e-12) / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self._first + (self._last - self._first) * min(max(part, 0.0), 1.0)

    def ticks(self, about: int) -> list[float]:
        if self._log and self.high / self.low > 3:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            factors: tuple[int, ...] = (1,) if last - first > 3 else (1, 3) if last - first > 2 else (1, 2, 5)
            if about > 4 and self.high / self.low < 20:
                factors = (1, 2, 3, 5, 7)
            found = [f * 10.0**e for e in range(first, last + 1) for f in factors]
            return [v for v in found if self.low * 0.999 <= v <= self.high * 1.001]
        step = _step((self.high - self.low) / about)
        count = math.floor(self.high / step + 1e-9) - math.ceil(self.low / step - 1e-9) + 1
        return [(math.ceil(self.low / step - 1e-9) + i) * step for i in range(min(count, 50))]


def _step(raw: float) -> float:
    """1, 2 or 5 times a power of ten, at least `raw`."""
    if raw <= 0 or not math.isfinite(raw):
        return 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    return next((f * power for f in (1, 2, 5, 10) if f * power >= raw * 0.999), 10 * power)


def _log_below(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return max((f * power for f in (1, 2, 5) if f * power <= value * 1.001), default=power)


def _log_above(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next((f * power for f in (1, 2, 5, 10) if f * power >= value * 0.999), 10 * power)


def tick(value: float) -> str:
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{digits(value / (1e3 if letter == 'k' else limit), 6)}{letter}"
    return digits(value, 6)
