"""A frame as Prometheus text, or as OpenMetrics where that is asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sessions.frame.schema import Frame, Stat

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class _Family(NamedTuple):
    name: str
    kind: str
    """`counter`, `gauge` or `info`."""
    words: str
    samples: list[tuple[dict[str, str], float]]


def exposition(frame: Frame, *, openmetrics: bool = False) -> str:
    """All that is known; what was not measured has no line. Times in seconds, as is Prometheus's custom."""
    lines: list[str] = []
    for family in _families(frame):
        if not family.samples:
            continue
        counter = family.kind == "counter"
        # The old text form names a counter with its ending, OpenMetrics without.
        named = family.name if openmetrics or not counter else f"{family.name}_total"
        kind = "gauge" if family.kind == "info" and not openmetrics else family.kind
        if family.kind == "info" and not openmetrics:
            named = f"{family.name}_info"
        ending = {"counter": "_total", "info": "_info"}.get(family.kind, "")
        lines += [f"# HELP {named} {family.words}", f"# TYPE {named} {kind}"]
        lines += [f"{family.name}{ending}{_labels(labels)} {value:.12g}" for labels, value in family.samples]
    return "\n".join([*lines, *(["# EOF"] if openmetrics else [])]) + "\n"


def _families(frame: Frame) -> Iterator[_Family]:
    about = {"session": frame.session, "target": frame.target, "model": frame.model}
    if frame.simulated:
        about["simulated"] = "true"
    yield _Family("ttftop_run", "info", "The run that is watched.", [(about, 1.0)])
    yield _gauge("ttftop_live", "1 while the run goes on.", float(frame.live))
    for name, words, count in (
        ("due", "Requests that the arrivals wanted sent.", frame.due),
        ("sent", "Requests sent.", frame.sent),
        ("succeeded", "Requests answered.", frame.succeeded),
        ("not_sent", "Requests given up before any byte left.", frame.not_sent),
        ("cut_off", "Requests given up because the run ended.", frame.cut_off),
    ):
        yield _Family(f"ttftop_requests_{name}", "counter", words, [({}, float(count))])
    failed = [({"kind": kind}, float(count)) for kind, count in frame.errors.items()] or [
        ({"kind": "none"}, 0.0)
    ]
    yield _Family("ttftop_requests_failed", "counter", "Requests that failed, by kind.", failed)
    yield _gauge("ttftop_requests_in_flight", "Sent and not ended.", float(frame.in_flight))
    yield _gauge("ttftop_requests_backlog", "Due and not sent yet.", float(frame.backlog))
    yield _gauge("ttftop_offered_requests_per_second", "The load of an open loop.", frame.rate_rps)
    yield _gauge("ttftop_offered_concurrency", "The load of a closed loop.", frame.concurrency)
    lately = "Over the last 10 s, or since the load last changed."
    yield _gauge("ttftop_sent_requests_per_second", lately, frame.achieved_rps)
    yield _gauge("ttftop_completed_requests_per_second", lately, frame.completed_rps)
    yield _gauge("ttftop_output_tokens_per_second", "Over the last 10 s.", frame.output_tps)
    gap = "chunk_gap" if frame.itl_is_chunk_gap else "itl"
    for name, stat in (
        ("ttft", frame.ttft_recent),
        (gap, frame.itl_recent),
        ("send_lag", frame.send_lag_recent),
    ):
        words = "Over the last 10 s, from sketches (1 %); thin ones are left out."
        yield _Family(f"ttftop_{name}_seconds", "gauge", words, _quantiles(stat))
    attained = None if frame.attained is None else frame.attained.share
    fewest = "Share lately that held the target which fewest held: of requests, for ITL of tokens."
    yield _gauge("ttftop_attained_ratio", fewest, attained)
    yield _gauge(
        "ttftop_client_saturated", "1 while the client itself is the limit.", float(frame.client_saturated)
    )
    if frame.limit.name:
        yield _Family("ttftop_limit", "gauge", "What binds now.", [({"limit": frame.limit.name}, 1.0)])
    for name, words, field, factor in (
        ("utilisation_ratio", "Share of time in which some kernel ran.", "util_pct", 0.01),
        ("memory_used_bytes", "Memory in use.", "memory_used_bytes", 1.0),
        ("power_watts", "Power drawn.", "power_w", 1.0),
        ("temperature_celsius", "Temperature.", "temperature_c", 1.0),
    ):
        found = [
            ({"gpu": gpu.label}, value * factor)
            for gpu in frame.gpus
            if not gpu.stale and (value := getattr(gpu, field)) is not None
        ]
        yield _Family(f"ttftop_gpu_{name}", "gauge", words, found)


def _gauge(name: str, words: str, value: float | None) -> _Family:
    return _Family(name, "gauge", words, [] if value is None else [({}, float(value))])


def _quantiles(stat: Stat) -> list[tuple[dict[str, str], float]]:
    named = (("p50", "0.5", stat.p50_ms), ("p95", "0.95", stat.p95_ms), ("p99", "0.99", stat.p99_ms))
    unsure = stat.thin | stat.bounds
    return [({"quantile": q}, ms / 1e3) for name, q, ms in named if ms is not None and name not in unsure]


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
