"""What a worker is told, as on a node it must be: on the node's clock, with the paths of its files there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

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
INSTANTS = ("at_ns", "start_ns", "end_ns")
"""Names of session times in a command."""


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


Known = Mapping[tuple[str, int], Sequence[str]]
"""Host and port of a server to the addresses at which it answers from a node."""


def for_node(config: WorkerConfig, there: Mapping[str, str], origin_ns: int, at: Known) -> WorkerConfig:
    """`origin_ns`: the session's origin on the node's clock; `at`: where the servers answer from there."""

    def from_there(address: Address) -> Address:
        known = at.get((address.host, address.port))
        return address if known is None else msgspec.structs.replace(address, at=tuple(known))

    targets = tuple(
        msgspec.structs.replace(target, address=from_there(target.address)) for target in config.targets
    )
    address = from_there(config.address)
    told = msgspec.structs.replace(config, origin_ns=origin_ns, address=address, targets=targets)
    return with_files(told, there)


def shifted(message: T, by_ns: int) -> T:
    """A command with all its instants so much later."""
    if isinstance(message, msgspec.Struct):
        changed = {}
        for name in message.__struct_fields__:
            value = getattr(message, name)
            if name in INSTANTS and value is not None:
                changed[name] = value + by_ns
            else:
                changed[name] = shifted(value, by_ns)
        return msgspec.structs.replace(message, **changed)
    if isinstance(message, list):
        moved: Any = [shifted(one, by_ns) for one in message]
        return cast(T, moved)
    return message


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
