"""A trace as a run's processes read it: a binary file, written once, mapped into the memory of each.

Rows of one size, in the order in which they are due, and behind them the hash ids of all: so any row is found
at once, and a trace of millions of requests takes no memory of its own in a worker.
"""

from __future__ import annotations

import mmap
import struct
from functools import lru_cache

import msgspec

from loadgen.trace.rows import TraceRow

MAGIC = b"ttftop trace 1\n\0"
HEAD = struct.Struct("<16sqqq")
"""Magic, rows, bytes of the tags (JSON), hash ids."""
ROW = struct.Struct("<qiiqiiq")
"""Due, input, output, conversation, turn, tags (-1 each: none), where its hash ids begin."""


class CompiledTrace:
    """The trace in such a file."""

    def __init__(self, path: str) -> None:
        """Raises:
        OSError: it is not there.
        ValueError: it is none of ours.
        """
        with open(path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, count, names, hashes = HEAD.unpack_from(self._map)
        self._count: int = count
        self._ids_at = HEAD.size + ROW.size * (self._count + 1)
        names_at = self._ids_at + 8 * hashes
        if magic != MAGIC or len(self._map) != names_at + names:
            raise ValueError(f"{path}: no trace of ours")
        self._tags = [tuple(words) for words in msgspec.json.decode(self._map[names_at:])]

    def __len__(self) -> int:
        return self._count

    def due_ns(self, row: int) -> int:
        """When it is due, since the first one."""
        due_ns: int = struct.unpack_from("<q", self._map, HEAD.size + ROW.size * row)[0]
        return due_ns

    def row(self, row: int) -> TraceRow:
        """Row number `row`, from 0."""
        at = HEAD.size + ROW.size * row
        due_ns, taken, given, conversation, turn, tags, first = ROW.unpack_from(self._map, at)
        until = ROW.unpack_from(self._map, at + ROW.size)[-1]
        ids = struct.unpack_from(f"<{until - first}q", self._map, self._ids_at + 8 * first)
        return TraceRow(
            due_ns,
            taken,
            given,
            ids,
            None if conversation < 0 else conversation,
            None if turn < 0 else turn,
            self._tags[tags] if tags >= 0 else (),
        )


open_trace = lru_cache(maxsize=4)(CompiledTrace)
"""The trace in a file, opened once in a process."""
