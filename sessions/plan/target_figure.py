"""What a target came to, in its unit: a target's text says which."""

from __future__ import annotations

from sessions.digits import digits
from sessions.plan.config import ConfigError
from sessions.plan.slo import LATENCIES, SHARES, parse_target

_SECONDS_MS = 10_000
"""From here on a time is said in seconds."""


def figure_words(target: str, figure: float) -> str:
    """`182.4 ms`, `71.25 s`, `0.4 %`, `3.88/s`; without a unit where a damaged session's target is none."""
    try:
        metric = parse_target(target).metric
    except ConfigError:
        return digits(figure, 4)
    if metric in LATENCIES:
        return f"{digits(figure, 4)} ms" if figure < _SECONDS_MS else f"{digits(figure / 1000, 4)} s"
    if metric in SHARES:
        return f"{digits(figure * 100, 4)} %"
    return digits(figure, 4) + (" J" if metric == "joules_per_output_token" else "/s")
