"""The rule: from a stretch of constant load in equal bins to a verdict. Pure numbers; docs/figures/steady.md
says it in words, with how often it is wrong.

Two questions, each with the doubt on the other side, so that "not yet known" is an answer:
- Open loop, drifting: would in-flight requests of a server that just keeps up have moved that far by chance?
  Arrivals of chance make them wander as a random walk does, so a slope is compared with that of a walk.
- Open loop, steady: could an overload by 5 % have looked so calm? It makes answers take longer by 5 % of the
  time that passes, give or take the same walk; the answer time must have moved by clearly less.
In a closed loop nothing can pile up: there a trend of the answer time is tested, its correlation allowed for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sessions.digits import digits
from sessions.steady.verdict import Verdict
from sessions.timeline.columns import Floats

BINS = 64
"""Into which a stretch is cut at most: bounds the work, however long it was."""
GROWTH = 1 - 1 / 1.05
"""What 5 % above capacity leaves unanswered of each second's arrivals."""
_CALM_OF_TREND, _CALM_OF_WALK = 0.0163, 0.0302
"""Of a random walk of 24 means, the variance is below `_CALM_OF_WALK` times that of its end in 5 % of cases;
with a trend of any size in it, below `_CALM_OF_TREND` times the trend's end squared (simulated: the least
over all ratios of the two)."""
_SAFETY = 0.7
"""Of the variance allowed: a server is no random walk, and fills up first."""
_DRIFT_Z, _DRIFT_FLOOR = 2.0, 0.02
"""Standard deviations of a walk's slope, and the share of arrivals that must pile up at the least."""
_DRIFT_ANSWERS, _STEADY_ANSWERS = 12.0, 3.0
"""How many times its answers' own length a stretch must last, before it can be said to drift; and the
measured part of it, before it can be steady."""
_FULL_SHARE, _FULL_GAIN, _FULL_ANSWERS = 0.10, 1.05, 20
"""A shorter load drifts as well if the server is full: that share of the arrivals piles up, while tokens come
no faster in its second half than that times as in its first. An empty one that fills gives more and more."""
_TREND_T, _TREND_BOUND_T = 3.17, 1.81
"""Student's t with 10 degrees of freedom: two-sided 99 %, one-sided 95 %."""
_TREND_FLOOR, _TREND_MOST = 0.05, 0.10
"""Change of the answer time over the measured part, as a share of it: from which on it is a drift, and up to
which it is steady."""
_GROUPS = 12
_CALM_GROUPS = 24
_FEWEST_GROUPS = 8
_FEWEST_BINS = 24
_FIRST_TOKENS_A_GROUP = 3


class Bins(NamedTuple):
    """A stretch of load in bins of `length_s` seconds, oldest first, shape `(n,)` each."""

    length_s: float
    due: Floats
    in_flight: Floats
    """Mean, with what waits in the client."""
    ttft_s: Floats
    """Sum over the first tokens that came in a bin, from due; how many is `first_tokens`."""
    first_tokens: Floats
    gap_s: Floats
    """Sum of the gaps between chunks that ended in a bin."""
    gaps: Floats
    e2e_s: Floats
    """Sum over the answers that ended in a bin; of the first half is enough."""
    answers: Floats


class Judged(NamedTuple):
    """A verdict on bins: the measured ones are `[first, n)`."""

    verdict: Verdict
    first: int
    why: str
    """A few words with the figures that it rests on."""


def judge(
    bins: Bins, *, warm_up_s: float = 0.0, open_loop: bool = True, by_chance: bool = True, over: bool = True
) -> Judged:
    """The verdict on a stretch of constant load that began with the first bin.

    Args:
        warm_up_s: asked for: never measured.
        by_chance: arrivals are Poisson; else evenly spaced, so that no walk is to be allowed for.
        over: nothing more is due; what cannot be told then was too short, before it is settling.
    """
    open_verdict: Verdict = "too_short" if over else "settling"
    n = len(bins.due)
    seconds = n * bins.length_s
    ended = np.cumsum(bins.answers)
    early = max(n // 4, int(np.searchsorted(ended, 5)) + 1)
    if n < _FEWEST_BINS:
        return Judged(open_verdict, n, f"only {digits(seconds, 3)} s of load")
    if early > n // 2:
        ever = bool(ended[-1])
        return Judged(open_verdict, 0, f"{'hardly an' if ever else 'no'} answer came while it was on")
    own_s = _own_s(bins, early)
    first = int(np.ceil(max(warm_up_s, own_s) / bins.length_s))
    if own_s > seconds / 2:
        return Judged(
            open_verdict,
            min(first, n),
            f"its first answers took {digits(own_s, 3)} of its {digits(seconds, 3)} s",
        )
    if n - first < _FEWEST_BINS:
        return Judged(open_verdict, min(first, n), "too little is left after its warm-up and first answers")
    drift = (_piles_up if open_loop else _slows)(_grouped(bins, first, _GROUPS), by_chance)
    if drift is not None:
        verdict, full, why = drift
        if full or seconds >= _DRIFT_ANSWERS * own_s:
            return Judged(verdict, first, why)
    groups = int(min(_CALM_GROUPS, bins.first_tokens[first:].sum() // _FIRST_TOKENS_A_GROUP, n - first))
    if groups < _FEWEST_GROUPS:
        return Judged(open_verdict, first, "few requests")
    if seconds - first * bins.length_s < _STEADY_ANSWERS * own_s:
        return Judged(open_verdict, first, f"under {_STEADY_ANSWERS:g} answers' time of {digits(own_s, 3)} s")
    calm = _keeps_up if open_loop else _keeps_pace
    steady, why = calm(_grouped(bins, first, groups), by_chance)
    return Judged("steady" if steady else open_verdict, first, why)


def _own_s(bins: Bins, early: int) -> float:
    """How long an answer takes before any queue has grown: by the first `early` bins. Of the answers that
    have ended by then too many are short, so that the pace of the others counts as well."""
    ended_s = float(bins.e2e_s[:early].sum() / bins.answers[:early].sum())
    pace_s = answer_time_s(bins)[:early]
    pace_s = pace_s[np.isfinite(pace_s)]
    return max(ended_s, float(np.median(pace_s))) if len(pace_s) else ended_s


def answer_time_s(bins: Bins) -> Floats:
    """How long an answer of the stretch's mean length takes at the pace of each bin: TTFT and gaps as they
    were then. NaN where there were none."""
    first_tokens = bins.first_tokens.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        ttft_s = bins.ttft_s / bins.first_tokens
        if not bins.gaps.sum() or not first_tokens:
            return np.asarray(ttft_s, dtype=np.float64)
        return np.asarray(
            ttft_s + bins.gaps.sum() / first_tokens * (bins.gap_s / bins.gaps), dtype=np.float64
        )


def _piles_up(bins: Bins, by_chance: bool) -> tuple[Verdict, bool, str] | None:
    """Whether in-flight requests moved further than chance, of a server that just keeps up; and whether it
    is full."""
    seconds = len(bins.due) * bins.length_s
    rate = float(bins.due.sum()) / seconds
    slope, _ = _line(bins.in_flight, bins.length_s)
    step = float(np.var(np.diff(bins.in_flight), ddof=1))
    walk = max(rate if by_chance else 0.0, 1.5 * step / bins.length_s)
    if not min(walk, rate) > 0 or abs(slope) < max(
        _DRIFT_Z * (1.2 * walk / seconds) ** 0.5, _DRIFT_FLOOR * rate
    ):
        return None
    given, half = bins.gaps if bins.gaps.any() else bins.answers, len(bins.due) // 2
    flat = float(given[half:].sum()) <= _FULL_GAIN * float(given[:half].sum())
    full = flat and abs(slope) >= _FULL_SHARE * rate and float(bins.answers.sum()) >= _FULL_ANSWERS
    offered = f"{digits(rate, 3)} rps came, about {digits(max(rate - slope, 0.0), 3)} were answered"
    if slope > 0:
        return "drifting_up", full, f"in flight grows by {digits(slope, 2)}/s: {offered}"
    return "drifting_down", full, f"in flight falls by {digits(-slope, 2)}/s: {offered}"


def _keeps_up(bins: Bins, by_chance: bool) -> tuple[bool, str]:
    """Whether the answer time moved by less than an overload by 5 % would have let it."""
    times = answer_time_s(bins)
    known = times[np.isfinite(times)]
    if len(known) < 0.9 * len(times):
        return False, "first tokens come too seldom"
    seconds, variance = len(bins.due) * bins.length_s, float(known.var())
    trend, walk = GROWTH**2 * _CALM_OF_TREND, 0.0
    if by_chance and (due := float(bins.due.sum())):
        walk = _CALM_OF_WALK * seconds / due  # seconds a request: of the walk, each second
    allowed = _SAFETY * max(trend * seconds**2, walk * seconds)
    moved = f"answer time {digits(float(known.mean()), 3)} s ±{digits(variance**0.5, 2)}"
    if variance <= allowed:
        return True, moved
    # As far as it goes on as it is; a walk never does.
    needed = min((variance / (_SAFETY * trend)) ** 0.5, variance / (_SAFETY * walk) if walk else float("inf"))
    return False, f"{moved}: 5 % too much could look so, {_two(needed)} s might tell"


def _two(value: float) -> str:
    """Two digits without an exponent: `0.34`, `34`, `340`."""
    return f"{value:.2g}" if value < 100 else f"{float(f'{value:.2g}'):.0f}"


def _slows(bins: Bins, by_chance: bool) -> tuple[Verdict, bool, str] | None:
    """Whether the answer time changed. Of a closed loop nobody can say whether the server is full."""
    trend = _trend(bins)
    if trend is None:
        return None
    change, error = trend
    if abs(change) < max(_TREND_T * error, _TREND_FLOOR):
        return None
    word = "longer" if change > 0 else "shorter"
    return (
        "drifting_up" if change > 0 else "drifting_down",
        False,
        f"answers take {word} and {word}: by {abs(change):.0%}",
    )


def _keeps_pace(bins: Bins, by_chance: bool) -> tuple[bool, str]:
    trend = _trend(_grouped(bins, 0, min(_GROUPS, len(bins.due))))
    if trend is None:
        return False, "first tokens come too seldom"
    bound = abs(trend[0]) + _TREND_BOUND_T * trend[1]
    return bound <= _TREND_MOST, f"answer time within {bound:.1%}"


def _trend(bins: Bins) -> tuple[float, float] | None:
    """Change of the answer time over the bins as a share of its mean, and the standard error of that."""
    times = answer_time_s(bins)
    if len(times) < _FEWEST_GROUPS or not np.isfinite(times).all() or not times.mean():
        return None
    slope, error = _line(times, bins.length_s)
    share = len(times) * bins.length_s / float(times.mean())
    return slope * share, error * share


def _line(values: Floats, length_s: float) -> tuple[float, float]:
    """Slope a second of the line through them, and its standard error, the lag-1 correlation of what is left
    over allowed for (Hamed and Rao's factor of first order)."""
    x = (np.arange(len(values)) - (len(values) - 1) / 2) * length_s
    spread = float((x * x).sum())
    slope = float((x * values).sum()) / spread
    rest = values - values.mean() - slope * x
    square = float((rest * rest).sum())
    lag = min(max(float((rest[1:] * rest[:-1]).sum()) / square, 0.0), 0.9) if square > 0 else 0.0
    variance = square / max(len(values) - 2, 1) / spread * (1 + lag) / (1 - lag)
    return slope, float(variance**0.5)


def _grouped(bins: Bins, first: int, groups: int) -> Bins:
    """The bins from `first` on, put together to so many."""
    n = len(bins.due) - first
    groups = min(groups, n)
    edges = first + np.rint(np.linspace(0, n, groups + 1)).astype(np.int64)
    sums = [np.add.reduceat(column, edges[:-1]) for column in bins[1:]]
    sums[1] = sums[1] / np.diff(edges)
    return Bins(n * bins.length_s / groups, *sums)
