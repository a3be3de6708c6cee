"""Reads that bring one chunk with one token event each, of any streams, decoded together.

Decoding many events at once costs a third of decoding each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadgen.endpoints import Endpoint
from loadgen.endpoints.token_event import DecodeLines, values_of
from loadgen.transport.http1 import CHUNK_END, WHOLE_MOST, WholeChunk

TOKEN_BEGIN, TOKEN_END = b"data: {", b"}\n\n"
_CHUNK = WholeChunk(TOKEN_BEGIN)
_BEFORE, _AFTER = len(TOKEN_BEGIN) - 1, len(TOKEN_END) - 1 + len(CHUNK_END)


def batch_decoder(
    endpoint: Endpoint, *, chunk_counts: bool, one_token_chunks: bool = True, needs_text: bool = False
) -> Callable[[list[bytes]], list[Any]]:
    """A `loadgen.transport.batch_reader.BatchDecode` of reads that begin between two chunks.

    It gives decoded events where a chunk says how many tokens it bears or its text is needed, be it to see
    how many it can bear, else None for each.
    """
    keeps_events = chunk_counts or needs_text or not one_token_chunks
    decode_lines: DecodeLines[Any] = endpoint.counted_token_event if chunk_counts else endpoint.token_event

    def decode_batch(reads: list[bytes]) -> list[Any]:
        heads, starts, sizes = _CHUNK.heads, _CHUNK.starts, list(map(len, reads))
        if max(sizes) >= WHOLE_MOST or not all(map(bytes.startswith, reads, [heads[size] for size in sizes])):
            return []
        values = [data[starts[size] + _BEFORE : -_AFTER] for data, size in zip(reads, sizes, strict=True)]
        events = values_of(decode_lines, values)
        return events if keeps_events else [None] * len(events)

    return decode_batch
