"""One stream of the probe, read event by event: what came, and in which form the server counts tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from loadgen.clock import monotonic_ns
from loadgen.endpoints import Endpoint, EventContent, Usage
from loadgen.endpoints.event import loads
from loadgen.endpoints.framing import SSE
from loadgen.endpoints.picking import merged
from loadgen.endpoints.sse import SseLimitError
from loadgen.errors import printable
from loadgen.probe.result import WarmUp
from loadgen.worker_config import AFTER_DONE_S, AFTER_FINISH_S

MAX_STREAM_BYTES = 16 << 20


class Streamed(msgspec.Struct, frozen=True):
    """A stream that was read to its end."""

    warm_up: WarmUp
    usage: Usage | None
    """The last that came."""
    continuous: bool
    """Usage came with each chunk of text and grew with it. Totals at the end, be it twice, are not such."""
    chunk_tokens: tuple[int, ...]
    """Tokens in each chunk, as far as token ids or continuous usage tell."""
    token_ids: bool
    """Chunks carried the ids of their tokens."""
    done: bool
    """`[DONE]` came."""
    finish_reason: str | None
    fingerprint: str
    """`system_fingerprint` of the first event, safe to print; empty when there is none."""
    headers: dict[str, str]
    """Names in lower case, values as they came."""
    line_events: bool = False
    """There were no blank lines between its events."""
    index_counts: bool = False
    """The index of a choice was that of its token."""

    @property
    def one_token_chunks(self) -> bool | None:
        """Each chunk bore one token; None when nothing tells."""
        if self.chunk_tokens:
            return max(self.chunk_tokens) == 1
        tokens = self.warm_up.output_tokens
        return self.warm_up.chunks >= tokens if tokens else None


class StreamReader:
    """Fed with the body of a response as it comes; `close` at its end."""

    def __init__(self, endpoint: Endpoint, began_ns: int, index_counts: bool = False) -> None:
        self.error: str | None = None
        """What the first error inside the stream said, not yet made safe."""
        self._endpoint, self._index_counts = endpoint, index_counts
        self._began_ns = began_ns
        self._parser = endpoint.parser()
        self._indices: list[int] = []
        """Of the choices, one after the other."""
        self._pieces: list[tuple[int, bytes]] = []
        self._size = 0
        self._first_ns: int | None = None
        self._chunks = 0
        self._usage: Usage | None = None
        self._texts = self._grown = 0
        """Chunks that bore text, but for the last; those of them whose usage was more than before."""
        self._counted = 0
        self._chunk_tokens: list[int] = []
        self._token_ids = False
        self.done = False
        """`[DONE]` came."""
        self._over_ns: int | None = None
        self._finish_reason: str | None = None
        self._fingerprint = ""

    def feed(self, piece: bytes, t_ns: int) -> None:
        """Takes in what came at `t_ns`, as `time.monotonic_ns()` has it.

        Raises:
            SseLimitError: the stream is larger than it may be.
        """
        self._size += len(piece)
        if self._size > MAX_STREAM_BYTES:
            raise SseLimitError(f"a stream of more than {MAX_STREAM_BYTES >> 20} MiB")
        self._pieces.append((t_ns, piece))
        for event in self._parser.feed(piece):
            self._take(event.data, event.name, t_ns)

    def left_s(self) -> float | None:
        """Seconds to wait for more; None while all may still come."""
        return None if self._over_ns is None else max(0.0, (self._over_ns - monotonic_ns()) / 1e9)

    def close(self, headers: dict[str, str]) -> Streamed:
        end_ns = monotonic_ns()
        for event in self._parser.close():
            self._take(event.data, event.name, end_ns)
        if (otherwise := self._otherwise()) is not None:
            read = otherwise.close(headers)
            if read.warm_up.chunks > self._chunks:
                self.error = otherwise.error
                return read
        usage = self._usage
        return Streamed(
            warm_up=WarmUp(
                ttft_ms=None if self._first_ns is None else (self._first_ns - self._began_ns) / 1e6,
                total_ms=(end_ns - self._began_ns) / 1e6,
                chunks=self._chunks,
                input_tokens=usage.prompt_tokens if usage else None,
                output_tokens=usage.completion_tokens if usage else None,
            ),
            usage=usage,
            continuous=0 < self._grown == self._texts,
            chunk_tokens=tuple(self._chunk_tokens),
            token_ids=self._token_ids,
            done=self.done,
            finish_reason=self._finish_reason,
            fingerprint=self._fingerprint,
            headers=headers,
            line_events=self._endpoint.line_events,
            index_counts=self._index_counts,
        )

    def _take(self, data: bytes, name: bytes | None, now_ns: int) -> None:
        reading = self._endpoint.read(data, name, index_counts=self._index_counts)
        decoded = loads(data)
        chunk = decoded if isinstance(decoded, dict) else {}
        self._indices += _indices(chunk)
        if reading.error is not None and self.error is None:
            self.error = reading.error.message
        if not self._fingerprint:
            self._fingerprint = _fingerprint(chunk)
        bears_token = reading.bears_token and self._finish_reason is None
        gained = self._gained(reading, bears_token)
        if bears_token:
            self._chunks += 1
            if self._first_ns is None:
                self._first_ns = now_ns
            if gained is not None and gained > 0:
                self._chunk_tokens.append(gained)
        self._finish_reason = reading.finish_reason or self._finish_reason
        self.done = self.done or reading.done
        if reading.done:
            self._over_ns = now_ns + int(AFTER_DONE_S * 1e9)
        elif (reading.finish_reason or reading.error is not None) and self._over_ns is None:
            self._over_ns = now_ns + int(AFTER_FINISH_S * 1e9)

    def _otherwise(self) -> StreamReader | None:
        """A reader of the same stream that takes it as odd servers mean it; None for nearly all."""
        line_events, index_counts = self._endpoint.line_events, self._index_counts
        counting = len(self._indices) > 2 and self._indices == list(range(len(self._indices)))
        if counting and not index_counts:
            index_counts = True
        elif self._endpoint.framing is SSE and not self._chunks and not line_events and self.error is None:
            line_events = True
        else:
            return None
        reader = StreamReader(replace(self._endpoint, line_events=line_events), self._began_ns, index_counts)
        for t_ns, piece in self._pieces:
            reader.feed(piece, t_ns)
        return reader

    def _gained(self, reading: EventContent, bears_token: bool) -> int | None:
        """Tokens that this event bore; what usage grew by without text belongs to the next that has some."""
        gained = None
        text = bears_token and reading.finish_reason is None
        self._texts += text
        if reading.usage is not None:
            self._usage = merged(self._usage, reading.usage)
            counted = reading.usage.completion_tokens or 0
            self._grown += text and counted > self._counted
            if bears_token and counted:
                gained = counted - self._counted
                self._counted = counted
        if reading.tokens is not None:
            self._token_ids = True
            gained = reading.tokens
        return gained


def _indices(chunk: dict[str, Any]) -> list[int]:
    """Of the choices of an event that bear something."""
    choices = chunk.get("choices")
    indices = []
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and type(choice.get("index")) is int:
            delta = choice.get("delta")
            if choice.get("text") or (isinstance(delta, dict) and delta.get("content")):
                indices.append(choice["index"])
    return indices


def _fingerprint(chunk: dict[str, Any]) -> str:
    found = chunk.get("system_fingerprint")
    return printable(found, 80) if isinstance(found, str) else ""
