"""Prompts packed into one private file that every worker maps, none holds: written once, read by number.

Sixteen bytes of head, the JSON of all prompts, then an index. It is of this run alone and of no use after it.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from loadgen.workload.prompt_source import Entry, Kind

_HEAD = struct.Struct("<8sQ")
_MAGIC = b"ttfprom1"
_ROW = struct.Struct("<QIBxxxii")
"""Where its JSON begins, how long that is, its kind, tokens of the answer and of the prompt (0: not said)."""
_PIECE = 1 << 20


def pack(entries: Iterable[Entry], path: Path) -> set[Kind]:
    """Writes all of them; returns what kinds there are.

    Raises:
        OSError: the file cannot be written, or is there already.
    """
    kinds: set[Kind] = set()
    index = bytearray()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb", buffering=_PIECE) as file:
        at = file.write(_HEAD.pack(_MAGIC, 0))
        for entry in entries:
            kinds.add(entry.kind)
            tokens = (entry.output_tokens or 0, entry.input_tokens or 0)
            index += _ROW.pack(at, len(entry.json), entry.kind, *tokens)
            at += file.write(entry.json)
        file.write(index)
        file.seek(0)
        file.write(_HEAD.pack(_MAGIC, at))
    return kinds


class PackedPrompts:
    """What `pack` wrote, mapped: prompts are read where they lie, all workers share one copy."""

    def __init__(self, path: str) -> None:
        """Raises:
        OSError, ValueError: it is not there, or is none.
        """
        with open(path, "rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, index = _HEAD.unpack_from(self._data)
        if magic != _MAGIC:
            raise ValueError(f"{path}: no packed prompts")
        self._index: int = index
        self._count: int = (len(self._data) - self._index) // _ROW.size

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Entry:
        if not 0 <= number < self._count:
            raise IndexError(number)
        at, size, kind, output, given = _ROW.unpack_from(self._data, self._index + number * _ROW.size)
        return Entry(Kind(kind), self._data[at : at + size], given or None, output or None)


@lru_cache(maxsize=64)
def packed_prompts(path: str) -> PackedPrompts:
    """Those of that file, which stays mapped: stages that follow each other ask for it again."""
    return PackedPrompts(path)
