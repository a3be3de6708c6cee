"""Since when a load has the server to itself: what was due before it began has been answered.

A queue that another load left behind says nothing of the load after it, though its first tokens come while
that one is on. Ticks do not say whose first token came, so requests are taken to get theirs in the order in
which they were due; a server that takes them in another order leaves a few behind.
"""

from __future__ import annotations

import numpy as np

from sessions.timeline.timeline import Timeline

_TICK_NS = 250_000_000
_FINE, _COARSE = 32, 64
"""Instants that are looked at: each tick at first, when nearly always it is, then so many over the rest."""
_SHORTER, _SHORT_NS = 0.9, 2 * _TICK_NS
"""Of the waits of those behind each other: which share of the one before is no shorter, and what is none."""
_GIVEN_UP = ("failed", "not_sent", "cut_off")


def cleared_ns(timeline: Timeline, since_ns: int, to_ns: int) -> int | None:
    """When the requests that were due by `since_ns` had got their first token, or had ended, and after them
    those that came meanwhile and waited behind them, and so on for as long as those waits become shorter;
    None where not even those directly behind them had theirs by `to_ns`."""
    ticks = timeline.ticks
    begin_ns = since_ns + _TICK_NS  # all of the tick in which the load changed is of the load before
    due, succeeded, *given_up = ticks.sums(
        ("due", "succeeded", *_GIVEN_UP), ticks.upto(np.array([-1.0, begin_ns]))
    ).sum(axis=(1, 2))
    on = due - succeeded - sum(given_up)
    started = timeline.sketches("ttft_from_due", (-1.0, begin_ns)).total
    waiting = min(due - started - sum(given_up), on)  # one that failed after its first token counts twice
    if waiting <= 0:
        return since_ns
    if to_ns <= begin_ns:
        return None
    fine = begin_ns + _TICK_NS * np.arange(_FINE, dtype=np.float64)
    edges = np.union1d(fine[fine < to_ns], np.linspace(begin_ns, to_ns, _COARSE))
    gained = ticks.sums(("due", "succeeded", *_GIVEN_UP), ticks.upto(edges)).sum(axis=2).cumsum(axis=1)
    came, done, lost = gained[0], gained[1], gained[2:].sum(axis=0)
    tokens = timeline.sketches("ttft_from_due", edges).counts.sum(axis=1).cumsum()
    # Whoever has ended waits no more, though no token of it may ever have been seen.
    ahead = np.maximum(tokens + lost - waiting, done + lost - on)
    times, passed = [begin_ns], 0.0
    while (found := np.flatnonzero(ahead >= passed)).size:
        times.append(int(edges[found[0] + 1]))
        passed = float(came[found[0]])
        waits = np.diff(times[-3:])
        if len(waits) == 2 and (waits[1] > _SHORTER * waits[0] or waits[1] <= _SHORT_NS):
            break
    return times[-1] if len(times) > 2 else None
