"""Records to lines and gzip members such as every reader takes (`sessions.store.bounds`)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from loadgen.records import Request
from sessions.store.bounds import GAPS_CUT, LINE_CAP_BYTES, MEMBER_CAP_BYTES, RATIO_CAP, fitted, mended

_encode = msgspec.json.Encoder().encode


def line_of(record: msgspec.Struct) -> bytes:
    """`record` as a line, with its line end: what may not stand in a session is left out of it."""
    record = fitted(record)
    try:
        line = _encode(record)
    except ValueError:  # a text that UTF-8 cannot hold
        record = mended(record)
        line = _encode(record)
    while len(line) >= LINE_CAP_BYTES:
        record = _shorter(record)
        line = _encode(record)
    return line + b"\n"


def _shorter(record: msgspec.Struct) -> msgspec.Struct:
    if isinstance(record, Request):
        return msgspec.structs.replace(
            record, gaps_us=[], gaps="", chunk_tokens=[], tags=(), flags=[*record.flags[:16], GAPS_CUT]
        )
    lists = {
        field: value
        for field in record.__struct_fields__
        if isinstance(value := getattr(record, field), list)
    }
    longest = max(lists, key=lambda field: len(_encode(lists[field])))
    half: Sequence[object] = lists[longest][: len(lists[longest]) // 2]
    return msgspec.structs.replace(record, **{longest: half})


def members(lines: Iterable[bytes]) -> Iterator[bytes]:
    """`lines` as gzip members, each of a text that a reader finds believable for its size."""
    text, size = [], 0
    for line in lines:
        text.append(line)
        size += len(line)
        if size >= MEMBER_CAP_BYTES:
            yield _member(b"".join(text))
            text, size = [], 0
    if text:
        yield _member(b"".join(text))


def _member(text: bytes) -> bytes:
    packed = _packed(text, zlib.Z_DEFAULT_STRATEGY)
    if len(text) > RATIO_CAP * len(packed):
        # A reader would take it for a bomb. This packs no more than 8 to 1, of whatever text.
        packed = _packed(text, zlib.Z_HUFFMAN_ONLY)
    return packed


def _packed(text: bytes, strategy: int) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31, zlib.DEF_MEM_LEVEL, strategy)
    return packer.compress(text) + packer.flush()
