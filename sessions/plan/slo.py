"""What a stage's figures are held against: `ttft.p99 < 2s`, `output_tps > 2500`, `errors < 1%`.

A target passes, fails, or is undecided: a percentile that rests on too few requests says neither.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import Literal

import msgspec

from sessions.plan.config import ConfigError

LATENCIES = ("ttft", "itl", "tpot", "e2e")
STATISTICS = ("mean", "p50", "p90", "p95", "p99")
RATES = ("request_rps", "output_tps", "total_tps", "tps_per_user", "output_tps_per_gpu")
SHARES = ("errors", "gpu_memory")
_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_TARGET = re.compile(
    r"\s*([a-z][a-z0-9_]*)(?:\.([a-z0-9]+))?\s*(<=|>=|<|>)\s*([0-9.]+(?:e[+-]?\d+)?)\s*(us|ms|s|m|%)?\s*"
)


class Target(msgspec.Struct, frozen=True):
    """One limit. `limit` is in milliseconds, per second, or a share from 0 to 1."""

    text: str
    metric: str
    statistic: str
    """Of a latency; empty for the others."""
    below: bool
    """The figure is to be below `limit`, else above; on it, it passes either way."""
    limit: float


Verdict = Literal["pass", "fail", "undecided"]


def parse_target(text: str) -> Target:
    """A target as it is typed.

    Raises:
        ConfigError: it is none: what was got and what is allowed.
    """
    match = _TARGET.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"got {text[:60]!r}, need a target such as ttft.p99<2s, output_tps>2500 or errors<1%"
        )
    metric, statistic, sign, number, unit = match.groups()
    known = (*LATENCIES, *RATES, *SHARES)
    if metric not in known:
        near = difflib.get_close_matches(metric, known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"need one of {', '.join(known)}"
        raise ConfigError(f"got {text[:60]!r}: there is no {metric[:30]!r}; {hint}")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"got {text[:60]!r}: {number[:20]!r} is no number")
    if metric in LATENCIES:
        if statistic not in STATISTICS:
            raise ConfigError(
                f"got {text[:60]!r}: {metric} needs one of {', '.join(STATISTICS)}, as {metric}.p99"
            )
        if unit not in _MS:
            raise ConfigError(f"got {text[:60]!r}: a time needs its unit, us, ms, s or m")
        value *= _MS[unit]
    elif statistic is not None:
        raise ConfigError(f"got {text[:60]!r}: {metric} is one figure, without .{statistic}")
    elif metric in SHARES:
        if unit != "%":
            raise ConfigError(f"got {text[:60]!r}: {metric} is a share, such as 1%")
        value /= 100
    elif unit is not None:
        raise ConfigError(f"got {text[:60]!r}: {metric} is per second and takes no unit")
    return Target(text.strip(), metric, statistic or "", sign in ("<", "<="), value)


def judged(target: Target, figure: float | None, *, thin: bool = False) -> Verdict:
    """`figure` in the unit of `target.limit`; None where it was not measured. `thin`: it rests on too few."""
    if figure is None or thin:
        return "undecided"
    good = figure <= target.limit if target.below else figure >= target.limit
    return "pass" if good else "fail"
