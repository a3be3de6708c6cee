"""What a run cost, and a million of its tokens, by a table of prices."""

from __future__ import annotations

from collections.abc import Sequence

from sessions.summary.arithmetic import per
from sessions.summary.prices import Prices
from sessions.summary.telemetry_schema import Cost


def per_million(per_hour: float, tokens_per_s: float | None) -> float | None:
    """Money for a million tokens at a steady rate; None where no tokens came."""
    return per_hour / 3600 / tokens_per_s * 1e6 if tokens_per_s is not None and tokens_per_s > 0 else None


def cost(
    prices: Prices | None,
    gpu_names: Sequence[str],
    seconds: float,
    output_tokens: float,
    input_tokens: float | None,
) -> Cost | None:
    """What the GPUs cost while the load ran; None without a table.

    Args:
        gpu_names: one a GPU that is counted, as the driver names it.
        seconds: how long they were held.
        output_tokens: that came in that time.
        input_tokens: that were sent in it; None when not known.
    """
    if prices is None:
        return None
    missing = sorted({name for name in gpu_names if prices.per_hour(name) is None})
    per_hour = prices.together_per_hour(gpu_names)
    output_tps = per(output_tokens, seconds)
    total_tps = None if input_tokens is None else per(output_tokens + input_tokens, seconds)
    return Cost(
        currency=prices.currency,
        dated=prices.dated,
        table=prices.path,
        per_hour=per_hour,
        gpus=len(gpu_names),
        gpus_without_price=missing,
        total=None if per_hour is None else per_hour * seconds / 3600,
        per_million_output_tokens=None if per_hour is None else per_million(per_hour, output_tps),
        per_million_tokens=None if per_hour is None else per_million(per_hour, total_tps),
    )
