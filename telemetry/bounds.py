"""What a record from elsewhere may hold at the most, so that a session that keeps it can be read again."""

from __future__ import annotations

import msgspec

TEN_YEARS_NS = 315_576_000 * 10**9
MOST_BYTES = 1 << 60
MOST_COUNT = 10**12
MOST_FLOAT = 1e18
MOST_RECORD_BYTES = 512 << 10

_encode = msgspec.json.Encoder().encode


def believable(record: msgspec.Struct) -> bool:
    """Whether every number of `record` can be, and it is no longer than a line of a session may be."""
    return _possible("", record) and len(_encode(record)) <= MOST_RECORD_BYTES


def _possible(field: str, value: object) -> bool:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return True
    if isinstance(value, int):
        return 0 <= value <= _most(field)
    if isinstance(value, float):
        return abs(value) <= MOST_FLOAT
    if isinstance(value, dict):
        return all(isinstance(one, float | int) and 0 <= one <= MOST_COUNT for one in value.values())
    if isinstance(value, list):
        return all(_possible("", one) for one in value)
    if isinstance(value, msgspec.Struct):
        return all(_possible(name, getattr(value, name)) for name in value.__struct_fields__)
    return False


def _most(field: str) -> int:
    if field.endswith("_ns"):
        return TEN_YEARS_NS
    return MOST_BYTES if field.endswith("_bytes") else MOST_COUNT
