"""The language between a poller and one on another machine: JSON lines out, questions about the clock in.

> {"kind":"hello","version":1,"host":"node2"}
> {"kind":"gpu", ...}                          any record of `telemetry.records`
< clock 7
> {"kind":"clock","echo":7,"t_ns":123456789}   as soon as it was read
"""

from __future__ import annotations

import msgspec

from telemetry.records import GpuDevices, GpuEvent, GpuSamples, HostSample, ServerSample, SourceNote
from telemetry.source import plain

VERSION = 1
MOST_LINE_BYTES = 4 << 20


class Hello(msgspec.Struct, tag="hello", tag_field="kind"):
    version: int
    host: str = ""


class ClockAnswer(msgspec.Struct, tag="clock", tag_field="kind"):
    echo: int
    t_ns: int


Line = Hello | ClockAnswer | GpuDevices | GpuSamples | GpuEvent | HostSample | ServerSample | SourceNote

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Line).decode
"""Raises msgspec.MsgspecError for what is no line of ours."""


def cleaned(record: msgspec.Struct) -> None:
    """Makes every text in `record` safe to print, in place."""
    for name in record.__struct_fields__:
        setattr(record, name, _clean(getattr(record, name)))


def _clean(value: object) -> object:
    if isinstance(value, str):
        return plain(value, 300)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(one) for key, one in value.items()}
    if isinstance(value, msgspec.Struct):
        cleaned(value)
    return value
