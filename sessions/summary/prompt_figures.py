"""Prompts and answers in tokens: what was asked, what came, and how much of it a cache could hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sessions.summary.exact_quantiles import exact_quantiles
from sessions.summary.prompt_schema import AskedAndGot, PrefixCache, TokenSpread
from sessions.timeline.requests import NONE, RequestColumns, Requests


def asked_and_got(good: Requests) -> AskedAndGot:
    """Of the requests that succeeded."""
    return AskedAndGot(
        input_asked=_spread(good["asked_input_tokens"]),
        input_got=_spread(good["input_tokens"]),
        output_asked=_spread(good["asked_output_tokens"]),
        output_got=_spread(good["output_tokens"]),
    )


def prefix_cache(requests: RequestColumns, good: Requests) -> PrefixCache | None:
    """None where no two prompts were made to begin alike."""
    if not requests.shared.any:
        return None
    asked, got = good["asked_input_tokens"], good["input_tokens"]
    sent = np.where(asked == NONE, np.maximum(got, 0), asked).sum(dtype=np.int64)
    return PrefixCache(
        aimed_share=float(requests.shared.repeated_tokens / sent) if sent else None,
        measured_share=cached_share(good),
    )


def cached_share(good: Requests) -> float | None:
    """Cached tokens over input tokens, of the requests of which both were told; None where of none."""
    told = good[(good["cached_tokens"] != NONE) & (good["input_tokens"] != NONE)]
    tokens = int(told["input_tokens"].sum(dtype=np.int64))
    return int(told["cached_tokens"].sum(dtype=np.int64)) / tokens if tokens else None


def _spread(tokens: NDArray[np.int32]) -> TokenSpread | None:
    known = tokens[tokens != NONE]
    if not len(known):
        return None
    of = exact_quantiles(known.astype(np.float64), 1.0)
    assert of.mean is not None
    return TokenSpread(of.count, of.mean, of.p50, of.p90, of.p99, int(known.min()), int(known.max()))
