"""Reads that bring one chunk with one usual event each, of any streams, understood together.

Decoding many events at once costs a third of decoding each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadgen.endpoints import Endpoint
from loadgen.endpoints.token_event import DecodeLines, values_of
from loadgen.transport.http1 import CHUNK_END, WHOLE_MOST, WholeChunk

USUAL_BEGIN, USUAL_END = b"data: {", b"}\n\n"
_CHUNK = WholeChunk(USUAL_BEGIN)
_BEFORE, _AFTER = len(USUAL_BEGIN) - 1, len(USUAL_END) - 1 + len(CHUNK_END)


def understood(endpoint: Endpoint, chunk_counts: bool) -> Callable[[list[bytes]], list[Any]]:
    """A `loadgen.transport.read_loop.Understand` of reads that begin between two chunks.

    It gives decoded events where a chunk says how many tokens it bears, else None for each.
    """
    decode_lines: DecodeLines[Any] = endpoint.counted if chunk_counts else endpoint.usual

    def understand(reads: list[bytes]) -> list[Any]:
        heads, starts, sizes = _CHUNK.heads, _CHUNK.starts, list(map(len, reads))
        if max(sizes) >= WHOLE_MOST or not all(map(bytes.startswith, reads, [heads[size] for size in sizes])):
            return []
        values = [data[starts[size] + _BEFORE : -_AFTER] for data, size in zip(reads, sizes, strict=True)]
        events = values_of(decode_lines, values)
        return events if chunk_counts else [None] * len(events)

    return understand
