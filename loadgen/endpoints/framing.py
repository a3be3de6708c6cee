"""How the body of an answer is cut into events: one row a framing, whatever the events say.

Server-sent events (`loadgen.endpoints.sse`) are what nearly all protocols use. Ollama sends lines of JSON;
embeddings come as one JSON value, which is an event only once it is whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from loadgen.endpoints.sse import MAX_EVENT_BYTES, Event, SseLimitError, SseParser

MAX_WHOLE_BYTES = 16 << 20
"""Longest body that is kept until it is whole."""


class EventParser(Protocol):
    """Fed with bytes as they come, it gives the events that became complete."""

    at_rest: bool
    """The next bytes start an event of their own, of server-sent events: the fast path may look at them."""

    def feed(self, data: bytes) -> list[Event]:
        """The events completed by `data`.

        Raises:
            SseLimitError: a line, an event or the whole is longer than its limit.
        """

    def close(self) -> list[Event]:
        """What the end of the body completes."""


class LinesParser:
    """Newline-delimited JSON: each line that is not empty is an event. Time is linear in the bytes fed."""

    __slots__ = ("_max", "_size", "_tail", "at_rest")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max, self._size = max_event_bytes, 0
        self._tail: list[bytes] = []  # pieces of the line that has no end yet; joined once, when it ends
        self.at_rest = False

    def feed(self, data: bytes) -> list[Event]:
        *lines, rest = data.split(b"\n")
        if lines and self._tail:
            self._tail.append(lines[0])
            lines[0] = b"".join(self._tail)
            self._tail, self._size = [], 0
        if rest:
            self._tail.append(rest)
            self._size += len(rest)
        if self._size > self._max or any(len(line) > self._max for line in lines):
            raise SseLimitError(f"a line of the stream is longer than {self._max} bytes")
        return [Event(line) for line in map(bytes.strip, lines) if line]

    def close(self) -> list[Event]:
        """A last line without its end, where it is JSON that is whole; marked `unterminated`."""
        line = b"".join(self._tail).strip()
        self._tail = []
        return [Event(line, unterminated=True)] if line and _is_json(line) else []


class WholeParser:
    """A body that is one event, once it is there."""

    __slots__ = ("_max", "_pieces", "_size", "at_rest")

    def __init__(self, max_bytes: int = MAX_WHOLE_BYTES) -> None:
        self._max, self._size = max_bytes, 0
        self._pieces: list[bytes] = []
        self.at_rest = False

    def feed(self, data: bytes) -> list[Event]:
        self._pieces.append(data)
        self._size += len(data)
        if self._size > self._max:
            raise SseLimitError(f"the answer is longer than {self._max} bytes")
        return []

    def close(self) -> list[Event]:
        body = b"".join(self._pieces)
        self._pieces = []
        return [Event(body)] if body else []


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


@dataclass(frozen=True)
class Framing:
    """What an answer is called by `Content-Type`, and how it is cut."""

    name: str
    """For people: `no event stream`."""
    content_types: tuple[str, ...]
    """What one of them stands in is such an answer."""
    parser: Callable[[bool], EventParser]
    """A new one; told whether each line of data is an event of its own, which only server-sent events ask."""

    def is_named_by(self, content_type: str) -> bool:
        content_type = content_type.lower()
        return any(name in content_type for name in self.content_types)


SSE = Framing("event stream", ("text/event-stream",), lambda line_events: SseParser(line_events=line_events))
LINES = Framing("stream of JSON lines", ("ndjson", "jsonl", "json-seq"), lambda _: LinesParser())
WHOLE = Framing("JSON", ("json",), lambda _: WholeParser())
