"""What a plan comes to, in words."""

from __future__ import annotations

from collections.abc import Sequence

from sessions.plan.stages import Stage, estimate


def said_estimate(stages: Sequence[Stage], input_tokens: int | str, output_tokens: int | str) -> str:
    """One line: how long, how many requests and tokens, as far as it is known beforehand."""
    known = estimate(stages, input_tokens, output_tokens)
    minutes = known.seconds / 60
    time = (
        f"{known.seconds:.0f} s"
        if minutes < 2
        else f"{minutes:.0f} min"
        if minutes < 120
        else f"{minutes / 60:.1f} h"
    )
    least = "at least " if known.open_stages else "about "
    text = (
        f"{least}{time} and what the last answers of each stage take, {known.requests:,.0f} requests, "
        f"{known.input_tokens:,.0f} tokens in, {known.output_tokens:,.0f} out"
    )
    if known.open_stages:
        text += f" ({known.open_stages} stages are as long, or as many, as the server makes them)"
    return text
