"""One line of a session file into a record. Sessions are untrusted input: a bad line is told, no crash."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Union, get_args

import msgspec

from loadgen.decoding import ready
from loadgen.errors import printable
from loadgen.records import Request, TargetTick, Tick
from sessions.store.bounded import bounded
from sessions.store.bounds import SKETCHES, OutOfBounds, check, check_pairs
from sessions.store.gap_codec import check_packed, decode_gaps
from sessions.store.records import AnyRecord

_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(ready(AnyRecord))
_bounded_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(
    ready(Union[tuple(bounded(record) for record in get_args(AnyRecord))])  # noqa: UP007  # of a tuple
)
_sketches = sorted(SKETCHES)
_sketches_of = attrgetter(*_sketches)
_OF_TARGETS = sorted(SKETCHES & set(TargetTick.__struct_fields__))
_KINDS = frozenset(str(record.__struct_config__.tag) for record in get_args(AnyRecord))


class _Kind(msgspec.Struct):
    kind: str


_kind_decoder = msgspec.json.Decoder(ready(_Kind))


Parse = Callable[[bytes], AnyRecord | None]
"""`parse` or `parse_packed`."""


class BadLine(Exception):
    """A line that is no record of ours: what is wrong with it."""


def parse(line: bytes) -> AnyRecord | None:
    """The record of one line without its line end; None for a kind this version does not know.

    Raises:
        BadLine: no JSON object, a field of a wrong type, or a number out of bounds.
    """
    record = _checked(line)
    if type(record) is Request and record.gaps:
        record.gaps_us, record.gaps = decode_gaps(record.gaps), ""
    return record


def parse_packed(line: bytes) -> AnyRecord | None:
    """As `parse`, but the gaps of a request stay packed if they are, and the record is of a kind derived from
    its own (`sessions.store.bounded`): a timeline takes it so, and faster.

    Raises:
        BadLine: as `parse`.
    """
    try:
        record = _bounded_decoder.decode(line)
        _look_closer(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return _checked(line)  # which says what is wrong
    return record


def parse_block(text: bytes) -> list[AnyRecord] | None:
    """The records of whole lines as `parse_packed` gives them one by one, and faster; None where there is a
    line that is none: then each of them has to be asked."""
    try:
        records = _bounded_decoder.decode_lines(text)
        for record in records:
            _look_closer(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return None
    return records if _is_lines(text, len(records)) else None


def _is_lines(text: bytes, records: int) -> bool:
    """Whether each of so many records, which are all that `text` holds, has a line to itself: within a record
    no line ends in a brace where the next one begins with one."""
    end = -1
    for _ in range(records):
        end = text.find(b"\n", end + 1)
        if text[end - 1 : end + 2] not in (b"}\n{", b"}\n"):
            return False
    return end == len(text) - 1


def _look_closer(record: AnyRecord) -> None:
    """Raises ValueError where a record is none though each of its values could be."""
    if isinstance(record, Request):
        if record.gaps:
            check_packed(record.gaps)
    elif isinstance(record, Tick):
        for field, sketch in zip(_sketches, _sketches_of(record), strict=True):
            if sketch:
                check_pairs(field, sketch)
        for target in record.targets:
            for field in _OF_TARGETS:
                if sketch := getattr(target, field):
                    check_pairs(field, sketch)


def _checked(line: bytes) -> AnyRecord | None:
    try:
        record = _decoder.decode(line)
    except msgspec.ValidationError as error:
        if _is_unknown_kind(line):
            return None
        raise BadLine(printable(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadLine(printable(str(error))) from None
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
