"""Server-sent events as a sans-IO parser over bytes (WHATWG HTML, section 9.2).

Fed with whatever a socket gave, it returns the events that became complete. It reads no clock: events
of one `feed` share the time of that read. Data stay bytes, so invalid UTF-8 is the consumer's to judge.

Where servers differ from the standard, it follows what they mean:
- an event without data is not given, be it `event: ping` or a bare `data:`;
- at the end of the stream a pending `[DONE]` or complete JSON is given, marked `unterminated`;
- a line `error: ...` (llama.cpp until 2025) is given as an event named `error`;
- with `line_events`, for servers that were seen to send no blank lines, each line of data is an event.
"""

from __future__ import annotations

import msgspec

from loadgen.endpoints.event import loads

MAX_EVENT_BYTES = 4 << 20
"""Longest line, and most data of one event, that is kept in memory."""

_BOM = b"\xef\xbb\xbf"
LITTLE_BYTES = 64 << 10
"""A stream that has no more than this begun is never the one that is given up for what others hold."""
MAX_HELD_BYTES = 128 << 20
"""Of what all streams of a process have begun. The longest line that a server was seen to send is the ids of
a prompt (a megabyte for 128k tokens) and is held while it arrives: a hundred of these at once fit in."""
_FEW_BYTES = 4 << 10
"""Less is not counted: it is what most reads leave that end inside an event."""


class SseLimitError(Exception):
    """A line or an event grew beyond the limit. The parser is of no further use."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event. `name` is None unless the server named it."""

    data: bytes
    name: bytes | None = None
    unterminated: bool = False
    """The stream ended before the blank line that should have closed this event."""


class HeldBytes:
    """What the parsers that share it hold of lines and events without an end."""

    __slots__ = ("held", "most")

    def __init__(self, most: int = MAX_HELD_BYTES) -> None:
        self.held, self.most = 0, most


class SseParser:
    """`feed` bytes, get events; `close` at the end of the stream. Time is linear in the bytes fed."""

    __slots__ = (
        "_after_cr",
        "_all",
        "_held",
        "_line_events",
        "_lines",
        "_lines_size",
        "_max",
        "_name",
        "_pending",
        "_start",
        "_tail",
        "at_rest",
    )

    def __init__(
        self,
        max_event_bytes: int = MAX_EVENT_BYTES,
        line_events: bool = False,
        held: HeldBytes | None = None,
    ) -> None:
        """`held` counts what this one holds and others do; who gives it up before its end calls `release`."""
        self._max, self._line_events = max_event_bytes, line_events
        self._all = HeldBytes() if held is None else held
        self._held = 0
        self._tail = bytearray()  # the line that has no end yet, however small its pieces
        self._lines: list[bytes] = []  # `data` values of the event that has no blank line yet
        self._lines_size = 0
        self._name: bytes | None = None
        self._after_cr = False  # the last byte was CR: a LF that comes next belongs to it
        self._start = True  # no line was read yet: one byte order mark may stand before it
        self._pending = False  # anything above is not at rest
        self.at_rest = False
        """A line has come and no event has begun: the next bytes start an event of their own."""

    def feed(self, data: bytes) -> list[Event]:
        """The events completed by `data`.

        Raises:
            SseLimitError: a line or an event is longer than the limit, or long while all hold too much.
        """
        if (
            not self._pending
            and data.startswith(b"data: ")
            and data.endswith(b"\n\n")
            and b"\r" not in data
            and len(data) <= self._max
        ):
            events = []
            for block in data[:-2].split(b"\n\n"):
                if not block.startswith(b"data: ") or b"\n" in block:
                    break
                if len(block) > 6:
                    events.append(Event(block[6:]))
            else:
                self._start = False
                self.at_rest = True
                return events
        return self._feed_any(data)

    def close(self) -> list[Event]:
        """What the end of the stream completes: at most one event, marked `unterminated`."""
        events: list[Event] = []
        line = bytes(self._tail)
        self._tail.clear()
        if line:
            self._line(line, events)
        events = [Event(event.data, event.name, unterminated=True) for event in events]
        body = b"\n".join(self._lines)
        if body and (body.strip() == b"[DONE]" or loads(body) is not None):
            events.append(Event(body, self._name, unterminated=True))
        self.release()
        return events

    def release(self) -> None:
        """Forgets what has begun."""
        self._all.held -= self._held
        self._held = self._lines_size = 0
        self._tail, self._lines, self._name, self._pending = bytearray(), [], None, False

    def _feed_any(self, data: bytes) -> list[Event]:
        if not data:
            return []
        if self._after_cr:
            self._after_cr = False
            if data[0] == 0x0A:
                data = data[1:]
        if b"\r" in data:
            self._after_cr = data[-1] == 0x0D
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events: list[Event] = []
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines:
            if self._tail:
                self._tail += lines[0]
                lines[0] = bytes(self._tail)
                self._tail = bytearray()
            for line in lines:
                self._line(line, events)
        if rest:
            self._tail += rest
            if len(self._tail) > self._max:
                raise SseLimitError(f"a line of the event stream is longer than {self._max} bytes")
        self._pending = bool(self._tail or self._lines) or self._name is not None or self._after_cr
        self.at_rest = not self._pending and not self._start
        if (
            self._held
            or len(self._tail) + self._lines_size > _FEW_BYTES
            or (self._name is not None and len(self._name) > _FEW_BYTES)
        ):
            self._count()
        return events

    def _count(self) -> None:
        # A small object costs more than what it holds.
        held = len(self._tail) + self._lines_size + 40 * len(self._lines) + len(self._name or b"")
        self._all.held += held - self._held
        self._held = held
        if self._all.held > self._all.most and held > LITTLE_BYTES:
            raise SseLimitError(
                "a line or an event of the stream is long, and those of all streams together hold more than "
                f"{self._all.most >> 20} MiB"
            )

    def _line(self, line: bytes, events: list[Event]) -> None:
        if self._start:
            self._start = False
            line = line.removeprefix(_BOM)
        if not line:
            if self._lines:
                body = self._lines[0] if len(self._lines) == 1 else b"\n".join(self._lines)
                if body:
                    events.append(Event(body, self._name))
                self._lines, self._lines_size = [], 0
            self._name = None
            return
        if len(line) > self._max:
            raise SseLimitError(f"a line of the event stream is longer than {self._max} bytes")
        field, _, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if field == b"data" and self._line_events:
            if value:
                events.append(Event(value, self._name))
        elif field == b"data":
            self._lines.append(value)
            self._lines_size += len(value) + 1
            if self._lines_size > self._max:
                raise SseLimitError(f"an event of the stream is longer than {self._max} bytes")
        elif field == b"event":
            self._name = value or None
        elif field == b"error" and value:
            events.append(Event(value, b"error"))
