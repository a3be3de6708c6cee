"""What a record may hold, for both ends of a session: no writer writes what a reader refuses.

A session is untrusted input, so a reader refuses what goes beyond these bounds (`check`). What a writer is
given comes from servers, drivers and disks in the end, so it makes it fit before it writes (`fitted`).
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import msgspec

from loadgen.sketch import BUCKETS
from telemetry.bounds import MOST_BYTES, MOST_COUNT, MOST_FLOAT, TEN_YEARS_NS

LINE_CAP_BYTES = 4 << 20
"""A line: room for the gaps of an answer of a million tokens."""
TEXT_CAP = 8192
"""Characters of one text; packed gaps are bounded by their line."""
ENTRIES_CAP = 256
"""Of a table, such as the errors of a tick by kind."""
SKETCH_COUNT_CAP = 1 << 31
DRIFT_CAP_PPM = 100_000.0
"""No clock that runs at all is a tenth too fast or too slow; by -1,000,000 it stands still."""
WORKERS_CAP = 4096
TARGETS_CAP = 64
"""No run has more (`loadgen.worker_config.MOST_TARGETS`)."""

RATIO_CAP = 50
MEMBER_CAP_BYTES = 1 << 20
"""A gzip member is closed once it holds so much text, and holds at most `RATIO_CAP` times its own size."""

SKETCHES = frozenset({"ttft_from_due", "ttft_from_sent", "itl", "chunk_gap", "e2e", "send_lag"})
PACKED = "gaps"
GAPS_CUT = "gaps_cut"
"""Flag of a request whose gaps did not fit into a line and are not kept."""

_Record = TypeVar("_Record", bound=msgspec.Struct)


class OutOfBounds(ValueError):
    """Which field, what it holds and what it may hold."""


@cache
def _fields(record: type[msgspec.Struct]) -> list[tuple[str, int]]:
    """Its fields, with `most_of` each."""
    return [(field, most_of(field)) for field in record.__struct_fields__]


def most_of(field: str) -> int:
    """The most that a field of this name may hold where it holds a whole number."""
    if field == "worker":
        return WORKERS_CAP - 1
    if field == "target":
        return TARGETS_CAP - 1
    if field.endswith("_ns"):
        return TEN_YEARS_NS
    return MOST_BYTES if field.endswith("_bytes") else MOST_COUNT


def most_float_of(field: str) -> float:
    """The farthest from 0 that a field of this name may be where it is no whole number."""
    return DRIFT_CAP_PPM if field == "drift_ppm" else MOST_FLOAT


def check(record: msgspec.Struct) -> None:
    """Returns where every value of `record`, whose types are known to be right, may be.

    Raises:
        OutOfBounds: one may not.
    """
    for field, most in _fields(type(record)):
        value = getattr(record, field)
        kind = type(value)
        if kind is int:
            if not 0 <= value <= most:
                raise OutOfBounds(f"{field} is out of bounds, need 0 to {most}")
        elif value is None or kind is bool:
            continue
        else:
            _check(field, value)


def _check(field: str, value: object) -> None:
    kind = type(value)  # `isinstance` of a Struct is slow
    if kind is str:
        if len(value) > TEXT_CAP and field != PACKED:  # type: ignore[arg-type]
            raise OutOfBounds(f"{field} is a text of {len(value)} characters, need at most {TEXT_CAP}")  # type: ignore[arg-type]
    elif kind is float:
        most = most_float_of(field)
        if not abs(value) <= most:  # type: ignore[arg-type]
            raise OutOfBounds(f"{field} is {value:g}, need at most {most:g}")
    elif not value:
        return
    elif kind is list or kind is tuple:
        _check_list(field, value)  # type: ignore[arg-type]
    elif kind is dict:
        numbers = value.values()  # type: ignore[attr-defined]
        if len(numbers) > ENTRIES_CAP or max(map(len, value)) > TEXT_CAP:  # type: ignore[call-overload]
            raise OutOfBounds(f"{field} holds too much, need at most {ENTRIES_CAP} entries")
        if not all(0 <= number <= MOST_COUNT for number in numbers):  # NaN is not, either
            raise OutOfBounds(f"{field} holds a number out of bounds")
    elif isinstance(value, msgspec.Struct):
        check(value)


def _check_list(field: str, values: list[object]) -> None:
    if field == "targets" and len(values) > TARGETS_CAP:
        raise OutOfBounds(f"{field} holds too much, need at most {TARGETS_CAP}")
    if type(values[0]) is int:
        numbers: list[int] = values  # type: ignore[assignment]  # the decoder saw to it
        if not 0 <= min(numbers) <= max(numbers) <= MOST_COUNT:
            raise OutOfBounds(f"{field} holds a number out of bounds")
        if field in SKETCHES:
            if max(numbers) > SKETCH_COUNT_CAP:
                raise OutOfBounds(f"{field} holds a count out of bounds, need at most {SKETCH_COUNT_CAP}")
            check_pairs(field, numbers)
    else:
        for value in values:
            _check(field, value)


def check_pairs(field: str, sketch: list[int]) -> None:
    """Returns where a sketch, which holds something, holds pairs, and a bucket is the first of each.

    Raises:
        OutOfBounds: it does not.
    """
    if len(sketch) % 2 or max(sketch[::2]) >= BUCKETS:
        raise OutOfBounds(f"{field} is no sketch: need pairs of bucket below {BUCKETS} and count")


def fitted(record: _Record) -> _Record:
    """`record` itself where all of it may be, else a copy without what may not.

    What cannot be is missing in it: None, or an empty list. A number that may not be missing is brought to
    the nearest bound, a text is cut. So an odd figure costs that figure, never the record.
    """
    try:
        check(record)
    except OutOfBounds:
        return mended(record)
    return record


def mended(record: _Record) -> _Record:
    """A copy of `record` without what may not be, and with texts that UTF-8 can hold."""
    return msgspec.structs.replace(
        record,
        **{
            field.name: _mended(field.name, getattr(record, field.name), _missing(field))
            for field in msgspec.structs.fields(record)
        },
    )


class _NotMendable(Exception):
    """Nothing stands for what is wrong: what it is a part of has to go."""


def _missing(field: msgspec.structs.FieldInfo) -> Any:
    """What the field holds where nothing is known; NODEFAULT where it always holds something."""
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return None if field.default is None else msgspec.NODEFAULT


def _mended(name: str, value: Any, missing: Any) -> Any:
    if isinstance(value, str):
        text = value.encode("utf-8", "replace").decode()
        return text if name == PACKED else text[:TEXT_CAP]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, msgspec.Struct):
        try:
            return mended(value)
        except _NotMendable:
            return missing
    if isinstance(value, int | float):
        return _number(value, most_of(name) if isinstance(value, int) else most_float_of(name), missing)
    if isinstance(value, dict):
        some = {_mended("", key, ""): number for key, number in value.items() if 0 <= number <= MOST_COUNT}
        return dict(list(some.items())[:ENTRIES_CAP])
    if value and isinstance(value[0], str | msgspec.Struct):
        kept = [_mended(name, one, msgspec.NODEFAULT) for one in value]
        return type(value)(one for one in kept if one is not msgspec.NODEFAULT)
    try:
        _check(name, value)
    except OutOfBounds:
        if missing is msgspec.NODEFAULT:
            raise _NotMendable from None
        return missing
    return value


def _number(value: float, most: float, missing: Any) -> Any:
    least = 0 if isinstance(value, int) else -most
    if least <= value <= most:
        return value
    if missing is None:
        return None
    if value != value:
        return 0.0  # of a field that always is a number: no line could be read with none
    return min(max(value, least), most)
