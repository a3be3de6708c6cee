"""Why the time to first token is what it is: what the server says of its own part in it, and what is left.

Each column shows means over the last `MEAN_NS`: of a handful of requests none would be steady. What is
subtracted from one another is of the same requests. vLLM and TGI tell of a request's queue when it has ended,
which may be minutes after its first token; against those stand our own requests that ended in the same time.
Where a server tells of it before (SGLang), ours are those whose first token came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sessions.frame.gpus import STALE_NS, axis_of
from sessions.frame.held_means import Axis, interval_ns
from sessions.frame.schema import Frame, Series
from sessions.frame.server_hosts import speaking
from sessions.timeline.columns import Floats, Ints, Table
from sessions.timeline.ended_requests import EndedRequests
from sessions.timeline.requests import RequestColumns
from sessions.timeline.sketches import VALUES_NS
from sessions.timeline.timeline import Timeline

MEAN_NS = 5_000_000_000
OTHERS = 1.25
"""So many times our requests, and the server has counted those of others, too."""
_OTHERS_LEAST = 10

PREFILL, QUEUE, REST_OF_SERVER = "prefill", "queue", "rest of the server"
OWN, NETWORK, SEND_LAG = "server", "network and client", "send lag"


@dataclass(frozen=True)
class Layer:
    """A part of the time to first token, ms. What a part was long ago is `first_ms`."""

    name: str
    values: Series
    now_ms: float | None
    first_ms: float | None


@dataclass(frozen=True)
class FirstToken:
    """Means from due, ms, on the frame's axis."""

    layers: tuple[Layer, ...]
    """From the bottom of the stack; together they are `total`, but where the server's own parts are more."""
    total: Layer
    first_ns: int | None
    """Of the column that the `first_ms` are of; None where there is none but the newest."""
    of_ended: bool
    """Of the requests that ended in a time, not of those whose first token came in it."""
    untold: str
    """What this server does not tell, in one sentence; empty where it tells queue and prefill."""
    read_share: float = 1.0
    """How much of our requests is read; the layers are of those."""
    mean_s: float = MEAN_NS / 1e9
    """Of so long a time each mean is: in a long window of a whole column."""
    others: bool = False
    """The server's figures are of more requests than ours."""


def first_token(
    timeline: Timeline, frame: Frame, requests: Callable[[], RequestColumns]
) -> FirstToken | None:
    """`requests` is called, and so their lines are read, only where the server wants them; None where no
    first token has come."""
    axis = axis_of(frame)
    found = speaking(timeline, frame.at_ns)
    samples = found[1].samples if found is not None else Table(("t", *_FIELDS))
    spans = _spans(samples, axis)
    told = {name: _told(samples, name, spans) for name in ("queue", "prefill", "ttft")}
    of_ended = _tells_at_end(samples, spans)
    streamed = _streamed(timeline, spans)
    ours, read_share = streamed, 1.0
    if of_ended:
        read = requests()
        ours = _ended(read.ended, spans)
        ended = frame.succeeded + frame.failed + frame.cut_off
        read_share = min(len(read) / ended, 1.0) if ended else 1.0
    if not np.isfinite(streamed.total).any():
        return None
    own = told["ttft"].mean
    # What no server knows of: of requests whose first token came, on both sides.
    outside = np.maximum(streamed.total - streamed.lag - own, 0.0)
    parts, untold = _parts(ours, told["queue"].mean, told["prefill"].mean, own, outside, of_ended=of_ended)
    first = _first(ours.total, parts, axis)
    newest = _newest(ours.total, axis)

    def layer(name: str, values: Series) -> Layer:
        return Layer(name, values, _at(values, newest), _at(values, first))

    counted = told["queue" if of_ended else "ttft"].count
    both = np.isfinite(counted) & (ours.count > 0)
    theirs, mine = float(counted[both].sum()), float(ours.count[both].sum())
    return FirstToken(
        layers=tuple(layer(name, values) for name, values in parts),
        total=layer("TTFT", ours.total),
        first_ns=None if first is None else int(axis.edges[first + 1]),
        of_ended=of_ended,
        untold=untold,
        read_share=read_share,
        mean_s=max(axis.slot_ns, MEAN_NS) / 1e9,
        others=read_share == 1.0 and mine >= _OTHERS_LEAST and theirs > OTHERS * mine,
    )


_FIELDS = ("queue_count", "queue_sum_s", "prefill_count", "prefill_sum_s", "ttft_count", "ttft_sum_s")


@dataclass(frozen=True)
class _Spans:
    """Of each column, the span that its means are of: `(from_ns, to_ns]`, NaN where there is none. With a
    server these are two of its readings, whose rows are `before` and `last`."""

    from_ns: Floats
    to_ns: Floats
    before: Ints
    last: Ints


@dataclass(frozen=True)
class _Ours:
    """Our means over spans, ms, and of how many; `lag` is sent minus due."""

    total: Series
    lag: Series
    count: Series


@dataclass(frozen=True)
class _Told:
    mean: Series
    count: Series


def _spans(samples: Table, axis: Axis) -> _Spans:
    """A column that is still to come has none, nor one that no reading of the server is near."""
    ends = axis.edges[1:]
    begun = axis.edges[:-1] < axis.at_ns
    long_ns = max(float(axis.slot_ns), MEAN_NS)
    if not len(samples):
        none = np.full(axis.slots, -1)
        return _Spans(np.where(begun, ends - long_ns, np.nan), np.where(begun, ends, np.nan), none, none)
    times = samples["t"]
    last, before = samples.upto(ends) - 1, np.maximum(samples.upto(ends - long_ns) - 1, 0)
    age_ns = max(STALE_NS, 3 * interval_ns(samples, int(samples.upto(axis.at_ns))))
    near = begun & (last > before) & (ends - times[last] <= age_ns)
    near &= times[last] - times[before] <= long_ns + age_ns
    return _Spans(
        np.where(near, times[before], np.nan),
        np.where(near, times[last], np.nan),
        np.where(near, before, -1),
        np.where(near, last, -1),
    )


def _told(samples: Table, name: str, spans: _Spans) -> _Told:
    """The server's own means, ms; NaN where it counted none, or fewer than before."""
    mean: Series = np.full(len(spans.last), np.nan)
    count: Series = np.full(len(spans.last), np.nan)
    some = np.flatnonzero(spans.last >= 0)
    if not len(some):
        return _Told(mean, count)
    counts, sums = samples[f"{name}_count"], samples[f"{name}_sum_s"]
    gained = counts[spans.last[some]] - counts[spans.before[some]]
    seconds = sums[spans.last[some]] - sums[spans.before[some]]
    well = np.isfinite(gained) & (gained >= 0) & ~(seconds < 0)
    count[some[well]] = gained[well]
    well &= (gained > 0) & np.isfinite(seconds)
    mean[some[well]] = seconds[well] / gained[well] * 1e3
    return _Told(mean, count)


def _tells_at_end(samples: Table, spans: _Spans) -> bool:
    """It counts a request's queue together with its whole time: when it has ended."""
    some = spans.last[spans.last >= 0]
    if not len(some):
        return False
    rows = slice(int(spans.before[spans.before >= 0].min()), int(some.max()) + 1)
    queued, ended = samples["queue_count"][rows], samples["e2e_count"][rows]
    known = np.isfinite(queued) & np.isfinite(ended)
    # Where several processes serve one page, a reading may fall between the two counts of one request.
    apart = np.abs(queued[known] - ended[known])
    return bool(known.any() and (apart <= 1).all() and queued[known].max() > 0)


def _streamed(timeline: Timeline, spans: _Spans) -> _Ours:
    """Of the requests whose first token came; from sketches, within 1 %."""
    known = np.isfinite(spans.to_ns)
    times = np.unique(np.concatenate([spans.from_ns[known], spans.to_ns[known]]))
    if len(times) < 2:
        nothing = np.full(len(known), np.nan)
        return _Ours(nothing, nothing, np.zeros(len(known)))
    sums = []
    for metric in ("ttft_from_due", "ttft_from_sent"):
        found = timeline.sketches(metric, times)
        values = VALUES_NS[found.low : found.low + found.counts.shape[1]]
        sums += [found.counts.sum(axis=1), found.counts @ values]
    counts, due_ns, _, sent_ns = (np.concatenate([[0.0], np.cumsum(part)]) for part in sums)
    return _over(spans, times, counts, due_ns, due_ns - sent_ns)


def _ended(ended: EndedRequests, spans: _Spans) -> _Ours:
    """Of the requests that ended well."""
    known = np.isfinite(spans.to_ns)
    times = np.unique(np.concatenate([spans.from_ns[known], spans.to_ns[known], [-1.0]]))
    return _over(spans, times, *ended.upto(times))


def _over(spans: _Spans, times: Floats, counts: Floats, due_ns: Floats, lag_ns: Floats) -> _Ours:
    """Means over spans of what has been added up by ascending `times`."""
    known = np.isfinite(spans.to_ns)
    a = np.searchsorted(times, np.where(known, spans.from_ns, times[0]), side="right") - 1
    b = np.searchsorted(times, np.where(known, spans.to_ns, times[0]), side="right") - 1
    a, b = np.maximum(a, 0), np.maximum(b, 0)
    n = np.where(known, counts[b] - counts[a], 0.0)
    some = n > 0

    def mean(sums: Floats) -> Series:
        out: Series = np.full(len(n), np.nan)
        out[some] = (sums[b] - sums[a])[some] / n[some] / 1e6
        return out

    return _Ours(mean(due_ns), np.maximum(mean(lag_ns), 0.0), n)


def _parts(
    ours: _Ours, queue: Series, prefill: Series, own: Series, outside: Series, *, of_ended: bool
) -> tuple[list[tuple[str, Series]], str]:
    """The layers from the bottom, by what the server tells, and what it does not."""
    from_sent = ours.total - ours.lag

    def left(*known: Series) -> Series:
        rest: Series = np.maximum(from_sent - sum(known), 0.0)
        return rest

    tells_queue, tells_prefill, tells_own = (bool(np.isfinite(x).any()) for x in (queue, prefill, own))
    lag = [(SEND_LAG, ours.lag)]
    if tells_queue and tells_prefill:
        rest = left(queue, prefill)
        parts = [(PREFILL, prefill), (QUEUE, queue)]
        if not tells_own:
            return [*parts, (NETWORK, rest), *lag], ""
        network = np.where(np.isfinite(outside), np.minimum(outside, rest), rest)
        return [*parts, (REST_OF_SERVER, rest - network), (NETWORK, network), *lag], ""
    if tells_queue and tells_own and not of_ended:
        rest = np.maximum(own - queue, 0.0)
        parts = [(f"{PREFILL}, {REST_OF_SERVER}", rest), (QUEUE, queue), (NETWORK, left(queue, rest)), *lag]
        return parts, "this server tells no prefill times: what its own TTFT has beyond its queue is prefill"
    if tells_queue:
        parts = [(f"{PREFILL}, {NETWORK}", left(queue)), (QUEUE, queue), *lag]
        return parts, "this server tells no prefill times: they are in what is left"
    if tells_own:
        parts = [(OWN, own), (NETWORK, left(own)), *lag]
        return parts, "this server tells neither queue nor prefill times: its own TTFT stands below ours"
    parts = [(f"{OWN}, {NETWORK}", from_sent), *lag]
    return parts, "this server tells none of its own times: only ours are known"


def _known(total: Series, parts: list[tuple[str, Series]]) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = np.isfinite(total + np.sum([values for _, values in parts], axis=0))
    return known


def _first(total: Series, parts: list[tuple[str, Series]], axis: Axis) -> int | None:
    """The first column of which all parts are known, and that is older than the newest's mean."""
    known = np.flatnonzero(_known(total, parts))
    if not len(known) or axis.at_ns - axis.edges[known[0] + 1] < 2 * MEAN_NS:
        return None
    return int(known[0])


def _newest(total: Series, axis: Axis) -> int | None:
    """The column of the playhead, if anything is known of it."""
    begun = np.flatnonzero(axis.edges[:-1] < axis.at_ns)
    return int(begun[-1]) if len(begun) and np.isfinite(total[begun[-1]]) else None


def _at(values: Series, column: int | None) -> float | None:
    return None if column is None or not np.isfinite(values[column]) else float(values[column])
