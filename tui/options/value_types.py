"""Values as a person types them: `60s`, `64`, `1..64/120s:exp`. Each refusal says what is allowed."""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from sessions.plan import typed_values
from sessions.plan.config import (
    BURSTINESS_RANGE,
    LEAST_BURSTINESS,
    MOST_BURSTINESS,
    TIMEOUTS,
    ConfigError,
)
from sessions.plan.ramp import Ramp
from sessions.plan.think_time import parse_think, parse_turns
from sessions.plan.typed_values import got
from tui.options.exit_codes import one_line

if TYPE_CHECKING:
    from sessions.compare.metrics import Metric

T = TypeVar("T")
_TAG_NAME = r"[A-Za-z][A-Za-z0-9_.-]{0,39}"


def duration(text: str) -> float:
    """Seconds: `90`, `60s`, `5m`, `1h`, `500ms`."""
    return _typed(typed_values.seconds, text)


def rate(text: str) -> float:
    """Requests per second, a finite number above 0; the upper limit is `--max-rate`'s to say."""
    if ".." in text:
        need = "need one number such as 8; from one to another is --ramp 1..64/120s"
        raise argparse.ArgumentTypeError(f"{got(text)}, {need}")
    return _typed(typed_values.rate, text)


def speed(text: str) -> float:
    """How many times as fast a trace is: `2x`, `0.5`."""
    return _typed(typed_values.speed, text)


def trace(text: str) -> str:
    """A file or a session that requests are taken from."""
    if not text.strip() or len(text) > 4096 or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{got(text)}, need the path of a trace, or a session")
    return text


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


def burstiness(text: str) -> float:
    """Of gamma arrivals: the shape of their gaps, 0.01 to 1000."""
    try:
        value = rate(text)
    except argparse.ArgumentTypeError:
        value = math.nan
    if not LEAST_BURSTINESS <= value <= MOST_BURSTINESS:
        raise argparse.ArgumentTypeError(f"{got(text)}, need {BURSTINESS_RANGE}")
    return value


def _typed(read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text.strip()) if re.fullmatch(r"[0-9]{1,12}", text.strip()) else 0
    if value < 1:
        allowed = f"from 1 to {10**12 - 1}" if re.fullmatch(r"[0-9]{13,}", text.strip()) else "of at least 1"
        raise argparse.ArgumentTypeError(f"{got(text)}, need a whole number {allowed}")
    return value


def percent(text: str) -> float:
    """A share, from a percentage above 0: `5%` or `5` is 0.05."""
    plain = text.strip().removesuffix("%").strip()
    value = float(plain) if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", plain) else 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{got(text)}, need a percentage above 0 such as 5%")
    return value / 100


def tag(text: str) -> str:
    """`name=value`: a word by which runs are told apart, and what it is of this one."""
    name, sign, value = text.strip().partition("=")
    if not (re.fullmatch(_TAG_NAME, name) and sign and 0 < len(value) <= 100):
        raise argparse.ArgumentTypeError(f"{got(text)}, need NAME=VALUE such as gpu=H100")
    if not value.isprintable():
        raise argparse.ArgumentTypeError(f"{got(text)}, need a value of printable characters")
    return f"{name}={value}"


def tag_name(text: str) -> str:
    """The name of a tag."""
    if not re.fullmatch(_TAG_NAME, text.strip()):
        raise argparse.ArgumentTypeError(f"{got(text)}, need the name of a tag such as gpu")
    return text.strip()


def metrics(text: str) -> list[Metric]:
    """Figures to compare by, with commas between them."""
    from sessions.compare.metrics import parse_metrics

    return _typed(parse_metrics, text)


def lengths(text: str) -> int | str:
    """Tokens: a number, or a distribution as `loadgen.workload.lengths` reads it, as it was typed."""
    from loadgen.workload.lengths import LengthError, parse_lengths

    try:
        parse_lengths(text)
    except LengthError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return _as_typed(text)


def turns(text: str) -> int | str:
    """Of a conversation: a number, or a distribution, as it was typed."""
    return _lengths(parse_turns, text)


def think(text: str) -> str:
    """Between two turns: a time, or a distribution of times, as it was typed."""
    return str(_lengths(parse_think, text))


def _lengths(read: Callable[[str], object], text: str) -> int | str:
    from loadgen.workload.lengths import LengthError

    try:
        read(text)
    except LengthError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return _as_typed(text)


def _as_typed(text: str) -> int | str:
    bare = text.strip()  # of more than `int` strips, a file separator say
    return int(bare) if bare.isascii() and bare.isdigit() else bare


def header_name(text: str) -> str:
    """A header of ours, in lower case: none that says something else already."""
    name = text.strip().lower()
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name) or name in _TAKEN_HEADERS:
        raise argparse.ArgumentTypeError(f"{got(text)}, need the name of a header such as x-session-id")
    return name


_TAKEN_HEADERS = (
    *("host", "content-length", "content-type", "transfer-encoding", "connection", "accept", "cookie"),
    *("accept-encoding", "authorization", "proxy-authorization", "api-key", "x-api-key", "user-agent"),
    "expect",
)


def prefix(text: str) -> str:
    """`150x5x6000`: groups, members, tokens, as it was typed."""
    from loadgen.workload.prefixes import PrefixError, parse_prefixes

    try:
        parse_prefixes(text)
    except PrefixError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text.strip()


def prompts(text: str) -> str:
    """A file of prompts, as an absolute path: that it is one and not too large; a run reads it."""
    from sessions.plan.mix import MixError, check_prompts

    path = os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111  (neither resolves nor raises)
    try:
        check_prompts(path)
    except MixError as error:
        why = str(error).rpartition(": ")[2]
        raise argparse.ArgumentTypeError(f"got {one_line(text)!r}: {why}; need a file of prompts") from None
    return path


def mix(text: str) -> str:
    """`short-chat:0.7,long-context:0.3`: as it was typed; whether there are such parts is seen later."""
    part = r"[A-Za-z][A-Za-z0-9._-]{0,39}( *: *[0-9][0-9.e+-]{0,30})?"
    if not all(re.fullmatch(part, word.strip()) for word in text.split(",")):
        raise argparse.ArgumentTypeError(
            f"{got(text)}, need NAME:WEIGHT,... such as short-chat:0.7,long-context:0.3"
        )
    return text


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
    value = int(text.strip()) if re.fullmatch(r"[0-9]{1,19}", text.strip()) else -1
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
    """A file that is there or not yet; never a link, a pipe or a device."""
    path = Path(text)
    try:
        fits = bool(text) and path.absolute().parent.is_dir() and not path.is_symlink()
        fits = fits and (path.is_file() or not path.exists())
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


def listening(text: str) -> tuple[str, int]:
    """`PORT` of this machine's loopback, or `HOST:PORT`."""
    host, _, port = text.strip().rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) <= 65535) or (":" in text and not host):
        raise argparse.ArgumentTypeError(f"{got(text)}, need a port such as 9464, or 0.0.0.0:9464")
    return host.strip("[]") or "127.0.0.1", int(port)


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
    value = int(text.strip()) if re.fullmatch(r"[0-9]{1,5}", text.strip()) else -1
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
