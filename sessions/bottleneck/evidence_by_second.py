"""The evidence of seconds, put together from what the load, the client, the server and the GPUs say.

The evidence at the end of a second depends on records up to that instant only, so that a live run and its
replay find the same, and not on which seconds are asked for together.
"""

from __future__ import annotations

from bisect import bisect_right

from sessions.bottleneck.client_saturation import SECOND_NS
from sessions.bottleneck.evidence import Evidence
from sessions.bottleneck.evidence_client import client_evidence
from sessions.bottleneck.evidence_gpu import gpu_evidence
from sessions.bottleneck.evidence_load import load_evidence
from sessions.bottleneck.evidence_server import server_evidence
from sessions.bottleneck.seconds import LEAD_S, Seconds
from sessions.timeline.columns import Floats
from sessions.timeline.timeline import Timeline


def evidence(timeline: Timeline, first: int, last: int) -> list[Evidence]:
    """The evidence of each second in `[first, last)`; second `i` is from `i` to `i + 1` s of session time."""
    out: list[Evidence] = []
    while first < last:
        cut = next_cut(timeline, first, last)
        out += _evidence(timeline, Seconds(first, cut))
        first = cut
    return out


def next_cut(timeline: Timeline, first: int, last: int) -> int:
    """The first second after `first` at whose end another GPU or source counts for the first time, or `last`.

    Only between such cuts are seconds looked at together.
    """
    tables = [server.samples for server in timeline.servers.values()]
    known_ns = []
    for gpu in timeline.gpus.values():
        told = bisect_right(gpu.said, (first + 1) * SECOND_NS, key=lambda said: said[0])
        known_ns += [gpu.since_ns, *(t_ns for t_ns, _, _ in gpu.said[told : told + 1])]
        tables += gpu.tables.values()
    known_ns += [int(table["t"][0]) for table in tables if len(table)]
    cuts = (max(t_ns - 1, 0) // SECOND_NS for t_ns in known_ns)
    return min((cut for cut in cuts if first < cut < last), default=last)


def _evidence(timeline: Timeline, span: Seconds) -> list[Evidence]:
    gpus, names = gpu_evidence(timeline, span)
    columns = {**load_evidence(timeline, span), **server_evidence(timeline, span), **gpus}
    saturated = client_evidence(timeline, span)
    idle = (columns.pop("activity")[LEAD_S:] <= 0).tolist()
    under_way = (columns.pop("under_way")[LEAD_S:] > 0).tolist()
    ends_ns = [second * SECOND_NS for second in range(span.first + 1, span.last + 1)]
    refused = [_unreachable_s(timeline, end_ns) for end_ns in ends_ns]
    made: dict[str, list[object]] = {
        # A client that does not run sends nothing, nor does one whose server is gone: no want of load.
        "active": [
            not quiet or bool(trouble) or since is not None
            for quiet, trouble, since in zip(idle, saturated, refused, strict=True)
        ],
        "under_way": [*under_way],
        "closed": [_is_closed(timeline, end_ns) for end_ns in ends_ns],
        "unreachable_s": [*refused],
        "saturated": [*saturated],
        "gpu": [*names],
        **{name: _known(values[LEAD_S:]) for name, values in columns.items()},
    }
    rows = zip(*(made[name] for name in Evidence._fields), strict=True)
    return [Evidence._make(row) for row in rows]


def _known(values: Floats) -> list[object]:
    """With None for NaN."""
    return [None if value != value else value for value in values.tolist()]


def _unreachable_s(timeline: Timeline, end_ns: int) -> float | None:
    since_ns = timeline.reach.unreachable_since(end_ns, len(timeline.targets.each))
    return None if since_ns is None else (end_ns - since_ns) / 1e9


def _is_closed(timeline: Timeline, end_ns: int) -> bool:
    load = timeline.load(end_ns)
    return load is not None and load.concurrency is not None
