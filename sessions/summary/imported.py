"""A summary of a run that another tool measured: nothing of its client, and its own figures for ours."""

from __future__ import annotations

import msgspec

from sessions.metrics import QUANTILES, THIN_FLOORS
from sessions.store.imported import ImportedInfo
from sessions.summary.schema import RequestCounts, Summary, Tokens

_LATENCIES = ("ttft_from_sent_ms", "chunk_gap_ms", "itl_ms", "tpot_ms", "e2e_ms", "send_lag_ms")
_OF = ("mean", "p50", "p90", "p95", "p99", "min", "max")


def without_its_client(summary: Summary) -> Summary:
    """Nobody wrote down what the other tool's client did: None, where the session's made-up ticks say 0."""
    client = msgspec.structs.replace(
        summary.client,
        workers=0,
        clock=None,
        kernel_share=None,
        coalesced_share=None,
        loop_lag_max_ms=None,
        cpu_share=None,
        cpu_share_max=None,
        peak_events_per_s=None,
        headroom=None,
    )
    return msgspec.structs.replace(summary, client=client)


def of_tool_figures(summary: Summary, imported: ImportedInfo) -> Summary:
    """Where there are no requests: the tool's figures that have a counterpart here, in its place."""
    told: dict[str, float] = {}
    for figure in imported.figures:  # the first of several, unless a later one has the same definition
        if figure.ours and (figure.ours not in told or figure.how == "same"):
            told[figure.ours] = figure.value
    succeeded, failed = imported.succeeded or 0, imported.failed or 0
    sent = succeeded + failed
    fields: dict[str, object] = {}
    for metric in _LATENCIES:
        found = {name: told.get(f"{metric}.{name}") for name in _OF}
        if any(value is not None for value in found.values()):
            thin = [name for name in QUANTILES if succeeded < THIN_FLOORS[name] and found[name] is not None]
            fields[metric] = msgspec.structs.replace(
                getattr(summary, metric), count=succeeded, thin=thin, **found
            )
    throughput = msgspec.structs.replace(
        summary.throughput,
        **{
            name: told.get(f"throughput.{name}")
            for name in ("request_rps", "output_tps", "total_tps", "input_tps")
        },
    )
    if summary.duration_s > 0:
        fields["rate"] = msgspec.structs.replace(
            summary.rate, offered_rps=None, achieved_rps=sent / summary.duration_s
        )
    reason = f"only the summary of {imported.tool} was imported: there are no requests to check it by"
    return msgspec.structs.replace(
        summary,
        requests=RequestCounts(sent, sent, succeeded, failed, 0),
        throughput=throughput,
        tokens=Tokens(imported.input_tokens, None, imported.output_tokens or 0, None),
        valid=False,
        reasons=[reason],
        streamed=None,
        limits=[],
        **fields,
    )
