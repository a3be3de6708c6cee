"""Values as a person types them: `60s`, `64`, `1..64/120s:exp`. Each refusal says what is allowed."""

from __future__ import annotations

import argparse
import math
import re
from typing import Literal

from sessions.plan.config import TIMEOUTS, Ramp

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}

_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h)?")
_RAMP = re.compile(r"(?P<low>[^/]+?)\.\.(?P<high>[^/]+)/(?P<over>[^:]+)(?::(?P<shape>.*))?")


def duration(text: str) -> float:
    """Seconds: `90`, `60s`, `5m`, `1h`, `500ms`."""
    match = _DURATION.fullmatch(text.strip())
    seconds = float(match[1]) * SECONDS[match[2] or ""] if match else math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError(
            f"got {text!r}, need a length of time above 0 such as 90, 60s, 5m or 1h"
        )
    return seconds


def rate(text: str) -> float:
    """Requests per second, a finite number above 0; the upper limit is `--max-rate`'s to say."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(
            f"got {text!r}, need a number above 0 such as 8 or 2.5 (requests per second)"
        )
    return value


def events(text: str) -> float:
    """Events per second, a finite number above 0."""
    try:
        return rate(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"got {text[:40]!r}, need a number of events per second, such as 20000"
        ) from None


def ramp(text: str) -> Ramp:
    """`FROM..TO/TIME[:exp]`: `1..64/120s` is from 1 to 64 requests per second in two minutes."""
    match = _RAMP.fullmatch(text.strip())
    shape = (match["shape"] if match else None) or "linear"
    if match is None or shape not in ("linear", "exp"):
        raise argparse.ArgumentTypeError(
            f"got {text!r}, need FROM..TO/TIME with an optional :exp, such as 1..64/120s or 1..64/120s:exp"
        )
    try:
        low, high, over = rate(match["low"]), rate(match["high"]), duration(match["over"])
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"in {text!r}: {error}") from None
    return Ramp(from_rps=low, to_rps=high, over_s=over, shape="exp" if shape == "exp" else "linear")


def count(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text) if re.fullmatch(r"\d{1,12}", text.strip()) else 0
    if value < 1:
        allowed = f"from 1 to {10**12 - 1}" if re.fullmatch(r"\d{13,}", text.strip()) else "of at least 1"
        raise argparse.ArgumentTypeError(f"got {text[:40]!r}, need a whole number {allowed}")
    return value


def give_up(text: str) -> int:
    """`off`, which is 0, or a whole number of at least 1."""
    if text.strip() == "off":
        return 0
    try:
        return count(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"got {text[:40]!r}, need off or a whole number of at least 1"
        ) from None


def workers(text: str) -> int | Literal["auto"]:
    """`auto`, or a whole number of at least 1."""
    if text.strip() == "auto":
        return "auto"
    try:
        return count(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"got {text!r}, need auto or a whole number of at least 1") from None


def seed(text: str) -> int:
    """A whole number from 0 to 2^63 - 1."""
    value = int(text) if re.fullmatch(r"\d{1,19}", text.strip()) else -1
    if not 0 <= value < 2**63:
        allowed = f"from 0 to {2**63 - 1}" if re.fullmatch(r"\d{19,}", text.strip()) else "of at least 0"
        raise argparse.ArgumentTypeError(f"got {text[:40]!r}, need a whole number {allowed}")
    return value


def timeout(text: str) -> tuple[str, float]:
    """`first-token=10m`: a deadline of a request by its name, and seconds."""
    name, equals, time = text.partition("=")
    if not equals or name not in TIMEOUTS:
        raise argparse.ArgumentTypeError(
            f"got {text[:40]!r}, need NAME=TIME such as first-token=10m; NAME is one of "
            + ", ".join(TIMEOUTS)
        )
    try:
        return name, duration(time)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{name}: {error}") from None


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
    value = int(text) if re.fullmatch(r"\d{1,5}", text.strip()) else -1
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"got {text!r}, need a port from 0 (any free one) to 65535")
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
        raise argparse.ArgumentTypeError(f"got {text!r}, need {allowed}" if allowed else said) from None
    return text
