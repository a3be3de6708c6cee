"""What was sent and how fast it was answered, whole and cut at its changes of load: parts of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sessions.metrics import THIN_FLOORS
from tui.report.figures import NOT_MEASURED, aligned, milliseconds, number

Summary = Mapping[str, Any]

LATENCIES = {
    "ttft_from_due_ms": "TTFT from due",
    "ttft_from_sent_ms": "TTFT from sent",
    "itl_ms": "ITL per token",
    "chunk_gap_ms": "chunk gap",
    "tpot_ms": "TPOT",
    "e2e_ms": "E2E",
    "send_lag_ms": "send lag (ours)",
}
COLUMNS = ("mean", "p50", "p90", "p95", "p99", "max")
STEPS = 24
"""Rows that are shown of a run cut at its changes of load."""


def counts(summary: Summary) -> str:
    requests = summary.get("requests") or {}
    rate = summary.get("rate") or {}
    through = summary.get("throughput") or {}
    tokens = summary.get("tokens") or {}
    estimated = " (estimated from chunks)" if tokens.get("source") == "chunks" else ""
    cached = f" ({tokens['cached']:,} of them cached)" if tokens.get("cached") else ""
    rows = [
        (
            "requests",
            [
                *((name.replace("_", " "), number(requests.get(name), 0)) for name in _REQUESTS),
                *([("stale", f"{stale:,} (sent again)")] if (stale := summary.get("stale_retries")) else []),
            ],
        ),
        (
            "rate, rps",
            [
                ("offered", number(rate.get("offered_rps"), 2)),
                ("achieved", number(rate.get("achieved_rps"), 2)),
                ("completed", f"{number(through.get('request_rps'), 2)} (to the last answer)"),
            ],
        ),
        (
            "tokens",
            [
                ("input", number(tokens.get("input"), 0) + cached),
                ("output", number(tokens.get("output"), 0) + estimated),
                ("output/s", number(through.get("output_tps"), 1)),
                ("total/s", number(through.get("total_tps"), 1)),
            ],
        ),
    ]
    return "\n".join(f"{name:<10}" + "   ".join(f"{key} {value}" for key, value in row) for name, row in rows)


_REQUESTS = ("due", "sent", "succeeded", "failed", "not_sent")


def latencies(summary: Summary) -> str:
    rows = [["ms", "count", *COLUMNS]]
    for key, label in LATENCIES.items():
        figures = summary.get(key) or {}
        thin = figures.get("thin") or ()
        cells = [("~" if name in thin else "") + milliseconds(figures.get(name)) for name in COLUMNS]
        rows.append([label, number(figures.get("count"), 0), *cells])
    text = aligned(rows)
    text += "\n~ rests on few samples" if "~" in text else ""
    of_failed = summary.get("ttft_of_failed_ms") or {}
    if of_failed.get("count"):
        text += (
            f"\n{of_failed['count']:,} requests failed after their first token: their TTFT from due, "
            f"p50 {milliseconds(of_failed['p50'])} p99 {milliseconds(of_failed['p99'])}, is not in the table"
        )
    if unknown := (summary.get("itl_ms") or {}).get("unknown"):
        known = (summary.get("requests") or {}).get("succeeded", 0) - unknown
        text += (
            f"\nITL is that of {known:,} requests: of {unknown:,} others the server did not say how many "
            "tokens each chunk bore"
        )
    return text


def steps_table(steps: Sequence[Mapping[str, Any]]) -> str:
    """The run cut where its load changed; nothing when it did not."""
    if len(steps) < 2:
        return ""
    # Where nobody counted the tokens of a chunk, only the gaps between chunks are known.
    between = "ITL" if any(step["itl_p50_ms"] is not None for step in steps) else "gap"
    figures = ("ttft_p50", "ttft_p99", *(f"{_BETWEEN[between]}_{name}" for name in ("p50", "p99")))
    rows = [
        [
            *("from", "to s", "rps", "conc.", "sent/s", "tokens/s", "n"),
            *("TTFT p50", "p99", f"{between} p50", "p99", "J/tok"),
        ]
    ]
    shown = _telling(steps)
    for step in shown:
        rows.append(
            [
                number(step["from_s"], 1),
                number(step["to_s"], 1),
                number(step["offered_rps"], 2),
                number(step["concurrency"], 0),
                number(step["achieved_rps"], 2),
                number(step["output_tps"], 0),
                number(step.get("count"), 0),
                *(_figure(step, key) for key in figures),
                number(step.get("j_per_output_token"), 3),
            ]
        )
    unused = {column for column in (2, 3, 11) if all(row[column] == NOT_MEASURED for row in rows[1:])}
    rows = [[cell for column, cell in enumerate(row) if column not in unused] for row in rows]
    dropped = len(steps) - len(shown)
    more = f"\nwithout {dropped} holds and shortest steps: --json has all" if dropped else ""
    return aligned(rows, left=0) + more


def _figure(step: Mapping[str, Any], name: str) -> str:
    """In ms; a TTFT that rests on too few requests is marked."""
    value, (metric, _, quantile) = step.get(f"{name}_ms"), name.rpartition("_")
    thin = metric == "ttft" and value is not None and (step.get("count") or 0) < THIN_FLOORS[quantile]
    return ("~" if thin else "") + milliseconds(value)


_BETWEEN = {"ITL": "itl", "gap": "chunk_gap"}


def _telling(steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """At most `STEPS`, in order: the holds go first, then the shortest, so that a ramp's end stays."""
    if len(steps) <= STEPS:
        return list(steps)

    def weight(i: int) -> tuple[bool, float]:
        held = not steps[i]["offered_rps"] and not steps[i]["concurrency"]
        return held, steps[i]["from_s"] - steps[i]["to_s"]

    kept = sorted(sorted(range(len(steps)), key=weight)[:STEPS])
    return [steps[i] for i in kept]
