"""One request over its own time: its phases, its chunks, and what GPUs and server did meanwhile. Pure.

All of it as it was known at an instant: what came after is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from loadgen.records import Request
from sessions.frame.held_means import Axis, held_means, interval_ns
from sessions.frame.schema import Series
from sessions.timeline.columns import Floats, Ints, Table
from sessions.timeline.load_gpus import metered
from sessions.timeline.timeline import Timeline

LONGEST = 12
"""So many of the longest gaps are listed."""


class Phase(NamedTuple):
    """A part of the request's way."""

    name: str
    """What it is the way to: `sent`, `headers`, `first token`, `last token`, `end`; `answer` where there are
    no tokens."""
    from_ns: int
    to_ns: int
    reached: bool
    """It came to that; else it failed on the way, or still was on it."""


class Gap(NamedTuple):
    """Between two chunks."""

    at_ns: int
    """When it was over."""
    ms: float
    chunk: int
    """Number of the chunk that ended it; the first one of the answer is 1."""


@dataclass(frozen=True)
class Waterfall:
    """Series have shape `(slots,)`: column `i` begins at `start_ns + i * slot_ns`. NaN is a gap in what is
    known."""

    start_ns: int
    slot_ns: int
    slots: int
    over: bool
    """It had ended by then."""
    phases: tuple[Phase, ...]
    chunks: Series
    """How many came."""
    gap_ms: Series
    """The longest time between two chunks that touches the column; NaN where there was none."""
    longest: tuple[Gap, ...]
    """Longest first."""
    gaps: int
    """How many there were."""
    gpus: int
    """On which the load runs: `util` is their mean, `util_most` of the busiest."""
    util: Series | None
    util_most: Series | None
    kv: Series | None
    waiting: Series | None
    running: Series | None
    """As the server said of itself; None where it said nothing."""

    def column(self, t_ns: int) -> int:
        """Where an instant falls, the last column at most."""
        return min(max((t_ns - self.start_ns) // self.slot_ns, 0), self.slots - 1)


def waterfall(request: Request, timeline: Timeline, at_ns: int, slots: int) -> Waterfall:
    """`request` as it was known at `at_ns`, from when it was due, in `slots` columns."""
    slots = max(slots, 1)
    start_ns, end_ns = request.due_ns, max(min(request.end_ns, at_ns), request.due_ns + 1)
    slot_ns = max(-(-(end_ns - start_ns) // slots), 1)
    times, gaps_us = _chunks(request, end_ns)
    place = np.minimum((times - start_ns) // slot_ns, slots - 1)
    edges = np.minimum(start_ns + np.arange(slots + 1, dtype=np.float64) * slot_ns, end_ns)
    axis = Axis(end_ns, start_ns, slot_ns, slots, edges)
    order = np.argsort(-gaps_us, kind="stable")[:LONGEST]
    gpus, util = _util(timeline, axis)
    server = _server(timeline, axis)
    return Waterfall(
        start_ns,
        slot_ns,
        slots,
        request.end_ns <= at_ns,
        _phases(request, at_ns),
        np.bincount(place, minlength=slots).astype(np.float64),
        _longest_by_column(place, gaps_us, slots),
        tuple(Gap(int(times[i + 1]), float(gaps_us[i]) / 1e3, int(i) + 2) for i in order.tolist()),
        len(gaps_us),
        gpus,
        *util,
        *server,
    )


def _phases(request: Request, at_ns: int) -> tuple[Phase, ...]:
    instants = (
        ("sent", request.sent_ns),
        ("headers", request.headers_ns),
        ("first token", request.first_token_ns),
        ("last token", request.last_token_ns),
    )
    last = max((i for i, (_, t_ns) in enumerate(instants) if t_ns is not None), default=-1)
    found, from_ns = [], request.due_ns
    for name, t_ns in instants[: last + 1]:
        if t_ns is not None:
            found.append(Phase(name, from_ns, t_ns, True))
            from_ns = t_ns
    if request.error is not None and last + 1 < len(instants):
        found.append(Phase(instants[last + 1][0], from_ns, request.end_ns, False))
    else:
        name = "end" if request.first_token_ns is not None else "answer"
        found.append(Phase(name, from_ns, request.end_ns, request.error is None))
    return tuple(
        phase._replace(
            to_ns=max(min(phase.to_ns, at_ns), phase.from_ns), reached=phase.reached and phase.to_ns <= at_ns
        )
        for phase in found
        if phase.from_ns <= at_ns
    )


def _chunks(request: Request, end_ns: int) -> tuple[Ints, Ints]:
    """When each chunk came that had come by `end_ns`, and the gaps between them, microseconds."""
    if request.first_token_ns is None:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    gaps_us = np.array(request.gaps_us, dtype=np.int64)
    times = request.first_token_ns + np.concatenate([[0], np.cumsum(gaps_us) * 1000])
    came = int(np.searchsorted(times, end_ns, side="right"))
    return times[:came], gaps_us[: max(came - 1, 0)]


def _longest_by_column(place: Ints, gaps_us: Ints, slots: int) -> Series:
    out = np.full(slots, -1.0)
    np.maximum.at(out, place[1:], gaps_us)
    # Those that reach over several columns; each has a border of two to itself, so they are few.
    wide = np.flatnonzero(place[1:] > place[:-1]) if len(place) > 1 else np.zeros(0, dtype=np.int64)
    for i in wide.tolist():
        within = out[place[i] : place[i + 1] + 1]
        np.maximum(within, gaps_us[i], out=within)
    return np.where(out < 0, np.nan, out / 1e3)


def _util(timeline: Timeline, axis: Axis) -> tuple[int, tuple[Series | None, Series | None]]:
    gpus = metered(timeline.gpus, axis.at_ns)
    found = [_held(gpu.samples(axis.at_ns), ("util_pct",), axis) for gpu in gpus]
    each = np.array([values[0] for values in found if values is not None])
    if not np.isfinite(each).any():
        return len(gpus), (None, None)
    known = np.isfinite(each)
    count = known.sum(axis=0)
    sums = np.where(known, each, 0.0).sum(axis=0)
    mean = np.divide(sums, count, out=np.full(axis.slots, np.nan), where=count > 0)
    most = np.where(count > 0, np.where(known, each, -np.inf).max(axis=0), np.nan)
    return len(gpus), (mean, most)


def _server(timeline: Timeline, axis: Axis) -> tuple[Series | None, Series | None, Series | None]:
    """The first source by name that has spoken, as on the overview."""
    for source in sorted(timeline.servers):
        found = _held(timeline.servers[source].samples, ("kv_pct", "waiting", "running"), axis)
        if found is not None:
            kv, waiting, running = (values if np.isfinite(values).any() else None for values in found)
            return kv, waiting, running
    return None, None, None


def _held(samples: Table, names: tuple[str, ...], axis: Axis) -> Floats | None:
    row = int(samples.upto(axis.at_ns))
    if not row:
        return None
    return held_means(samples, names, axis, interval_ns(samples, row) * 1.5)
