"""What the limit rules rest on, second by second, from a timeline. What is not known is None.

The evidence at the end of a second depends on records up to that instant only, so that a live run and its
replay find the same.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sessions.bottleneck.client_saturation import SECOND_NS, troubles
from sessions.bottleneck.rules import Evidence
from sessions.timeline.columns import Floats, Ints, Table, quantiles_ns, span_sums
from sessions.timeline.load_gpus import metered
from sessions.timeline.timeline import Timeline

_RECENT_S, _PREEMPTIONS_S, _GROWTH_S = 3, 5, 10
_HEALTH_S = 4
_STILL_NS = 1.25e9
"""Ticks are closed every 250 ms by a worker that runs."""
_STEADY = 0.002
"""Of the rate: one that moves by more within a second is on a ramp."""
LEAD_S = 16
"""Seconds before the first one that are looked at."""

_TICK_SUMS = ("due", "sent", "succeeded", "failed", "output_tokens", "dt")
_GPU_MEANS = (
    *("util_pct", "sm_active_pct", "dram_active_pct", "power_w", "power_limit_w", "temperature_c"),
    *("sm_clock_mhz", "power_throttled_pct", "thermal_throttled_pct", "brake_throttled_pct"),
)


class _Seconds(NamedTuple):
    """Whole seconds of session time; those from `first` on are asked for, `LEAD_S` come before."""

    first: int
    last: int

    @property
    def edges(self) -> Floats:
        return np.arange(self.first - LEAD_S, self.last + 1, dtype=np.float64) * SECOND_NS


def evidence(timeline: Timeline, first: int, last: int) -> list[Evidence]:
    """Of the seconds `[first, last)`; second `i` is from `i` to `i + 1` s of session time."""
    cuts = [first, *(cut for cut in _cuts(timeline) if first < cut < last), max(first, last)]
    return [second for a, b in pairwise(cuts) for second in _evidence(timeline, _Seconds(a, b))]


def _cuts(timeline: Timeline) -> list[int]:
    """The seconds at whose end another GPU or source counts for the first time."""
    tables = [server.samples for server in timeline.servers.values()]
    known_ns = []
    for gpu in timeline.gpus.values():
        known_ns += [gpu.since_ns, *(t_ns for t_ns, _, _ in gpu.said)]
        tables += gpu.tables.values()
    known_ns += [int(table["t"][0]) for table in tables if len(table)]
    return sorted({max(t_ns - 1, 0) // SECOND_NS for t_ns in known_ns})


def _evidence(timeline: Timeline, span: _Seconds) -> list[Evidence]:
    if span.last <= span.first:
        return []
    columns = {**_load(timeline, span), **_server(timeline, span), **_gpus(timeline, span)}
    saturated = _client(timeline, span)
    labels = _labels(timeline, span, columns.pop("gpu_at"))
    idle = columns.pop("activity") <= 0
    names = list(columns)
    rows = np.array([columns[name][LEAD_S:] for name in names]).T
    ends_ns = [second * SECOND_NS for second in range(span.first + 1, span.last + 1)]
    refused = [_unreachable_s(timeline, end_ns) for end_ns in ends_ns]
    return [
        Evidence(
            # A client that does not run sends nothing, nor does one whose server is gone: no want of load.
            active=not idle[LEAD_S + i] or bool(saturated[i]) or refused[i] is not None,
            closed=_is_closed(timeline, ends_ns[i]),
            unreachable_s=refused[i],
            saturated=saturated[i],
            gpu=labels[i],
            **{name: None if value != value else value for name, value in zip(names, row, strict=True)},
        )
        for i, row in enumerate(rows.tolist())
    ]


def _unreachable_s(timeline: Timeline, end_ns: int) -> float | None:
    since_ns = timeline.unreachable_since(end_ns)
    return None if since_ns is None else (end_ns - since_ns) / 1e9


def _is_closed(timeline: Timeline, end_ns: int) -> bool:
    load = timeline.load(end_ns)
    return load is not None and load.concurrency is not None


def _load(timeline: Timeline, span: _Seconds) -> dict[str, Floats]:
    ticks, edges = timeline.ticks, span.edges
    rows = ticks.upto(edges)
    sums = dict(zip(_TICK_SUMS, span_sums(ticks.block(_TICK_SUMS), rows), strict=True))
    gauges = span_sums(ticks.block(("in_flight", "backlog")) * ticks["dt"], rows)
    workers = max(len(timeline.workers), 1)
    covered = sums["dt"] / workers
    with np.errstate(invalid="ignore", divide="ignore"):
        in_flight, backlog = np.where(covered > 0, gauges / covered, np.nan)
        covered_s = _trailing(covered, _RECENT_S) / 1e9
        due, sent = (
            np.where(covered_s > 0, _trailing(sums[n], _RECENT_S) / covered_s, np.nan)
            for n in ("due", "sent")
        )
        ended = _trailing(sums["succeeded"] + sums["failed"], _RECENT_S)
        failed = np.where(ended > 0, _trailing(sums["failed"], _RECENT_S) / ended, np.nan)
    busy = _trailing(np.where(in_flight >= 1, 1.0, 0.0), _GROWTH_S) >= _GROWTH_S
    settled = _settled(timeline, span)
    return {
        "activity": _trailing(sums["due"] + sums["sent"] + np.nan_to_num(in_flight), _RECENT_S),
        "due_rps": due,
        "sent_rps": sent,
        "backlog": backlog,
        "failed_share": failed,
        "in_flight": in_flight,
        "growth": np.where(settled, in_flight - _before(in_flight, _GROWTH_S), np.nan),
        "sent_10s": _trailing(sums["sent"], _GROWTH_S),
        "tokens_10s": np.where(busy, _trailing(sums["output_tokens"], _GROWTH_S), np.nan),
    }


def _settled(timeline: Timeline, span: _Seconds) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Whether the load is the same for so long that what is in flight would grow no more by itself.

    That takes the 10 s over which growth is measured and twice as long as a request lasts.
    """
    ends = span.edges[1:]
    changed = np.array([load.t_ns for load in timeline.loads], dtype=np.float64)
    places = np.searchsorted(changed, ends, side="right") - 1
    since = ends - changed[np.maximum(places, 0)] if len(changed) else np.zeros(len(ends))
    since = np.minimum(since, ends - _moved_ns(timeline, span))
    lasting = _trailing_median_ns(timeline, "e2e", span)
    needed = _GROWTH_S * SECOND_NS + 2 * np.nan_to_num(lasting, nan=np.inf)
    return np.asarray((places >= 0) & (since >= needed))


def _moved_ns(timeline: Timeline, span: _Seconds) -> Floats:
    """When the offered rate was last another than in the second before: a ramp moves it all along.

    Looked for from the session's beginning, so that it does not depend on how seconds are cut into blocks.
    """
    ticks = timeline.ticks
    edges = np.arange(0, span.last + 1, dtype=np.float64) * SECOND_NS
    rates = ticks["rate_rps"]
    known = np.isfinite(rates)
    sums = span_sums(np.array([np.where(known, rates, 0.0), known.astype(np.float64)]), ticks.upto(edges))
    means = np.divide(sums[0], sums[1], out=np.full(span.last, np.nan), where=sums[1] > 0)
    seconds = np.flatnonzero(np.isfinite(means))
    steps = np.abs(np.diff(means[seconds])) > _STEADY * means[seconds][1:]
    moved = np.zeros(span.last + 1)
    at = seconds[1:][steps] + 1
    moved[at] = edges[at]
    ends = np.arange(span.first - LEAD_S + 1, span.last + 1)
    return np.where(ends >= 0, np.maximum.accumulate(moved)[np.maximum(ends, 0)], 0.0)


def _client(timeline: Timeline, span: _Seconds) -> list[str]:
    """What troubles the client in the seconds before, one sentence each; empty where nothing does."""
    ttft = _trailing_median_ns(timeline, "ttft_from_due", span)
    found = troubles(timeline, span.first - LEAD_S, span.last)
    still_ns = _still_ns(timeline, span)
    out = []
    for i in range(span.first, span.last):
        place = i - span.first + LEAD_S
        if still_ns[place] > _STILL_NS:
            out.append(f"the client has not run for {still_ns[place] / 1e9:.1f} s")
        else:
            out.append(found.over(i + 1 - _HEALTH_S, i + 1, float(ttft[place])).note)
    return out


def _still_ns(timeline: Timeline, span: _Seconds) -> Floats:
    """For how long some worker with requests in flight has closed no tick, at each end."""
    ticks, ends = timeline.ticks, span.edges[1:]
    longest = np.zeros(len(ends))
    for worker in timeline.workers:
        own = np.flatnonzero(ticks["worker"] == worker)
        times = ticks["t"][own]
        places = np.searchsorted(times, ends, side="right") - 1
        newest = own[np.maximum(places, 0)]
        waits = (places >= 0) & (ticks["in_flight"][newest] + ticks["backlog"][newest] > 0)
        longest = np.maximum(longest, np.where(waits, ends - ticks["t"][newest], 0.0))
    return longest


def _server(timeline: Timeline, span: _Seconds) -> dict[str, Floats]:
    """Of the first source by name that has spoken, as the screen shows it."""
    spoken = [
        source for source in sorted(timeline.servers) if timeline.servers[source].samples.upto(span.edges[-1])
    ]
    if not spoken:
        nothing = np.full(len(span.edges) - 1, np.nan)
        return dict.fromkeys(("running", "waiting", "waiting_least", "kv_pct", "preemptions_per_s"), nothing)
    samples = timeline.servers[spoken[0]].samples
    running, waiting, kv_pct = _recent_means(samples, ("running", "waiting", "kv_pct"), span)
    preempted = _newest(samples, "preemptions", span)
    gained = (preempted - _before(preempted, _PREEMPTIONS_S)) / _PREEMPTIONS_S
    return {
        "running": running,
        "waiting": waiting,
        "waiting_least": _recent_least(samples, "waiting", span),
        "kv_pct": kv_pct,
        "preemptions_per_s": np.where(gained >= 0, gained, np.nan),
    }


def _gpus(timeline: Timeline, span: _Seconds) -> dict[str, Floats]:
    """Of the GPUs that serve, each figure where it is worst; clock and power are those of one GPU."""
    at_ns = int(span.edges[-1])
    counted = metered(timeline.gpus, at_ns)
    length = len(span.edges) - 1
    each = np.full((len(_GPU_MEANS), max(len(counted), 1), length), np.nan)
    clock_max = np.full((max(len(counted), 1), 1), np.nan)
    for i, gpu in enumerate(counted):
        device = gpu.device(at_ns)
        each[:, i] = _recent_means(gpu.samples(at_ns), _GPU_MEANS, span)
        if device.power_limit_w:
            limit = each[_GPU_MEANS.index("power_limit_w"), i]
            limit[np.isnan(limit)] = device.power_limit_w
        clock_max[i] = device.sm_clock_max_mhz or np.nan
    of = dict(zip(_GPU_MEANS, each, strict=True))
    # A brake is pulled by the power supply: a cap from outside.
    of["power_throttled_pct"] = np.fmax(of["power_throttled_pct"], of["brake_throttled_pct"])
    worst = _worst(of, clock_max)
    here = np.arange(length)
    return {
        "util_pct": _most(of["util_pct"]),
        "sm_pct": _most(of["sm_active_pct"]),
        "dram_pct": _most(of["dram_active_pct"]),
        "power_w": of["power_w"][worst, here],
        "power_limit_w": of["power_limit_w"][worst, here],
        "power_throttled_pct": of["power_throttled_pct"][worst, here],
        "thermal_throttled_pct": of["thermal_throttled_pct"][worst, here],
        "temperature_c": of["temperature_c"][worst, here],
        "clock_mhz": of["sm_clock_mhz"][worst, here],
        "clock_max_mhz": np.broadcast_to(clock_max, of["sm_clock_mhz"].shape)[worst, here],
        "gpu_at": worst.astype(np.float64),
    }


def _worst(of: dict[str, Floats], clock_max: Floats) -> Ints:
    """Which GPU holds the others back, by second: heat first, then the power cap, then a low clock."""
    with np.errstate(invalid="ignore", divide="ignore"):
        badness = (
            1e6 * np.nan_to_num(of["thermal_throttled_pct"])
            + 1e3 * np.nan_to_num(of["power_throttled_pct"])
            + 100 * np.nan_to_num(of["power_w"] / of["power_limit_w"])
            - np.nan_to_num(of["sm_clock_mhz"] / clock_max)
        )
    return np.asarray(np.argmax(badness, axis=0), dtype=np.int64)


def _labels(timeline: Timeline, span: _Seconds, at: Floats) -> list[str]:
    """`GPU2`, or `node2:2` where there are several hosts; empty where there is but one GPU."""
    at_ns = int(span.edges[-1])
    devices = [gpu.device(at_ns) for gpu in metered(timeline.gpus, at_ns)]
    if len(devices) < 2:
        return [""] * (span.last - span.first)
    several_hosts = len({device.host for device in devices}) > 1
    names = [f"{device.host}:{device.index}" if several_hosts else f"GPU{device.index}" for device in devices]
    return [names[int(i)] for i in at[LEAD_S:]]


def _most(each: Floats) -> Floats:
    """The highest of the GPUs by second; NaN where none is known."""
    known = np.isfinite(each)
    return np.where(known.any(axis=0), np.where(known, each, -np.inf).max(axis=0), np.nan)


def _trailing(values: Floats, seconds: int) -> Floats:
    """Sums of the last `seconds` values, at each place; fewer at the beginning."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(sums))
    out: Floats = sums[ends] - sums[np.maximum(ends - seconds, 0)]
    return out


def _before(values: Floats, seconds: int) -> Floats:
    out: Floats = np.concatenate([np.full(seconds, np.nan), values])[: len(values)]
    return out


def _recent_means(samples: Table, names: tuple[str, ...], span: _Seconds) -> Floats:
    """Means of what was read in the last 3 s, `(len(names), seconds)`."""
    rows = samples.upto(span.edges)
    cells = samples.block(names)
    known = np.isfinite(cells)
    sums = span_sums(np.where(known, cells, 0.0), rows)
    counts = span_sums(known.astype(np.float64), rows)
    out = np.full(sums.shape, np.nan)
    for i in range(len(names)):
        total, count = _trailing(sums[i], _RECENT_S), _trailing(counts[i], _RECENT_S)
        np.divide(total, count, out=out[i], where=count > 0)
    return out


def _recent_least(samples: Table, name: str, span: _Seconds) -> Floats:
    """The lowest reading of the last 3 s; NaN where there was none."""
    rows = samples.upto(span.edges)
    values = samples[name]
    spans = (values[a:b] for a, b in pairwise(rows.tolist()))
    least = np.array([np.min(part, initial=np.inf, where=np.isfinite(part)) for part in spans])
    for _ in range(_RECENT_S - 1):
        least = np.minimum(least, np.concatenate([[np.inf], least[:-1]]))
    return np.where(np.isfinite(least), least, np.nan)


def _newest(samples: Table, name: str, span: _Seconds) -> Floats:
    """The last reading by the end of each second."""
    known = np.flatnonzero(np.isfinite(samples[name]))
    places = np.searchsorted(samples["t"][known], span.edges[1:], side="right") - 1
    if not len(known):
        return np.full(len(places), np.nan)
    return np.where(places >= 0, samples[name][known[np.maximum(places, 0)]], np.nan)


def _trailing_median_ns(timeline: Timeline, metric: str, span: _Seconds) -> Floats:
    """Median of the last 10 s at each second; NaN where there was nothing."""
    counts = timeline.counts(metric, span.edges)
    sums = np.cumsum(np.concatenate([np.zeros((1, counts.shape[1]), dtype=np.int64), counts]), axis=0)
    ends = np.arange(1, len(sums))
    return quantiles_ns(sums[ends] - sums[np.maximum(ends - _GROWTH_S, 0)], (0.5,))[:, 0]
