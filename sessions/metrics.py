"""The only definitions of the latency metrics, from the exact times of requests. See docs/figures/metrics.md.

`requests` are rows of `sessions.timeline.requests` that succeeded. A metric of each is in nanoseconds, of
shape `(n,)`; NaN means that the request has no such figure, which is never counted as 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from loadgen.records import Request

Floats = NDArray[np.float64]
Requests = NDArray[np.void]
"""Rows of `sessions.timeline.requests.ROW`, shape `(n,)`."""

QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}

THIN_FLOORS = {"p50": 11, "p90": 64, "p95": 130, "p99": 662}
"""Samples below which a percentile is thin (the floors of MLPerf's endpoints rules): shown, but marked."""

UNKNOWN_SHARE = 0.1
"""Share of requests without ITL from which on those that have one no longer stand for the run."""


def bears_tokens(requests: Requests) -> bool:
    """Whether answers are tokens, which those to embeddings are not; True while none has come."""
    return not len(requests) or bool((requests["last_token_ns"] >= 0).any())


def ttft_from_due(requests: Requests) -> Floats:
    """Time to first token, from when the arrival process wanted the request sent."""
    return _between(requests["due_ns"], requests["first_token_ns"])


def ttft_from_sent(requests: Requests) -> Floats:
    """Time to first token, from the first byte written: what most other tools print."""
    return _between(requests["sent_ns"], requests["first_token_ns"])


def e2e(requests: Requests) -> Floats:
    """From due to the last token. What comes after it (usage, `[DONE]`) does not count. Of an answer without
    tokens, such as an embedding, to its end."""
    last_ns = requests["last_token_ns"]
    return _between(requests["due_ns"], np.where(last_ns >= 0, last_ns, requests["end_ns"]))


def send_lag(requests: Requests) -> Floats:
    """First byte written minus due: the wait for a connection or for the cap, and the client's own lag.

    NaN for a request that a dead kept-alive connection had taken with it: what it waited is the server's.
    """
    return np.where(requests["stale_retries"] > 0, np.nan, _between(requests["due_ns"], requests["sent_ns"]))


def tpot(requests: Requests) -> Floats:
    """Mean time per shown output token after the first, over the request; needs two chunks or more.

    NaN where tokens were hidden and nobody said how many: no count is then of those between first and last.
    """
    hidden_tokens = requests["hidden_tokens"]
    later_tokens = requests["output_tokens"] - hidden_tokens - 1
    span_ns = _between(requests["first_token_ns"], requests["last_token_ns"])
    known = (hidden_tokens >= 0) & (later_tokens >= 1) & (requests["chunks"] >= 2)
    return np.where(known, span_ns / np.maximum(later_tokens, 1), np.nan)


def tokens_after_gaps(request: Request) -> list[int] | None:
    """How many tokens came after each gap between token-bearing events; [] where it was always one.

    A chunk of n tokens after a gap g counts as n ITLs of g/n. None where nobody said how many tokens the
    chunks bore and the token count does not tell: such a request has chunk gaps (vLLM's ITL), and no ITL.
    """
    gaps = len(request.gaps) // 4 if request.gaps else len(request.gaps_us)
    if request.last_token_ns is None and not gaps:
        return []  # an answer without tokens: none of their times is unknown
    if request.chunk_tokens:
        fits = len(request.chunk_tokens) == gaps + 1
        return [max(count, 1) for count in request.chunk_tokens[1:]] if fits else None
    if request.token_source == "chunks":  # the token count is the chunks' own
        return None
    if request.output_tokens is None or request.hidden_tokens is None:
        return None
    shown = request.output_tokens - request.hidden_tokens
    return [] if request.chunks == gaps + 1 and shown == request.chunks else None


def itl_is_known(itl: int, gaps: int, unknown: int, succeeded: int) -> bool:
    """Whether what was sketched as ITL may be called so; else only the gaps between chunks are known.

    The one place where that is decided, for screen, stages and charts. `itl` and `gaps` are how many of each
    were sketched; `unknown` of the `succeeded` requests turned out to have chunks of several tokens that
    nobody counted, so that their gaps had been taken for ITLs.
    """
    return 2 * itl >= gaps and unknown <= UNKNOWN_SHARE * succeeded


def _between(start_ns: NDArray[np.int64], end_ns: NDArray[np.int64]) -> Floats:
    """NaN where either time is missing, which is a negative number, or they stand the wrong way round."""
    return np.where((start_ns >= 0) & (end_ns >= start_ns), (end_ns - start_ns).astype(np.float64), np.nan)


PER_REQUEST: dict[str, Callable[[Requests], Floats]] = {
    "ttft_from_due": ttft_from_due,
    "ttft_from_sent": ttft_from_sent,
    "tpot": tpot,
    "e2e": e2e,
    "send_lag": send_lag,
}
"""Metrics with at most one figure a request; `chunk_gap` and `itl` have one a chunk or token."""
