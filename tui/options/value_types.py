"""Values as a person types them: `60s`, `64`, `1..64/120s:exp`. Each refusal says what is allowed."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

from sessions.plan import typed_values
from sessions.plan.config import TIMEOUTS, ConfigError
from sessions.plan.ramp import Ramp
from sessions.plan.typed_values import got

T = TypeVar("T")


def duration(text: str) -> float:
    """Seconds: `90`, `60s`, `5m`, `1h`, `500ms`."""
    return _typed(typed_values.seconds, text)


def rate(text: str) -> float:
    """Requests per second, a finite number above 0; the upper limit is `--max-rate`'s to say."""
    return _typed(typed_values.rate, text)


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
    return _typed(typed_values.ramp, text)


def _typed(read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text) if re.fullmatch(r"[0-9]{1,12}", text.strip()) else 0
    if value < 1:
        allowed = f"from 1 to {10**12 - 1}" if re.fullmatch(r"[0-9]{13,}", text.strip()) else "of at least 1"
        raise argparse.ArgumentTypeError(f"{got(text)}, need a whole number {allowed}")
    return value


def lengths(text: str) -> int | str:
    """Tokens: a number, or a distribution as `loadgen.workload.lengths` reads it, as it was typed."""
    from loadgen.workload.lengths import LengthError, parse_lengths

    try:
        parse_lengths(text)
    except LengthError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return int(text) if text.strip().isdigit() else text.strip()


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
        raise argparse.ArgumentTypeError(f"{got(text)}, need auto or a whole number of at least 1") from None


def scale(text: str) -> float:
    """By how much a plan is made shorter or longer: 0.001 to 1000."""
    try:
        value = rate(text)
    except argparse.ArgumentTypeError:
        value = math.nan
    if not 0.001 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{got(text)}, need a number from 0.001 to 1000")
    return value


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


def file_to_write(text: str) -> Path:
    """A file that is there or not yet; never a pipe or a device, which might wait for a reader."""
    path = Path(text)
    try:
        fits = bool(text) and (path.is_file() or not path.exists()) and path.absolute().parent.is_dir()
    except (OSError, ValueError):  # too long, or with a NUL
        fits = False
    if not fits:
        raise argparse.ArgumentTypeError(f"{got(text)}, need a file in a directory that is there")
    return path


def slo(text: str) -> str:
    """A list of targets, as it was typed."""
    from sessions.plan.slo import parse_slo

    try:
        parse_slo(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


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
