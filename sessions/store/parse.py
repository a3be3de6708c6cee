"""One line of a session file into a record. Sessions are untrusted input: a bad line is told, no crash."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import get_args

import msgspec

from loadgen.records import Request
from loadgen.sketch import BUCKETS
from sessions.store.gap_codec import check_packed, decode_gaps
from sessions.store.records import AnyRecord

LINE_CAP_BYTES = 1 << 20

TEN_YEARS_NS = 315_576_000 * 10**9
COUNT_CAP = 10**12
SKETCH_COUNT_CAP = 1 << 31
WORKERS_CAP = 4096
BYTES_CAP = 1 << 60
FLOAT_CAP = 1e18
"""Bounds on every number of a record, so that nothing downstream overflows 64 bits when it adds up."""

SKETCHES = frozenset({"ttft_from_due", "ttft_from_sent", "itl", "chunk_gap", "e2e", "send_lag"})

_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)
_KINDS = frozenset(str(record.__struct_config__.tag) for record in get_args(AnyRecord))


class _Kind(msgspec.Struct):
    kind: str


_kind_decoder = msgspec.json.Decoder(_Kind)


Parse = Callable[[bytes], AnyRecord | None]
"""`parse` or `parse_packed`."""


class BadLine(Exception):
    """A line that is no record of ours: what is wrong with it."""


def parse(line: bytes) -> AnyRecord | None:
    """The record of one line without its line end; None for a kind this version does not know.

    Raises:
        BadLine: no JSON object, a field of a wrong type, or a number out of bounds.
    """
    record = parse_packed(line)
    if type(record) is Request and record.gaps:
        record.gaps_us, record.gaps = decode_gaps(record.gaps), ""
    return record


def parse_packed(line: bytes) -> AnyRecord | None:
    """As `parse`, but the gaps of a request stay packed if they are: a timeline takes them so, and faster.

    Raises:
        BadLine: as `parse`.
    """
    try:
        record = _decoder.decode(line)
    except msgspec.ValidationError as error:
        if _is_unknown_kind(line):
            return None
        raise BadLine(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadLine(str(error)) from None
    _check(record)
    if type(record) is Request and record.gaps:
        try:
            check_packed(record.gaps)
        except ValueError as error:
            raise BadLine(f"gaps: {error}") from None
    return record


def _is_unknown_kind(line: bytes) -> bool:
    try:
        return _kind_decoder.decode(line).kind not in _KINDS
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


@cache
def _bounds_of(record: type[msgspec.Struct]) -> list[tuple[str, int]]:
    """Its fields, and the most that each may hold where it holds a whole number."""
    return [(field, _most(field)) for field in record.__struct_fields__]


def _most(field: str) -> int:
    if field == "worker":
        return WORKERS_CAP - 1
    if field.endswith("_ns"):
        return TEN_YEARS_NS
    return BYTES_CAP if field.endswith("_bytes") else COUNT_CAP


def _check(record: msgspec.Struct) -> None:
    for field, most in _bounds_of(type(record)):
        value = getattr(record, field)
        kind = type(value)
        if kind is int:
            if not 0 <= value <= most:
                raise BadLine(f"{field} is out of bounds, need 0 to {most}")
        elif kind is float:
            if not abs(value) <= FLOAT_CAP:
                raise BadLine(f"{field} is {value:g}, need at most {FLOAT_CAP:g}")
        elif value is None or kind is str or kind is bool:  # most fields: `isinstance` of a Struct is slow
            continue
        elif kind is list and value:
            _check_list(field, value)
        elif kind is dict and value:
            if not 0 <= min(value.values()) <= max(value.values()) <= COUNT_CAP:
                raise BadLine(f"{field} holds a count out of bounds")
        elif isinstance(value, msgspec.Struct):
            _check(value)


def _check_list(field: str, values: list[object]) -> None:
    if type(values[0]) is int:
        numbers: list[int] = values  # type: ignore[assignment]  # the decoder saw to it
        if not 0 <= min(numbers) <= max(numbers) <= COUNT_CAP:
            raise BadLine(f"{field} holds a number out of bounds")
        if field in SKETCHES and (
            len(numbers) % 2 or max(numbers[::2]) >= BUCKETS or max(numbers) > SKETCH_COUNT_CAP
        ):
            raise BadLine(f"{field} is no sketch: need pairs of bucket below {BUCKETS} and count")
    else:
        for value in values:
            if isinstance(value, msgspec.Struct):
                _check(value)
