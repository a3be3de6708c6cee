"""One request under way: from the bytes of its response to a `Request` record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from loadgen.endpoints import OK_FINISH, Endpoint, EventContent, Usage
from loadgen.endpoints.event import DONE, usage_of
from loadgen.endpoints.sse import Event, SseLimitError
from loadgen.endpoints.token_event import (
    CountedTokenEvent,
    content_of,
    no_token_events,
    one_token_each,
    texts_of,
    token_events,
)
from loadgen.errors import printable
from loadgen.records import Request, RequestError
from loadgen.target.redaction import Redactor
from loadgen.transport.connection import Connection
from loadgen.transport.http1 import Headers, value_of
from loadgen.worker.batch_decode import TOKEN_END
from loadgen.worker.counters import Counters
from loadgen.worker.outcome import count_tokens, knows_itl, outcome_of
from loadgen.worker.token_times import TokenTimes, flag

BODY_BYTES_MAX = 64 << 20
_ERROR_BODY_BYTES = 4096


def nothing_is_opening() -> None:
    """Gives up nothing: the request has a connection, or waits for none."""


class RequestOwner(Protocol):
    """Whoever sent the request off hears how it ended."""

    def on_finished(self, request: InFlightRequest) -> None:
        """The record is complete."""

    def on_stale(self, request: InFlightRequest) -> None:
        """A kept-alive connection died with no response byte: it may be sent once more."""


class InFlightRequest:
    """Times and tokens of one request. It is the `Exchange` of the connection that carries it."""

    __slots__ = (
        "_body_bytes",
        "_bytes_of_error",
        "_chunk_counts",
        "_counters",
        "_endpoint",
        "_event_stream",
        "_failure",
        "_over",
        "_owner",
        "_redactor",
        "_sse",
        "_texts",
        "_token_end",
        "_token_times",
        "connection",
        "give_up_opening",
        "heard_ns",
        "payload",
        "record",
        "token_end",
        "waited_for_cap",
    )

    def __init__(
        self,
        record: Request,
        payload: bytes,
        endpoint: Endpoint,
        counters: Counters,
        owner: RequestOwner,
        *,
        redactor: Redactor,
        chunk_counts: bool,
        one_token_chunks: bool,
        needs_text: bool,
        waited_for_cap: bool,
    ) -> None:
        """`redactor` hides our key in what the server says; `needs_text`: the answer's text is kept."""
        self._redactor = redactor
        self.record, self.payload = record, payload
        self._endpoint, self._counters, self._owner = endpoint, counters, owner
        self._token_end = b"" if endpoint.token_event is no_token_events else TOKEN_END
        self._chunk_counts = chunk_counts
        self._token_times = TokenTimes(record, counters, one_token_chunks)
        self.waited_for_cap = waited_for_cap
        self.connection: Connection | None = None
        self.give_up_opening: Callable[[], None] = nothing_is_opening
        self._over = False
        self._texts: list[str] | None = [] if needs_text else None
        """What was answered so far; None where nobody needs it."""
        self._start_over()

    def _start_over(self) -> None:
        self._sse = self._endpoint.parser()
        self._body_bytes = self.heard_ns = 0
        self._bytes_of_error = b""
        self._event_stream = False
        self._failure: RequestError | None = None
        self.token_end = b""

    @property
    def text(self) -> str:
        """What was answered so far, without reasoning; empty where the text is not needed."""
        return "".join(self._texts or ())

    # what the connection tells

    def on_sent(self, t_ns: int) -> None:
        self.record.sent_ns = t_ns
        if not self.waited_for_cap and not self.record.stale_retries:
            self._counters.send_lag.add(t_ns - self.record.due_ns)

    def on_headers(self, t_ns: int, status: int, headers: Headers) -> None:
        self.record.headers_ns, self.record.status = t_ns, status
        content_type = value_of(headers, b"content-type").decode("latin-1")
        self._event_stream = 200 <= status < 300 and self._endpoint.framing.is_named_by(content_type)
        packing = (value_of(headers, b"content-encoding") or b"identity").lower()
        if self._event_stream and packing != b"identity":
            # Asked for as it is; unpacking would also cost each token its own time.
            self._event_stream = False
            self._failure = RequestError(
                "not_sse", self._shown(f"content-encoding is {packing.decode('latin-1')}, asked for identity")
            )

    def on_body(self, t_ns: int, data: bytes, by_kernel: bool) -> None:
        self._body_bytes += len(data)
        if self._body_bytes > BODY_BYTES_MAX:
            self._give_up(t_ns, "body_too_large", f"more than {BODY_BYTES_MAX} bytes")
            return
        if not self._event_stream:
            self._bytes_of_error = (self._bytes_of_error + data)[:_ERROR_BODY_BYTES]
            return
        if b"\n" in data:
            # A line, be it a comment: the server is alive. A drip that makes no line proves nothing.
            self.heard_ns = t_ns
        try:
            token_event_count = self._read(t_ns, data)
        except SseLimitError as error:
            self._give_up(t_ns, "body_too_large", str(error))
            return
        if token_event_count:
            counters = self._counters
            counters.reads += 1
            counters.kernel_reads += by_kernel
            counters.coalesced_reads += token_event_count > 1
        self.token_end = self._token_end if self._sse.at_rest and self._token_times.under_way else b""

    def on_token_events(self, events: list[Any], times_ns: list[int], size: int) -> None:
        self._body_bytes += size
        token_event_count = len(times_ns)
        if self._texts is not None:
            self._texts += texts_of(events)
        if not self._chunk_counts:
            self._token_times.add_separate(times_ns, None)
        elif one_token_each(events, self._token_times.counted):
            self._on_usages(events)
            self._token_times.add_separate(times_ns, 1)
        else:
            each = zip(events, times_ns, strict=True)
            token_event_count = sum(self._on_content(content_of(event), t_ns) for event, t_ns in each)
        self._counters.reads += token_event_count
        self._counters.kernel_reads += token_event_count
        if self._body_bytes > BODY_BYTES_MAX:
            self._give_up(times_ns[-1], "body_too_large", f"more than {BODY_BYTES_MAX} bytes")

    def on_end(self, t_ns: int) -> None:
        if self._event_stream and (events := self._sse.close()):
            if any(event.unterminated for event in events):
                flag(self.record, "unterminated_event")
            self._counters.reads += self._on_events(events, t_ns) > 0
        self._finish(t_ns, self._outcome())

    def on_fail(self, t_ns: int, kind: str, message: str, *, answered: bool, reused: bool) -> None:
        if reused and not answered and kind == "cut_mid_stream" and not self.record.stale_retries:
            self.record.stale_retries = 1
            self._start_over()
            self._owner.on_stale(self)
            return
        if kind == "cut_mid_stream" and self._token_times.done and self._outcome() is None:
            # Everything was said before the connection went: only HTTP's own ending is missing.
            flag(self.record, "cut_after_done")
            self._finish(t_ns, None)
            return
        self._finish(t_ns, self._failure or RequestError(kind, self._shown(message)))

    # what happens to it

    def fail(self, t_ns: int, kind: str, message: str = "") -> None:
        """Gives the request up."""
        if self.connection is not None:
            self.connection.flush()
        if not self._over:
            self._give_up(t_ns, kind, message)

    def _give_up(self, t_ns: int, kind: str, message: str) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abandon()
        self._finish(t_ns, self._failure or RequestError(kind, self._shown(message)))

    # reading

    def _read(self, t_ns: int, data: bytes) -> int:
        """Takes in what one read of the event stream brought; returns how many events bore tokens.

        Raises:
            SseLimitError: a line or an event is longer than the limit.
        """
        token_event_count, begin, sse = 0, 0, self._sse
        if not sse.at_rest:
            # The first event of a stream, or the rest of one: whole events may follow it.
            cut = data.find(b"\n\n") + 2
            if 2 <= cut < len(data):
                token_event_count, begin = self._on_events(sse.feed(data[:cut]), t_ns), cut
        if sse.at_rest:
            taken, begin = self._on_plain_token_events(t_ns, data, begin)
            token_event_count += taken
            if begin == len(data):
                return token_event_count
        return token_event_count + self._on_events(sse.feed(data[begin:]), t_ns)

    def _on_plain_token_events(self, t_ns: int, data: bytes, begin: int) -> tuple[int, int]:
        """Takes in the token events in `data` from `begin` on: how many, and where they end."""
        if self._chunk_counts:
            counted, end = token_events(self._endpoint.counted_token_event, data, begin)
            if not one_token_each(counted, self._token_times.counted):
                return 0, begin
            if self._texts is not None:
                self._texts += texts_of(counted)
            self._on_usages(counted)
            return self._token_times.add_coalesced(t_ns, len(counted), 1, False), end
        events, end = token_events(self._endpoint.token_event, data, begin)
        if self._texts is not None:
            self._texts += texts_of(events)
        return (self._token_times.add_coalesced(t_ns, len(events), None, False) if events else 0), end

    def _on_events(self, events: list[Event], t_ns: int) -> int:
        """Takes events in one by one; returns how many bore tokens."""
        record = self.record
        if events and record.first_event_ns is None:
            record.first_event_ns = t_ns
        token_event_count = 0
        for event in events:
            content = self._endpoint.read(event.data, event.name)
            if content.error is not None or content.finish_reason not in (None, *OK_FINISH):
                content = self._without_key(content, event)
            token_event_count += self._on_content(content, t_ns)
            if self._texts is not None and content.bears_token:
                self._texts.append(self._endpoint.text(event.data))
        return token_event_count

    def _without_key(self, content: EventContent, event: Event) -> EventContent:
        """`content` with our key hidden in the server's words, which was done before they were cut."""
        hidden = self._endpoint.read(self._redactor.data(event.data), event.name)
        error, reason = content.error, content.finish_reason
        if error is not None:
            message = hidden.error.message if hidden.error is not None else self._shown(error.message)
            error = RequestError(error.kind, message)
        if reason is not None:
            reason = hidden.finish_reason or self._shown(reason)
        return msgspec.structs.replace(content, error=error, finish_reason=reason)

    def _on_usages(self, events: list[CountedTokenEvent[Any]]) -> None:
        for event in events:
            if (usage := usage_of(event.usage)) is not None:
                self._on_usage(usage)

    def _on_usage(self, usage: Usage) -> None:
        if usage.prompt_tokens is not None:
            self.record.input_tokens = usage.prompt_tokens
        if usage.cached_tokens is not None:
            self.record.cached_tokens = usage.cached_tokens
        if usage.completion_tokens is not None:
            self.record.output_tokens = usage.completion_tokens

    def _on_content(self, content: EventContent, t_ns: int) -> int:
        """Takes one event in; returns 1 if it bore tokens, else 0."""
        if content is DONE:
            self._token_times.done = True
            return 0
        taken = self._on_said(content, t_ns)
        if content.done:
            # Of a protocol in which the last event says more than that.
            self._token_times.done = True
        return taken

    def _on_said(self, content: EventContent, t_ns: int) -> int:
        if content.error is not None:
            self._failure = self._failure or content.error
            return 0
        for name in content.flags:
            flag(self.record, name)
        tokens = content.tokens
        if (usage := content.usage) is not None:
            self._on_usage(usage)
            if self._chunk_counts and tokens is None and usage.completion_tokens is not None:
                tokens = max(0, usage.completion_tokens - self._token_times.counted)
        if content.finish_reason is not None:
            self.record.finish_reason = content.finish_reason
        # A chunk may hold a token whose text is not complete yet: the count knows it, the text does not.
        if not content.bears_token and not (self._chunk_counts and tokens):
            return 0
        return self._token_times.add_coalesced(
            t_ns, 1, tokens if self._chunk_counts else None, content.reasoning
        )

    # the end

    def _outcome(self) -> RequestError | None:
        if self._failure is not None:
            return self._failure
        body = self._redactor.data(self._bytes_of_error)
        return outcome_of(
            self.record, self._event_stream, body, self._token_times.done, self._endpoint.bears_tokens
        )

    def _shown(self, text: str) -> str:
        """The server's words, safe to keep and to print."""
        return printable(self._redactor.text(text))

    def _finish(self, t_ns: int, error: RequestError | None) -> None:
        record, self._over = self.record, True
        record.end_ns, record.error = t_ns, error
        count_tokens(record)
        if error is None:
            self._counters.succeeded += 1
            self._counters.input_tokens += record.input_tokens or 0
            self._counters.itl_unknown += not knows_itl(record)
            # Where no tokens come the whole answer is what was waited for (`sessions.metrics.e2e`).
            last_ns = t_ns if record.last_token_ns is None else record.last_token_ns
            self._counters.e2e.add(last_ns - record.due_ns)
        else:
            self._counters.fail(error.kind)
        self.connection = None
        self._owner.on_finished(self)
