"""The language between a poller and one on another machine: JSON lines out, questions about the clock in.

> {"kind":"hello","version":1,"host":"node2"}
> {"kind":"gpu", ...}                          any record of `telemetry.records`
< clock 7
> {"kind":"clock","echo":7,"t_ns":123456789}   as soon as it was read
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from telemetry.records import TelemetryRecord
from telemetry.source import plain, unchanged

VERSION = 1
MOST_LINE_BYTES = 1 << 20
MOST_TEXT = 300


class Hello(msgspec.Struct, tag="hello", tag_field="kind"):
    version: int
    host: str = ""


class ClockAnswer(msgspec.Struct, tag="clock", tag_field="kind"):
    echo: int
    t_ns: int


Line = Hello | ClockAnswer | TelemetryRecord

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode
BEGINNING = b'{"kind":"'
_MOST_BEGINNINGS = 8


def decoded(line: bytes) -> Line | None:
    """A line of ours, also behind words that a login script printed without a line end; None: it has none."""
    at = line.find(BEGINNING)
    for _ in range(_MOST_BEGINNINGS):
        if at < 0:
            break
        try:
            read: Line = _decode(line[at:])
            return read
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            at = line.find(BEGINNING, at + 1)
    return None


def cleaned(record: msgspec.Struct, redact: Callable[[str], str] = unchanged) -> None:
    """Makes every text in `record` safe to print, in place, and hides our key in it."""
    for name in record.__struct_fields__:
        setattr(record, name, _clean(getattr(record, name), redact))


def _clean(value: object, redact: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return plain(redact(value), MOST_TEXT)
    if isinstance(value, list):
        return [_clean(one, redact) for one in value]
    if isinstance(value, dict):
        return {_clean(key, redact): _clean(one, redact) for key, one in value.items()}
    if isinstance(value, msgspec.Struct):
        cleaned(value, redact)
    return value
