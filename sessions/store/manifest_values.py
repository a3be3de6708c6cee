"""What may stand in a manifest, for both ends: nothing is written that a reader would refuse."""

from __future__ import annotations

from typing import Any

import msgspec
import tomli_w

from telemetry.bounds import MOST_FLOAT

CAP_BYTES = 256 << 10
_MEASURED = ("result", "telemetry", "server", "client", "imported")
"""Tables that a reader can do without."""
_SHORT_CHARS = 200
_INT64 = 1 << 63


def encoded(fields: dict[str, Any]) -> bytes:
    """The file, without as much of what was measured as has to go where that is too long to be read back.

    The longest list or table goes first (the records have it, too), then long texts, then all of it.
    """
    data = tomli_w.dumps(fields).encode()
    if len(data) <= CAP_BYTES:
        return data
    tables = {name: dict(fields[name]) for name in _MEASURED if name in fields}
    long = sorted(
        (
            (len(tomli_w.dumps({key: value})), name, key)
            for name, table in tables.items()
            for key, value in table.items()
            if isinstance(value, list | dict)
        ),
        reverse=True,
    )
    for size, name, key in long:
        if len(data) <= CAP_BYTES or size < _SHORT_CHARS:
            break
        del tables[name][key]
        data = tomli_w.dumps({**fields, **tables}).encode()
    if len(data) > CAP_BYTES:
        fields = {**fields, **tables}
        fields = {name: some if name == "config" else _shortened(some) for name, some in fields.items()}
        data = tomli_w.dumps(fields).encode()
    if len(data) > CAP_BYTES:
        data = tomli_w.dumps({name: some for name, some in fields.items() if name not in _MEASURED}).encode()
    return data


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    return value[:_SHORT_CHARS] if isinstance(value, str) else value


def plain(value: Any) -> Any:
    """Tables and plain values, defaults spelled out.

    TOML knows no null, so what is None is left out; so is a number that `read` would refuse.
    """
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, dict):
        return {_utf8(str(key)): plain(item) for key, item in value.items() if _kept(item)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value if _kept(item)]
    return _utf8(value) if isinstance(value, str) else value


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _kept(value: Any) -> bool:
    return value is not None and not _wrong(value)


def _wrong(value: Any) -> str:
    """What is wrong with a value that is no table or list; empty where nothing is."""
    if isinstance(value, float):
        return "" if abs(value) <= MOST_FLOAT else f"{value:g}, need a number up to {MOST_FLOAT:g}"
    if isinstance(value, int):
        return "" if -_INT64 <= value < _INT64 else "a whole number of more than 64 bits"
    return "" if isinstance(value, str | dict | list | tuple | msgspec.Struct) else "no text, number or truth"


def check(fields: dict[str, Any]) -> None:
    """Whether a manifest holds values that one of ours may hold.

    Raises:
        ValueError: where one does not, and what is wrong with it.
    """
    waiting: list[tuple[str, Any]] = [("", fields)]  # no recursion: tables may lie deep in one another
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{name}.{key}" if name else key, item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [(name, item) for item in value]
        elif wrong := _wrong(value):
            raise ValueError(f"{name} is {wrong}")
