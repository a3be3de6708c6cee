"""Values as a person types them, on the command line or in a plan: `60s`, `1..64/120s:exp`."""

from __future__ import annotations

import math
import re

from sessions.plan.config import ConfigError
from sessions.plan.ramp import Ramp
from sessions.plan.trace_config import LEAST_SPEED, MOST_SPEED

LEAST_SECONDS, MOST_SECONDS = 0.001, 315_576_000.0
"""To ten years: no reader of a session believes later times."""
LEAST_RATE, MOST_RATE = 1e-6, 1e9

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|s|m|h)?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?", re.IGNORECASE)
_RAMP = re.compile(r"(?P<low>[^/]+?)\.\.(?P<high>[^/]+)/(?P<over>[^:]+)(?::(?P<shape>.*))?")
_TIMES = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*\*\s*(rate|concurrency)")


def got(text: str) -> str:
    """What was typed, cut where it is long: what is allowed has to fit on the line as well."""
    return f"got {text!r}" if len(text) <= 40 else f"got {text[:40]!r}…"


def seconds(text: str) -> float:
    """Of `90`, `60s`, `5m`, `1h`, `500ms`.

    Raises:
        ConfigError: it is no length of time above 0, or one that no session holds.
    """
    match = _DURATION.fullmatch(text.strip())
    value = float(match[1]) * _SECONDS[match[2] or ""] if match else math.nan
    if not value > 0:
        raise ConfigError(f"{got(text)}, need a length of time above 0 such as 90, 60s, 5m or 1h")
    if not LEAST_SECONDS <= value <= MOST_SECONDS:
        raise ConfigError(f"{got(text)}, need a length of time from 1ms to ten years")
    return value


def rate(text: str) -> float:
    """Requests per second, a finite number above 0; the upper limit is `--max-rate`'s to say.

    Raises:
        ConfigError: it is none.
    """
    value = float(text.strip()) if _NUMBER.fullmatch(text.strip()) else math.nan
    if not value > 0:
        raise ConfigError(f"{got(text)}, need a number above 0 such as 8 or 2.5 (requests per second)")
    if not LEAST_RATE <= value <= MOST_RATE:
        raise ConfigError(f"{got(text)}, need a number from {LEAST_RATE:g} to {MOST_RATE:g}")
    return value


def speed(text: str) -> float:
    """How many times as fast a trace is: `2x`, `0.5`.

    Raises:
        ConfigError: it is none, or beyond what makes sense.
    """
    number = text.strip().removesuffix("x")
    value = float(number) if _NUMBER.fullmatch(number) else math.nan
    if not LEAST_SPEED <= value <= MOST_SPEED:
        bounds = f"{LEAST_SPEED:g}x to {MOST_SPEED:g}x"
        raise ConfigError(f"{got(text)}, need a speed from {bounds} such as 2x or 0.5x")
    return value


def ramp(text: str) -> Ramp:
    """`FROM..TO/TIME[:exp]`: `1..64/120s` is from 1 to 64 requests per second in two minutes.

    Raises:
        ConfigError: it is none.
    """
    match = _RAMP.fullmatch(text.strip())
    shape = (match["shape"] if match else None) or "linear"
    if match is None or shape not in ("linear", "exp"):
        raise ConfigError(
            f"{got(text)}, need FROM..TO/TIME with an optional :exp, such as 1..64/120s or 1..64/120s:exp"
        )
    try:
        low, high, over = rate(match["low"]), rate(match["high"]), seconds(match["over"])
    except ConfigError as error:
        raise ConfigError(f"in {got(text)[4:]}: {error}") from None
    return Ramp(from_rps=low, to_rps=high, over_s=over, shape="exp" if shape == "exp" else "linear")


def multiple(text: str, rate_rps: float | None, concurrency: int | None) -> int:
    """A number of requests that follows the load: `10 * concurrency`, `60 * rate`; at least 1.

    Raises:
        ConfigError: it is none, or of what this load does not have.
    """
    match = _TIMES.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"{got(text)}, need a whole number, or 10 * concurrency, or 60 * rate")
    of = rate_rps if match[2] == "rate" else concurrency
    if of is None:
        raise ConfigError(f"{got(text)}: this stage has no {match[2]}")
    return max(1, round(float(match[1]) * of))
