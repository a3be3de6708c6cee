"""What a worker is told, as on a node it must be: on the node's clock, with the paths of its files there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from loadgen.arrivals.load import TraceLoad
from loadgen.worker_config import Address, WorkerConfig
from loadgen.workload.spec import FileWorkload, TraceWorkload

T = TypeVar("T")

FILE_FIELDS: dict[type, tuple[str, ...]] = {
    Address: ("ca_file", "cert_file", "cert_key_file"),
    FileWorkload: ("path",),
    TraceLoad: ("path",),
    TraceWorkload: ("path",),
}
"""All that a worker reads from a disk; a new kind of such a value belongs here."""


def files_in(message: object) -> Iterator[str]:
    """Paths of the files that workers read who are told this."""
    if isinstance(message, msgspec.Struct):
        for name in message.__struct_fields__:
            value = getattr(message, name)
            if name in FILE_FIELDS.get(type(message), ()):
                if value:
                    yield value
            else:
                yield from files_in(value)
    elif isinstance(message, list | tuple):
        for one in message:
            yield from files_in(one)


def with_files(message: T, there: Mapping[str, str]) -> T:
    """`message` with each path as it is there.

    Raises:
        KeyError: a file was not brought there.
    """
    mapped: T = _mapped(message, lambda path: there[path])
    return mapped


def for_node(
    config: WorkerConfig, there: Mapping[str, str], origin_ns: int, at: Sequence[str]
) -> WorkerConfig:
    """`origin_ns`: the session's origin on the node's clock; `at`: where the server answers from there."""
    address = msgspec.structs.replace(config.address, at=tuple(at))
    return with_files(msgspec.structs.replace(config, origin_ns=origin_ns, address=address), there)


def _mapped(value: Any, path: Callable[[str], str]) -> Any:
    if isinstance(value, msgspec.Struct):
        changed = {}
        for name in value.__struct_fields__:
            old = getattr(value, name)
            is_file = name in FILE_FIELDS.get(type(value), ())
            new = (path(old) if old else old) if is_file else _mapped(old, path)
            if new is not old:
                changed[name] = new
        return msgspec.structs.replace(value, **changed) if changed else value
    if isinstance(value, list | tuple):
        made = [_mapped(one, path) for one in value]
        if all(new is old for new, old in zip(made, value, strict=True)):
            return value
        return made if isinstance(value, list) else tuple(made)
    return value
