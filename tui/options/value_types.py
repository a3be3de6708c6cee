"""Values as a person types them: `60s`, `64`, `1..64/120s:exp`. Each refusal says what is allowed."""

from __future__ import annotations

import argparse
import math
import re
from typing import Literal

from sessions.plan.config import TIMEOUTS, Ramp

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}

LEAST_SECONDS, MOST_SECONDS = 0.001, 315_576_000.0
"""To ten years: no reader of a session believes later times."""
LEAST_RATE, MOST_RATE = 1e-6, 1e9
MOST_TOKENS = 10_000_000
"""Of one prompt or answer: ten times the longest context of any model."""

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|s|m|h)?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?", re.IGNORECASE)
_RAMP = re.compile(r"(?P<low>[^/]+?)\.\.(?P<high>[^/]+)/(?P<over>[^:]+)(?::(?P<shape>.*))?")


def got(text: str) -> str:
    """What was typed, cut where it is long: what is allowed has to fit on the line as well."""
    return f"got {text!r}" if len(text) <= 40 else f"got {text[:40]!r}…"


def duration(text: str) -> float:
    """Seconds: `90`, `60s`, `5m`, `1h`, `500ms`."""
    match = _DURATION.fullmatch(text.strip())
    seconds = float(match[1]) * SECONDS[match[2] or ""] if match else math.nan
    if not seconds > 0:
        raise argparse.ArgumentTypeError(
            f"{got(text)}, need a length of time above 0 such as 90, 60s, 5m or 1h"
        )
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"{got(text)}, need a length of time from 1ms to ten years")
    return seconds


def rate(text: str) -> float:
    """Requests per second, a finite number above 0; the upper limit is `--max-rate`'s to say."""
    value = float(text) if _NUMBER.fullmatch(text.strip()) else math.nan
    if not value > 0:
        raise argparse.ArgumentTypeError(
            f"{got(text)}, need a number above 0 such as 8 or 2.5 (requests per second)"
        )
    if not LEAST_RATE <= value <= MOST_RATE:
        raise argparse.ArgumentTypeError(f"{got(text)}, need a number from {LEAST_RATE:g} to {MOST_RATE:g}")
    return value


def events(text: str) -> float:
    """Events per second, a finite number above 0."""
    try:
        return rate(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{got(text)}, need a number of events per second, such as 20000"
        ) from None


def ramp(text: str) -> Ramp:
    """`FROM..TO/TIME[:exp]`: `1..64/120s` is from 1 to 64 requests per second in two minutes."""
    match = _RAMP.fullmatch(text.strip())
    shape = (match["shape"] if match else None) or "linear"
    if match is None or shape not in ("linear", "exp"):
        raise argparse.ArgumentTypeError(
            f"{got(text)}, need FROM..TO/TIME with an optional :exp, such as 1..64/120s or 1..64/120s:exp"
        )
    try:
        low, high, over = rate(match["low"]), rate(match["high"]), duration(match["over"])
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"in {got(text)[4:]}: {error}") from None
    return Ramp(from_rps=low, to_rps=high, over_s=over, shape="exp" if shape == "exp" else "linear")


def count(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text) if re.fullmatch(r"[0-9]{1,12}", text.strip()) else 0
    if value < 1:
        allowed = f"from 1 to {10**12 - 1}" if re.fullmatch(r"[0-9]{13,}", text.strip()) else "of at least 1"
        raise argparse.ArgumentTypeError(f"{got(text)}, need a whole number {allowed}")
    return value


def tokens(text: str) -> int:
    """A whole number of at least 1 that some model may have room for."""
    value = count(text)
    if value > MOST_TOKENS:
        raise argparse.ArgumentTypeError(f"{got(text)}, need a whole number from 1 to {MOST_TOKENS}")
    return value


def workers(text: str) -> int | Literal["auto"]:
    """`auto`, or a whole number of at least 1."""
    if text.strip() == "auto":
        return "auto"
    try:
        return count(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{got(text)}, need auto or a whole number of at least 1") from None


def seed(text: str) -> int:
    """A whole number from 0 to 2^63 - 1."""
    value = int(text) if re.fullmatch(r"[0-9]{1,19}", text.strip()) else -1
    if not 0 <= value < 2**63:
        allowed = f"from 0 to {2**63 - 1}" if re.fullmatch(r"[0-9]{19,}", text.strip()) else "of at least 0"
        raise argparse.ArgumentTypeError(f"{got(text)}, need a whole number {allowed}")
    return value


def timeout(text: str) -> tuple[str, float]:
    """`first-token=10m`: a deadline of a request by its name, and seconds."""
    name, equals, time = text.partition("=")
    if not equals or name not in TIMEOUTS:
        raise argparse.ArgumentTypeError(
            f"{got(text)}, need NAME=TIME such as first-token=10m; NAME is one of " + ", ".join(TIMEOUTS)
        )
    try:
        return name, duration(time)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{name}: {error}") from None


def model(text: str) -> str:
    """A model's name, 1 to 500 characters."""
    if not text.strip() or len(text) > 500:
        raise argparse.ArgumentTypeError(f"{got(text)}, need a model's name of 1 to 500 characters")
    return text


def name(text: str) -> str:
    """A session's name, at most 200 characters; empty is none."""
    if len(text) > 200:
        raise argparse.ArgumentTypeError(f"{got(text)}, need a name of at most 200 characters")
    return text


def body_field(text: str) -> str:
    """`key=json`, as it was typed."""
    from loadgen.workload.body_fields import BodyError, parse_field

    try:
        parse_field(text)
    except BodyError as error:
        raise argparse.ArgumentTypeError(
            str(error).removeprefix("--body: ").removeprefix("--body ")
        ) from None
    return text


def port(text: str) -> int:
    """A TCP port; 0 takes a free one."""
    value = int(text) if re.fullmatch(r"[0-9]{1,5}", text.strip()) else -1
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{got(text)}, need a port from 0 (any free one) to 65535")
    return value


def source(text: str) -> str:
    """Where telemetry comes from."""
    from telemetry.source import TelemetryError
    from telemetry.source_spec import parse_sources

    try:
        parse_sources([text])
    except TelemetryError as error:
        said = str(error).removeprefix("--telemetry: ")
        allowed = said.partition("; allowed are ")[2]
        raise argparse.ArgumentTypeError(f"{got(text)}, need {allowed}" if allowed else said) from None
    return text
