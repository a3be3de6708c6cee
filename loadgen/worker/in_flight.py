"""One request under way: from the bytes of its response to a `Request` record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadgen.endpoints import OK_FINISH, Endpoint, EventContent, Usage
from loadgen.endpoints.event import DONE
from loadgen.endpoints.sse import Event, HeldBytes, SseLimitError
from loadgen.endpoints.token_event import (
    CountedTokenEvent,
    content_of,
    no_token_events,
    one_token_each,
    token_events,
)
from loadgen.records import Request, RequestError
from loadgen.target.redaction import Redactor
from loadgen.transport.connection import Connection
from loadgen.transport.http1 import Headers, value_of
from loadgen.worker.batch_decode import TOKEN_END
from loadgen.worker.counters import Counters
from loadgen.worker.outcome import outcome_of
from loadgen.worker.request_owner import RequestOwner
from loadgen.worker.server_words import shown, without_key
from loadgen.worker.shown_text import shown_text
from loadgen.worker.token_count import count_tokens, knows_itl, note_usage, note_usages
from loadgen.worker.token_times import TokenTimes, flag

BODY_BYTES_MAX = 64 << 20
_ERROR_BODY_BYTES = 4096


def nothing_is_opening() -> None:
    """Gives up nothing: the request has a connection, or waits for none."""


class InFlightRequest:
    """Times and tokens of one request. It is the `Exchange` of the connection that carries it."""

    # fmt: off
    __slots__ = (
        "_batch_end", "_body_bytes", "_bytes_of_error", "_chunk_counts", "_counters", "_endpoint",
        "_event_stream", "_failure", "_held", "_over", "_over_ns", "_owner", "_reasoning_tokens", "_redactor",
        "_shows_reasoning", "_sse", "_text", "_token_times", "connection", "give_up_opening", "heard_ns",
        "payload", "record", "token_end", "waited_for_cap",
    )
    # fmt: on

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
        held: HeldBytes | None = None,
        batched: bool = True,
    ) -> None:
        """`redactor` hides our key in what is said; `needs_text`: the answer's text is kept; `held` counts
        what the streams of all hold; `batched`: its tokens may be read with those of others."""
        self._redactor, self._held = redactor, HeldBytes() if held is None else held
        self.record, self.payload = record, payload
        self._endpoint, self._counters, self._owner = endpoint, counters, owner
        self._batch_end = TOKEN_END if batched and endpoint.token_event is not no_token_events else b""
        self._chunk_counts = chunk_counts
        self._token_times = TokenTimes(record, counters, one_token_chunks)
        self.waited_for_cap = waited_for_cap
        self.connection: Connection | None = None
        self.give_up_opening: Callable[[], None] = nothing_is_opening
        self._over = False
        measure = not chunk_counts and not one_token_chunks
        self._text = shown_text(endpoint, keep=needs_text, measure=measure)
        self._reasoning_tokens, self._shows_reasoning = 0, False
        self._start_over()

    def _start_over(self) -> None:
        self._sse = self._endpoint.parser(self._held)
        self._body_bytes = self.heard_ns = 0
        self._bytes_of_error = b""
        self._over_ns: int | None = None
        self._event_stream = False
        self._failure: RequestError | None = None
        self.token_end = b""

    @property
    def over_ns(self) -> int | None:
        """Since when the answer is over, though its stream may still be open; None while it is not."""
        if self._over_ns is None:
            return None
        # Tokens that came behind the finish reason put the end off, those behind `[DONE]` do not count.
        return max(self._over_ns, self.record.last_token_ns or 0)

    @property
    def done(self) -> bool:
        """`[DONE]` came."""
        return self._token_times.done

    @property
    def text(self) -> str:
        """What was answered so far, without reasoning; empty where the text is not needed."""
        return self._text.answer

    # what the connection tells

    def on_sent(self, t_ns: int) -> None:
        self.record.sent_ns = t_ns
        if not self.waited_for_cap and not self.record.stale_retries:
            self._counters.send_lag.add(t_ns - self.record.due_ns)

    def on_headers(self, t_ns: int, status: int, headers: Headers) -> None:
        self.record.headers_ns, self.record.status = t_ns, status
        content_type = value_of(headers, b"content-type")
        self._event_stream = 200 <= status < 300 and self._endpoint.framing.is_named_by(content_type)
        packing = (value_of(headers, b"content-encoding") or b"identity").lower()
        if self._event_stream and packing != b"identity":
            # Asked for as it is; unpacking would also cost each token its own time.
            self._event_stream = False
            self._failure = RequestError(
                "not_sse",
                shown(f"content-encoding is {packing.decode('latin-1')}, asked for identity", self._redactor),
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
        self.token_end = self._batch_end if self._sse.at_rest and self._token_times.under_way else b""

    def on_token_events(self, events: list[Any], times_ns: list[int], size: int) -> None:
        self._body_bytes += size
        token_event_count = len(times_ns)
        if self._text.wanted:
            self._text.add_token_events(events)
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
        self._take_last_event(t_ns)
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
        self._finish(t_ns, self._failure or RequestError(kind, shown(message, self._redactor)))

    # what happens to it

    def fail(self, t_ns: int, kind: str, message: str = "") -> None:
        """Gives the request up; one whose answer is over ends as that answer says."""
        if self.connection is not None:
            self.connection.flush()
        if self._over:
            return
        if self.over_ns is not None:
            self.end_left_open(self.over_ns)
        else:
            self._give_up(t_ns, kind, message)

    def end_left_open(self, over_ns: int) -> None:
        """Ends a request whose answer was over at `over_ns`, and closes its stream, which is still open."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abandon()
        self._take_last_event(over_ns)
        flag(self.record, "left_open")
        self._finish(over_ns, self._outcome())

    def _give_up(self, t_ns: int, kind: str, message: str) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abandon()
        self._finish(t_ns, self._failure or RequestError(kind, shown(message, self._redactor)))

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
        events: list[Any]
        if self._chunk_counts:
            counted, end = token_events(self._endpoint.counted_token_event, data, begin)
            if not one_token_each(counted, self._token_times.counted):
                return 0, begin
            self._on_usages(counted)
            taken, events = self._token_times.add_coalesced(t_ns, len(counted), 1, False), counted
        else:
            events, end = token_events(self._endpoint.token_event, data, begin)
            if not events:
                return 0, end
            taken = self._token_times.add_coalesced(t_ns, len(events), None, False)
        if taken and self._text.wanted:
            self._text.add_token_events(events)
        return taken, end

    def _on_events(self, events: list[Event], t_ns: int) -> int:
        """Takes events in one by one; returns how many bore tokens."""
        record = self.record
        if events and record.first_event_ns is None:
            record.first_event_ns = t_ns
        token_event_count = 0
        for event in events:
            content = self._endpoint.read(event.data, event.name)
            if content.error is not None or content.finish_reason not in (None, *OK_FINISH):
                content = without_key(content, event, self._endpoint, self._redactor)
            bore = self._on_content(content, t_ns)
            token_event_count += bore
            if bore and self._text.wanted:
                self._text.add_event(event.data)
        return token_event_count

    def _on_usages(self, events: list[CountedTokenEvent[Any]]) -> None:
        if note_usages(self.record, events):
            self._reasoning_tokens = 0

    def _on_usage(self, usage: Usage) -> None:
        note_usage(self.record, usage)
        if usage.reasoning_tokens is not None:
            self._reasoning_tokens = usage.reasoning_tokens

    def _on_content(self, content: EventContent, t_ns: int) -> int:
        """Takes one event in; returns 1 if it bore tokens, else 0."""
        # In some protocols the last event says more than that it is the last.
        bore = 0 if content is DONE else self._on_said(content, t_ns)
        if content.done:
            self._over_ns = self._over_ns if self._token_times.done else t_ns
            self._token_times.end()
        return bore

    def _on_said(self, content: EventContent, t_ns: int) -> int:
        if content.error is not None:
            self._failure = self._failure or content.error
            self._over_ns = self._over_ns or t_ns
            return 0
        for name in content.flags:
            flag(self.record, name)
        tokens = content.tokens
        if (usage := content.usage) is not None:
            self._on_usage(usage)
            if self._chunk_counts and tokens is None and usage.completion_tokens:
                tokens = max(0, usage.completion_tokens - self._token_times.counted)
        bore = 0
        if content.bears_token:
            self._shows_reasoning |= content.shows_reasoning
            bore = self._token_times.add_coalesced(
                t_ns, 1, tokens if self._chunk_counts else None, content.reasoning
            )
        if content.finish_reason is not None:
            self.record.finish_reason = content.finish_reason
            self._over_ns = self._over_ns or t_ns
            self._token_times.finish()
        elif self._over_ns is not None and "extra_choices" in content.flags and not self._token_times.done:
            self._over_ns = t_ns  # none of ours, but the server is at work on them
        return bore

    # the end

    def _take_last_event(self, t_ns: int) -> None:
        """Takes in an event that nothing follows, not even the blank line that ends it."""
        if self._event_stream and (events := self._sse.close()):
            if any(event.unterminated for event in events):
                flag(self.record, "unterminated_event")
            self._counters.reads += self._on_events(events, t_ns) > 0

    def _outcome(self) -> RequestError | None:
        if self._failure is not None:
            return self._failure
        body = self._redactor.data(self._bytes_of_error)
        return outcome_of(
            self.record, self._event_stream, body, self._token_times.done, self._endpoint.bears_tokens
        )

    def _finish(self, t_ns: int, error: RequestError | None) -> None:
        self._sse.release()
        record, self._over = self.record, True
        record.end_ns, record.error = t_ns, error
        count_tokens(record, 0 if self._shows_reasoning else self._reasoning_tokens, self._text.size)
        if error is None:
            self._counters.succeeded += 1
            self._counters.input_tokens += record.input_tokens or 0
            self._counters.itl_unknown += not knows_itl(record)
            # Where no tokens come the whole answer is what was waited for (`sessions.metrics.e2e`).
            last_ns = t_ns if record.last_token_ns is None else record.last_token_ns
            self._counters.e2e.add(last_ns - record.due_ns)
        elif error.kind == "unfinished":
            self._counters.cut_off += 1
        else:
            self._counters.fail(error.kind, error.message)
        self.connection = None
        self._owner.on_finished(self)
