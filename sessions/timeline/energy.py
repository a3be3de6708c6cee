"""Joules over exactly a span of time, from what a GPU said at some instants. Pure.

The card's own energy counter comes first. Between two readings power is taken as constant, so a span that
begins or ends between them gets its share. Where there is no counter, power is integrated over time by the
trapezoid rule, and the result says so. What is not known is a gap, and is never counted as 0 W.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sessions.timeline.columns import Floats, Table
from sessions.timeline.gpus import GpuColumns
from sessions.timeline.load_gpus import powered

GAP_SHARE = 0.01
"""Of a span; with more of it unknown, nothing is divided by its joules."""

_POWER_HOLE = 4.0
"""In usual intervals: readings of power further apart leave a gap between them. A counter needs no such
limit, because it goes on counting while nobody asks."""
_POWER_HOLE_LEAST_NS = 2e9
_REACH = 1.5
"""In usual intervals: how far beyond its first and last reading a curve still holds."""


class Energy(NamedTuple):
    """What one or several GPUs used over a span."""

    joules: float | None
    """Energy over the part of the span that is known; None when nothing is."""
    gap_s: float
    """How much of the span is not known, seconds; of several GPUs, the longest."""
    integrated: bool = False
    """Some of it rests on power readings, not on a counter."""

    @property
    def source(self) -> str | None:
        """`counter`, or `integrated` where some of it rests on power; None where nothing is known."""
        return None if self.joules is None else "integrated" if self.integrated else "counter"

    def whole(self, seconds: float) -> float | None:
        """The joules, if next to all of a span of `seconds` is known."""
        return self.joules if self.gap_s <= GAP_SHARE * seconds else None


class EnergyCurve:
    """One GPU's power over time, as far as it is known.

    Args:
        times_ns: when it was read, ascending.
        counter_j: the card's energy counter, joules since some past instant, NaN where it was not had.
        power_w: its power, NaN where it was not had.
    """

    def __init__(self, times_ns: Floats, counter_j: Floats, power_w: Floats) -> None:
        t, first, last = _counted(times_ns, counter_j)
        self.integrated = not len(first)
        if self.integrated:
            t, first, last = _integrated(times_ns, power_w)
        self.read_ns: Floats = t[1:-1]
        """When it was read anew: a reading that only repeats the one before is none."""
        self._pieces = _Pieces(t, first[np.newaxis], last[np.newaxis]) if len(first) else None

    def over(self, from_ns: float, to_ns: float) -> Energy:
        """Energy used in `[from_ns, to_ns]`."""
        if self._pieces is None:
            return Energy(None, max(to_ns - from_ns, 0.0) / 1e9)
        (found,) = self._pieces.over(from_ns, to_ns, self.integrated)
        return found


class _Pieces:
    """Power of some GPUs over time, linear between bounds that all of them share.

    Args:
        t: the bounds, ns, ascending.
        first, last: power at the beginning and end of each piece, `(gpus, pieces)`; NaN where not known.
    """

    def __init__(self, t: Floats, first: Floats, last: Floats) -> None:
        span_s = (t[1:] - t[:-1]) / 1e9
        known = np.isfinite(first) & np.isfinite(last)
        first, last = np.where(known, first, 0.0), np.where(known, last, 0.0)
        self._t, self._first, self._known = t, first, known
        self._slope = (last - first) / span_s
        self._joules = ((first + last) / 2 * span_s).cumsum(axis=1)
        self._seconds = np.where(known, span_s, 0.0).cumsum(axis=1)

    def over(self, from_ns: float, to_ns: float, integrated: bool) -> list[Energy]:
        """Of each what it used in `[from_ns, to_ns]`."""
        length_s, found = max(to_ns - from_ns, 0.0) / 1e9, []
        for (from_j, from_s), (to_j, to_s) in zip(self._upto(from_ns), self._upto(to_ns), strict=True):
            gap_s = max(length_s - (to_s - from_s), 0.0)
            if to_s - from_s <= 0 and length_s > 0:
                found.append(Energy(None, length_s))
            else:
                found.append(Energy(to_j - from_j, 0.0 if gap_s < 1e-9 else gap_s, integrated))
        return found

    def _upto(self, t_ns: float) -> list[tuple[float, float]]:
        """Of each the joules and known seconds from the beginning to an instant."""
        t_ns = min(max(t_ns, float(self._t[0])), float(self._t[-1]))
        i = min(max(int(self._t.searchsorted(t_ns, side="right")) - 1, 0), self._first.shape[1] - 1)
        dt = (t_ns - float(self._t[i])) / 1e9
        joules, seconds = (
            kept[:, i - 1].tolist() if i else [0.0] * len(kept) for kept in (self._joules, self._seconds)
        )
        pieces = zip(
            joules,
            seconds,
            *(of[:, i].tolist() for of in (self._known, self._first, self._slope)),
            strict=True,
        )
        return [
            (j + watts * dt + slope * dt * dt / 2, s + dt) if known else (j, s)
            for j, s, known, watts, slope in pieces
        ]


def curves(gpus: dict[str, GpuColumns], at_ns: int, since_ns: float = -np.inf) -> list[EnergyCurve]:
    """One each of the GPUs that the load runs on, from what was read from `since_ns` up to `at_ns`."""
    return [curve_of(gpu.samples(at_ns), at_ns, since_ns) for gpu in powered(gpus, at_ns)]


def lately(gpus: dict[str, GpuColumns], at_ns: int, since_ns: float, from_ns: float) -> tuple[Energy, int]:
    """What the GPUs that the load runs on used in `[from_ns, at_ns]`, as `used` says of their `curves`, and
    how many they are. Those that were read at the same times, and each time anew, are reckoned together, at
    about the cost of one: a frame asks it of all."""
    alike: dict[bytes, list[Floats]] = {}
    parts: list[Energy] = []
    for samples in (gpu.samples(at_ns) for gpu in powered(gpus, at_ns)):
        a, b = samples.upto(np.array([since_ns, at_ns])).tolist()
        times, counter = samples["t"][a:b], samples["energy_j"][a:b]
        moves = (counter[1:] != counter[:-1]) & (times[1:] > times[:-1])
        if b - a > 1 and moves.all() and np.isfinite(counter).all():
            alike.setdefault(times.tobytes(), []).append(counter)
        else:
            parts.append(curve_of(samples, at_ns, since_ns).over(from_ns, at_ns))
    for read_ns, counters in alike.items():
        watts = _watts(t := np.frombuffer(read_ns), np.array(counters))
        parts += _Pieces(*_reaching(t, watts, watts)).over(from_ns, at_ns, integrated=False)
    return together(parts, max(at_ns - from_ns, 0.0) / 1e9), len(parts)


def curve_of(samples: Table, at_ns: float, since_ns: float = -np.inf) -> EnergyCurve:
    a, b = samples.upto(np.array([since_ns, at_ns])).tolist()
    return EnergyCurve(*(samples[name][a:b] for name in ("t", "energy_j", "power_w")))


def used(parts: Sequence[EnergyCurve], from_ns: float, to_ns: float) -> Energy:
    """What several GPUs used in `[from_ns, to_ns]`."""
    return together([part.over(from_ns, to_ns) for part in parts], max(to_ns - from_ns, 0.0) / 1e9)


def together(parts: Sequence[Energy], seconds: float) -> Energy:
    """Several GPUs as one: one of which nothing is known leaves all of the span a gap."""
    known = [part.joules for part in parts if part.joules is not None]
    if not known:
        return Energy(None, seconds)
    return Energy(sum(known), max(part.gap_s for part in parts), any(part.integrated for part in parts))


def _counted(times_ns: Floats, counter_j: Floats) -> tuple[Floats, Floats, Floats]:
    """Bounds of segments, and power at the beginning and end of each: NaN where the counter went back.

    A reading that repeats the one before is left out: an exporter that refreshes every 30 s repeats one
    a hundred times, and a GPU never draws nothing.
    """
    known = np.isfinite(counter_j)
    t, counter = times_ns[known], counter_j[known]
    moved = np.concatenate([[True], (np.diff(counter) != 0) & (np.diff(t) > 0)]) if len(t) else known[:0]
    t, counter = t[moved], counter[moved]
    if len(t) < 2:
        return np.empty(0), np.empty(0), np.empty(0)
    watts = _watts(t, counter)
    return _reaching(t, watts, watts)


def _watts(t: Floats, counter: Floats) -> Floats:
    """Between each two readings of a counter; NaN where it went back."""
    gained = counter[..., 1:] - counter[..., :-1]
    return np.where(gained >= 0, gained, np.nan) * 1e9 / (t[1:] - t[:-1])


def _integrated(times_ns: Floats, power_w: Floats) -> tuple[Floats, Floats, Floats]:
    known = np.isfinite(power_w)
    t, power = times_ns[known], power_w[known]
    moved = np.concatenate([[True], np.diff(t) > 0]) if len(t) else known[:0]
    t, power = t[moved], power[moved]
    if len(t) < 2:
        return np.empty(0), np.empty(0), np.empty(0)
    apart = np.diff(t)
    hole = apart > max(_POWER_HOLE * median(apart), _POWER_HOLE_LEAST_NS)
    return _reaching(t, np.where(hole, np.nan, power[:-1]), np.where(hole, np.nan, power[1:]))


def _reaching(t: Floats, first: Floats, last: Floats) -> tuple[Floats, Floats, Floats]:
    """The curve with a segment more at both ends, in which the power at that end holds on."""
    reach = _REACH * median(t[1:] - t[:-1])
    return (
        np.concatenate([[t[0] - reach], t, [t[-1] + reach]]),
        np.concatenate([first[..., :1], first, last[..., -1:]], axis=-1),
        np.concatenate([first[..., :1], last, last[..., -1:]], axis=-1),
    )


def median(values: Floats) -> float:
    """`numpy.median` of at least one known value, at a tenth of its cost."""
    ordered, half = np.sort(values), len(values) // 2
    return float(ordered[half]) if len(values) % 2 else float(ordered[half - 1] + ordered[half]) / 2
