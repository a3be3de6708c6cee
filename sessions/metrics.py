"""The only definitions of the latency metrics, from one request's exact times. See docs/figures/metrics.md.

All take a request that succeeded. Durations are nanoseconds; None means that the request has no such
figure, which is never counted as 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadgen.records import Request

QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}

THIN_FLOORS = {"p50": 11, "p90": 64, "p95": 130, "p99": 662}
"""Samples below which a percentile is thin (the floors of MLPerf's endpoints rules): shown, but marked."""

UNKNOWN_SHARE = 0.1
"""Share of requests without ITL from which on those that have one no longer stand for the run."""


def ttft_from_due(request: Request) -> int | None:
    """Time to first token, from when the arrival process wanted the request sent."""
    return _between(request.due_ns, request.first_token_ns)


def ttft_from_sent(request: Request) -> int | None:
    """Time to first token, from the first byte written: what most other tools print."""
    return _between(request.sent_ns, request.first_token_ns)


def e2e(request: Request) -> int | None:
    """From due to the last token. What comes after it (usage, `[DONE]`) does not count."""
    return _between(request.due_ns, request.last_token_ns)


def send_lag(request: Request) -> int | None:
    """First byte written minus due: the wait for a connection or for the cap, and the client's own lag.

    None for a request that a dead kept-alive connection had taken with it: what it waited is the server's.
    """
    if request.stale_retries:
        return None
    return _between(request.due_ns, request.sent_ns)


def tpot(request: Request) -> float | None:
    """Mean time per output token after the first, over the request; needs two tokens or more."""
    tokens = request.output_tokens
    span = _between(request.first_token_ns, request.last_token_ns)
    return None if tokens is None or tokens < 2 or span is None else span / (tokens - 1)


def chunk_gaps_us(request: Request) -> list[int]:
    """Times between successive token-bearing events, microseconds: vLLM's ITL."""
    return request.gaps_us


def itl_us(request: Request) -> tuple[Sequence[float], list[int] | None] | None:
    """Per-token gaps, microseconds, and how often each occurs (None: once).

    A chunk of n tokens after a gap g gives n gaps of g/n. None where nobody said how many tokens the chunks
    bore and the token count does not tell.
    """
    gaps, tokens = request.gaps_us, request.chunk_tokens
    if tokens:
        if len(tokens) != len(gaps) + 1:
            return None
        counts = [max(count, 1) for count in tokens[1:]]
        return [gap / count for gap, count in zip(gaps, counts, strict=True)], counts
    if request.token_source == "chunks":  # the token count is the chunks' own
        return None
    if request.chunks == len(gaps) + 1 and request.output_tokens == request.chunks:
        return gaps, None
    return None


def itl_is_known(itl: int, gaps: int, unknown: int, succeeded: int) -> bool:
    """Whether what was sketched as ITL may be called so; else only the gaps between chunks are known.

    The one place where that is decided, for screen, steps and charts. `itl` and `gaps` are how many of each
    were sketched; `unknown` of the `succeeded` requests turned out to have chunks of several tokens that
    nobody counted, so that their gaps had been taken for ITLs.
    """
    return 2 * itl >= gaps and unknown <= UNKNOWN_SHARE * succeeded


def _between(start_ns: int | None, end_ns: int | None) -> int | None:
    if start_ns is None or end_ns is None or end_ns < start_ns:
        return None
    return end_ns - start_ns


PER_REQUEST: dict[str, Callable[[Request], float | None]] = {
    "ttft_from_due": ttft_from_due,
    "ttft_from_sent": ttft_from_sent,
    "tpot": tpot,
    "e2e": e2e,
    "send_lag": send_lag,
}
"""Metrics with at most one figure a request; `chunk_gap` and `itl` have one a chunk or token."""
