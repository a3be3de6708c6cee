"""One line of a session file into a record. Sessions are untrusted input: a bad line is told, no crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import msgspec

from loadgen.records import Request
from sessions.store.bounds import OutOfBounds, check
from sessions.store.gap_codec import check_packed, decode_gaps
from sessions.store.records import AnyRecord

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
    try:
        check(record)
    except OutOfBounds as error:
        raise BadLine(str(error)) from None
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
