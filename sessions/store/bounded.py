"""Kinds of records that a decoder makes only of what `sessions.store.bounds.check` would let pass.

What it refuses while it decodes costs next to nothing; `check` costs as much as all the rest of reading.
"""

from __future__ import annotations

from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Meta

from sessions.store.bounds import (
    ENTRIES_CAP,
    PACKED,
    SKETCH_COUNT_CAP,
    SKETCHES,
    TARGETS_CAP,
    TEXT_CAP,
    most_float_of,
    most_of,
)
from telemetry.bounds import MOST_COUNT

_COUNT = Annotated[int, Meta(ge=0, le=MOST_COUNT)]
_TEXT = Annotated[str, Meta(max_length=TEXT_CAP)]
_SKETCH = list[Annotated[int, Meta(ge=0, le=SKETCH_COUNT_CAP)]]


@cache
def bounded(record: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """A kind derived from `record`, with the same fields, no value of which can be out of bounds; but that a
    sketch holds pairs is not asked (`sessions.store.bounds.check_pairs`)."""
    config = record.__struct_config__
    fields = []
    for field in msgspec.structs.fields(record):
        kind = _bounded(field.name, field.type)
        if field.default_factory is not msgspec.NODEFAULT:
            default: Any = msgspec.field(default_factory=field.default_factory)
        else:
            default = msgspec.field(default=field.default)
        fields.append((field.name, kind) if field.required else (field.name, kind, default))
    return msgspec.defstruct(
        record.__name__,
        fields,
        bases=(record,),
        tag=config.tag,
        tag_field=config.tag_field,
        omit_defaults=config.omit_defaults,
    )


def _bounded(name: str, kind: Any) -> Any:
    if kind is int:
        return Annotated[int, Meta(ge=0, le=most_of(name))]
    if kind is float:
        most = most_float_of(name)
        return Annotated[float, Meta(ge=-most, le=most)]
    if kind is str:
        return str if name == PACKED else _TEXT
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return bounded(kind)
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return Union[tuple(_bounded(name, part) for part in parts)]  # noqa: UP007  # of a tuple
    if origin is list:
        if name in SKETCHES:
            return _SKETCH
        if name == "targets":
            return Annotated[list[_bounded(name, parts[0])], Meta(max_length=TARGETS_CAP)]  # type: ignore[misc]
        return list[_COUNT if parts[0] is int else _bounded(name, parts[0])]  # type: ignore[misc]
    if origin is tuple:
        return tuple[_bounded(name, parts[0]), ...]  # type: ignore[misc]
    if origin is dict:
        number = _COUNT if parts[1] is int else Annotated[float, Meta(ge=0, le=MOST_COUNT)]
        return Annotated[dict[_TEXT, number], Meta(max_length=ENTRIES_CAP)]  # type: ignore[valid-type]
    return kind
