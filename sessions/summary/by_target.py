"""A run's requests by the server they went to; nothing where there was one."""

from __future__ import annotations

import numpy as np

from sessions.metrics import PER_REQUEST, bears_tokens
from sessions.store.manifest import Manifest
from sessions.summary.arithmetic import per, total
from sessions.summary.exact_quantiles import exact_quantiles
from sessions.summary.load_span import LoadSpan
from sessions.summary.streamed_quantiles import sketched_quantiles
from sessions.summary.target_schema import OfTarget
from sessions.summary.telemetry import server_of
from sessions.timeline.requests import NONE, RequestColumns, Requests
from sessions.timeline.targets import TargetColumns
from sessions.timeline.timeline import Timeline


def by_target(timeline: Timeline, manifest: Manifest, rows: Requests, span: LoadSpan) -> list[OfTarget]:
    """A row a target, by number."""
    asked = manifest.config.target.all
    numbers = {*timeline.targets.each, *np.unique(rows["target"][rows["target"] != NONE]).tolist()}
    if not numbers:
        return []
    if len(asked) > 1:
        numbers |= {*range(len(asked))}
    urls = manifest.targets
    found = []
    for number in sorted(numbers):
        url = urls[number] if number < len(urls) else ""
        weight = asked[number].weight if number < len(urls) else None
        found.append(_of(number, url, weight, timeline, rows[rows["target"] == number], span))
    return found


def _of(
    number: int, url: str, weight: int | None, timeline: Timeline, rows: Requests, span: LoadSpan
) -> OfTarget:
    requests, good = timeline.requests, rows[rows["error"] == NONE]
    columns = timeline.targets.each.get(number, TargetColumns())
    errors = _errors(requests, rows)
    cut_off = errors.pop("unfinished", 0)
    sent = max(int(columns.ticks["sent"].sum()), len(rows))
    covered = columns.ticks["dt"].sum()
    in_flight = float((columns.ticks["in_flight"] * columns.ticks["dt"]).sum())
    workers = len(np.unique(columns.ticks["worker"])) or 1
    figures = {name: exact_quantiles(of(good), 1e6) for name, of in PER_REQUEST.items()}
    tokens = total(good["output_tokens"]) or 0
    return OfTarget(
        target=number,
        url=url,
        weight=weight,
        due=max(int(columns.ticks["due"].sum()), sent),
        sent=sent,
        succeeded=len(good),
        failed=len(rows) - len(good) - cut_off,
        not_sent=int(columns.ticks["not_sent"].sum()),
        cut_off=cut_off,
        errors=errors,
        sent_rps=per(sent, span.load_s),
        output_tps=per(tokens, span.duration_s) if bears_tokens(good) else None,
        in_flight_mean=in_flight / float(covered) * workers if covered else None,
        ttft_from_due_ms=figures["ttft_from_due"],
        tpot_ms=figures["tpot"],
        e2e_ms=figures["e2e"],
        gaps_ms=sketched_quantiles(columns.gaps((-1.0, float("inf")))),
        server=server_of(timeline, url, span.start_ns, span.measured_end_ns),
    )


def _errors(requests: RequestColumns, rows: Requests) -> dict[str, int]:
    error = rows["error"]
    kinds, counts = np.unique(error[error != NONE], return_counts=True)
    named = {
        requests.error_kinds[kind]: int(count)
        for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True)
    }
    return dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))
