"""Values as a person types them, on the command line or in a plan: `60s`, `1..64/120s:exp`."""

from __future__ import annotations

import math
import re

from sessions.plan.config import ConfigError
from sessions.plan.ramp import Ramp

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h)?")
_RAMP = re.compile(r"(?P<low>[^/]+?)\.\.(?P<high>[^/]+)/(?P<over>[^:]+)(?::(?P<shape>.*))?")
_TIMES = re.compile(r"(\d+(?:\.\d+)?)\s*\*\s*(rate|concurrency)")
MOST_SECONDS = 366 * 86400.0


def seconds(text: str) -> float:
    """Of `90`, `60s`, `5m`, `1h`, `500ms`.

    Raises:
        ConfigError: it is no length of time above 0, or one of more than a year.
    """
    match = _DURATION.fullmatch(text.strip())
    value = float(match[1]) * _SECONDS[match[2] or ""] if match else math.nan
    if not 0 < value <= MOST_SECONDS:
        raise ConfigError(f"got {text[:60]!r}, need a length of time above 0 such as 90, 60s, 5m or 1h")
    return value


def rate(text: str) -> float:
    """Requests per second, a finite number above 0; the upper limit is `--max-rate`'s to say.

    Raises:
        ConfigError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"got {text[:60]!r}, need a number above 0 such as 8 or 2.5 (requests per second)")
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
            f"got {text[:60]!r}, need FROM..TO/TIME with an optional :exp, "
            "such as 1..64/120s or 1..64/120s:exp"
        )
    try:
        low, high, over = rate(match["low"]), rate(match["high"]), seconds(match["over"])
    except ConfigError as error:
        raise ConfigError(f"in {text[:60]!r}: {error}") from None
    return Ramp(from_rps=low, to_rps=high, over_s=over, shape="exp" if shape == "exp" else "linear")


def multiple(text: str, rate_rps: float | None, concurrency: int | None) -> int:
    """A number of requests that follows the load: `10 * concurrency`, `60 * rate`; at least 1.

    Raises:
        ConfigError: it is none, or of what this load does not have.
    """
    match = _TIMES.fullmatch(text.strip())
    if match is None:
        raise ConfigError(
            f"got {text[:60]!r}, need a whole number, or such as '10 * concurrency' or '60 * rate'"
        )
    of = rate_rps if match[2] == "rate" else concurrency
    if of is None:
        raise ConfigError(f"got {text[:60]!r}: this stage has no {match[2]}")
    return max(1, round(float(match[1]) * of))
