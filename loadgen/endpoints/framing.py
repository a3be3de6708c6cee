"""How the body of an answer is cut into events: one row a framing, whatever the events say.

Server-sent events (`loadgen.endpoints.sse`) are what nearly all protocols use. Ollama sends lines of JSON;
embeddings come as one JSON value, which is an event only once it is whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from loadgen.endpoints.sse import LITTLE_BYTES, MAX_EVENT_BYTES, Event, HeldBytes, SseLimitError, SseParser

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

    def release(self) -> None:
        """Forgets what has no end, which nobody waits for any more."""


class LinesParser:
    """Newline-delimited JSON: each line that is not empty is an event. Time is linear in the bytes fed."""

    __slots__ = ("_all", "_max", "_tail", "at_rest")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES, held: HeldBytes | None = None) -> None:
        """`held` as in `SseParser`."""
        self._max, self._all = max_event_bytes, HeldBytes() if held is None else held
        self._tail = bytearray()  # the line that has no end yet, however small its pieces
        self.at_rest = False

    def feed(self, data: bytes) -> list[Event]:
        *lines, rest = data.split(b"\n")
        if lines and self._tail:
            lines[0] = bytes(self._tail) + lines[0]
            self.release()
        self._tail += rest
        hold(self._all, len(rest), len(self._tail))
        if len(self._tail) > self._max or any(len(line) > self._max for line in lines):
            raise SseLimitError(f"a line of the stream is longer than {self._max} bytes")
        return [Event(line) for line in map(bytes.strip, lines) if line]

    def close(self) -> list[Event]:
        """A last line without its end, where it is JSON that is whole; marked `unterminated`."""
        line = bytes(self._tail).strip()
        self.release()
        return [Event(line, unterminated=True)] if line and _is_json(line) else []

    def release(self) -> None:
        """Forgets the line that has no end."""
        self._all.held -= len(self._tail)
        self._tail.clear()


class WholeParser:
    """A body that is one event, once it is there."""

    __slots__ = ("_all", "_body", "_max", "at_rest")

    def __init__(self, max_bytes: int = MAX_WHOLE_BYTES, held: HeldBytes | None = None) -> None:
        """`held` as in `SseParser`."""
        self._max, self._all = max_bytes, HeldBytes() if held is None else held
        self._body = bytearray()
        self.at_rest = False

    def feed(self, data: bytes) -> list[Event]:
        self._body += data
        hold(self._all, len(data), len(self._body))
        if len(self._body) > self._max:
            raise SseLimitError(f"the answer is longer than {self._max} bytes")
        return []

    def close(self) -> list[Event]:
        body = bytes(self._body)
        self.release()
        return [Event(body)] if body else []

    def release(self) -> None:
        """Forgets what has come."""
        self._all.held -= len(self._body)
        self._body.clear()


def hold(held: HeldBytes, more: int, own: int) -> None:
    """Counts `more` bytes that a parser holds, `own` in all.

    Raises:
        SseLimitError: all parsers together hold too much, and this one more than a little.
    """
    held.held += more
    if held.held > held.most and own > LITTLE_BYTES:
        raise SseLimitError(f"all answers that have begun hold more than {held.most >> 20} MiB")


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
    usual_types: tuple[bytes, ...]
    """Whole values that are compared first: one of them stands in nearly every answer."""
    parser: Callable[[bool, HeldBytes | None], EventParser]
    """A new one; told whether each line of data is an event of its own, which only server-sent events ask,
    and what counts the bytes that all parsers hold."""

    def is_named_by(self, content_type: bytes) -> bool:
        if content_type in self.usual_types:
            return True
        told = content_type.decode("latin-1").lower()
        return any(name in told for name in self.content_types)


SSE = Framing(
    "event stream",
    ("text/event-stream",),
    (b"text/event-stream; charset=utf-8", b"text/event-stream"),
    lambda line_events, held: SseParser(line_events=line_events, held=held),
)
LINES = Framing(
    "stream of JSON lines",
    ("ndjson", "jsonl", "json-seq"),
    (b"application/x-ndjson",),
    lambda _, held: LinesParser(held=held),
)
WHOLE = Framing("JSON", ("json",), (b"application/json",), lambda _, held: WholeParser(held=held))
