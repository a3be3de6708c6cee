"""What a stream of server-sent events says, read by plain rules and nothing of ours: what `loadgen` is held to.

Slow and simple on purpose: byte by byte, then line by line, then event by event, with `json` alone. Where it and
`loadgen` differ, one of the two is wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

GOOD_ENDS = {"stop", "length", "tool_calls", "content_filter", "function_call", "eos_token"}
BUSY = {"429", "503", "overloaded", "rate_limit_exceeded", "too_many_requests"}
TEXT = {
    "completions": ("text",),
    "chat": ("content", "reasoning", "reasoning_content", "refusal", "tool_calls", "function_call"),
}
MOST = 1_000_000_000


@dataclass
class How:
    """What was known of the server beforehand."""

    endpoint: str = "chat"
    chunk_counts: bool = False
    one_token_chunks: bool = True
    line_events: bool = False
    index_counts: bool = False


@dataclass
class Reading:
    """What a request of this answer must be recorded as."""

    chunks: list[tuple[int, int | None]] = field(default_factory=list)
    """When each chunk with tokens came, and how many it bore; None where nobody says."""
    first_event_ns: int | None = None
    first_answer_ns: int | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    hidden_tokens: int | None = 0
    source: str = "usage"
    each: list[int] = field(default_factory=list)
    finish_reason: str | None = None
    error: str | None = None
    live_tokens: int = 0


def read(reads: list[tuple[int, bytes]], end_ns: int, how: How) -> Reading:
    """The reading of a body that came in these pieces, and ended well at `end_ns`."""
    return _Reader(how).read(events(reads, end_ns, how.line_events))


# the event stream


def lines(reads: list[tuple[int, bytes]]) -> tuple[list[tuple[int, bytes]], bytes]:
    """Each line with the time of the read that brought its end, and what is left without one.

    A line ends with CR, with LF, or with CR and LF; the LF after a CR says nothing more.
    """
    found: list[tuple[int, bytes]] = []
    line, after_cr = b"", False
    for t_ns, data in reads:
        for value in data:
            byte = bytes([value])
            if byte == b"\n" and after_cr:
                after_cr = False
                continue
            after_cr = byte == b"\r"
            if byte in (b"\r", b"\n"):
                found.append((t_ns, line))
                line = b""
            else:
                line += byte
    return found, line


def events(
    reads: list[tuple[int, bytes]], end_ns: int, line_events: bool
) -> list[tuple[int, bytes, bytes | None]]:
    """Time, data and name of each event."""
    whole, rest = lines(reads)
    if rest:
        whole.append((end_ns, rest))
    found: list[tuple[int, bytes, bytes | None]] = []
    data: list[bytes] = []
    name: bytes | None = None
    for number, (t_ns, line) in enumerate(whole):
        if number == 0 and line.startswith(b"\xef\xbb\xbf"):
            line = line[3:]
        if not line:
            if b"\n".join(data):
                found.append((t_ns, b"\n".join(data), name))
            data, name = [], None
            continue
        key, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if key == b"data" and line_events:
            if value:
                found.append((t_ns, value, name))
        elif key == b"data":
            data.append(value)
        elif key == b"event":
            name = value or None
        elif key == b"error" and value:  # llama.cpp's errors
            found.append((t_ns, value, b"error"))
    left = b"\n".join(data)
    if left.strip() == b"[DONE]" or decoded(left) is not None:  # the blank line after it is missing
        found.append((end_ns, left, name))
    return found


def decoded(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8", "replace"), strict=False, parse_int=_integer)
    except ValueError:
        return None


def _integer(digits: str) -> float:
    """No server means a number of more than 20 digits, and to read one of a million takes a minute."""
    return float("inf") if len(digits) > 20 else int(digits)


# the events


def count(value: object) -> int | None:
    """A number of tokens; None where there is none, or where it makes no sense."""
    return value if type(value) is int and 0 <= value <= MOST else None


def text_in(value: object) -> bool:
    """A text, or a list of parts of which one has some."""
    if isinstance(value, list):
        parts = [
            part.get("text") or part.get("thinking") if isinstance(part, dict) else part for part in value
        ]
        return any(text_in(part) for part in parts)
    return isinstance(value, str) and value != ""


def strings(value: object) -> list[str]:
    """All texts anywhere in it."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in strings(inner)]
    return [value] if isinstance(value, str) else []


def failure(event: dict[str, Any]) -> str | None:
    """The kind of failure that an event reports."""
    error, told = event.get("error"), event
    if not error:
        if event.get("choices") is not None:
            return None
        if event.get("object") == "error" or "detail" in event:
            error = event
        elif event.get("errors"):
            several = event["errors"]
            error = several[0] if isinstance(several, list) else several
        elif not isinstance(error, (dict, list)):
            return None
    signs = [told.get("error_type")]
    if isinstance(error, dict):
        signs += [error.get(key) for key in ("type", "code", "http_status_code", "status")]
    busy = any(str(sign).lower() in BUSY for sign in signs if isinstance(sign, (str, int)))
    return "rejected" if busy else "server_stream_error"


class _Reader:
    def __init__(self, how: How) -> None:
        self.how, self.reading = how, Reading()
        self.over = self.done = False
        self.others = self.late = self.shows_reasoning = False
        self.counted = self.reasoning = self.text_bytes = 0

    def read(self, stream: list[tuple[int, bytes, bytes | None]]) -> Reading:
        for t_ns, data, name in stream:
            if self.reading.first_event_ns is None:
                self.reading.first_event_ns = t_ns
            self.take(t_ns, data, name)
        self.sum_up()
        self.judge()
        return self.reading

    def take(self, t_ns: int, data: bytes, name: bytes | None) -> None:
        reading = self.reading
        if name == b"error":
            event = decoded(data)
            kind = failure(event) if isinstance(event, dict) else None
            if kind is None:
                busy = isinstance(event, dict) and str(event.get("code")) in BUSY
                kind = "rejected" if busy else "server_stream_error"
            reading.error = reading.error or kind
            return
        if name not in (None, b"message"):
            return
        if data.strip() == b"[DONE]":
            self.over = self.done = True
            return
        event = decoded(data)
        if not isinstance(event, dict):
            return
        found = event.get("choices")
        choices = [choice for choice in found if isinstance(choice, dict)] if isinstance(found, list) else []
        ours = [choice for choice in choices if self.how.index_counts or not choice.get("index")]
        reasons = [choice.get("finish_reason") for choice in ours]
        reason = next((reason for reason in reversed(reasons) if isinstance(reason, str) and reason), None)
        kind = failure(event) or {"abort": "aborted", "error": "server_stream_error"}.get(reason or "")
        if kind is not None:  # and says nothing else
            reading.error = reading.error or kind
            return
        self.others |= len(ours) < len(choices)
        tokens = self.usage(event, ours)
        self.tokens(t_ns, event, ours, tokens)
        if reason is not None:
            reading.finish_reason, self.over = reason, True

    def usage(self, event: dict[str, Any], ours: list[dict[str, Any]]) -> int | None:
        """Takes in what it counts; returns the tokens counted so far."""
        places = [event.get("usage"), *(choice.get("usage") for choice in ours)]
        usage = next((usage for usage in places if usage is not None), None)
        if not isinstance(usage, dict):
            return None
        reading = self.reading
        of_input, of_output = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
        prompt, completion = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
        cached = count(of_input.get("cached_tokens")) if isinstance(of_input, dict) else None
        reasoning = count(of_output.get("reasoning_tokens")) if isinstance(of_output, dict) else None
        if reasoning is None:
            reasoning = count(usage.get("reasoning_tokens"))
        total = usage.get("total_tokens")
        if reasoning and type(total) is int and total == (prompt or 0) + (completion or 0) + reasoning:
            reasoning = 0  # it comes on top
        reading.input_tokens = prompt or reading.input_tokens
        reading.cached_tokens = reading.cached_tokens if cached is None else cached
        reading.output_tokens = completion or reading.output_tokens
        self.reasoning = self.reasoning if reasoning is None else reasoning
        return completion or None

    def tokens(
        self, t_ns: int, event: dict[str, Any], ours: list[dict[str, Any]], so_far: int | None
    ) -> None:
        answer = thought = False
        ids = 0
        for choice in ours:
            shown = choice if self.how.endpoint == "completions" else choice.get("delta")
            shown = shown if isinstance(shown, dict) else {}
            if self.how.endpoint == "completions":
                answer |= text_in(shown.get("text"))
            else:
                calls = shown.get("tool_calls")
                functions = [call.get("function") for call in calls or () if isinstance(call, dict)]
                functions.append(shown.get("function_call"))
                called = any(
                    text_in(function.get("name")) or text_in(function.get("arguments"))
                    for function in functions
                    if isinstance(function, dict)
                )
                answer |= text_in(shown.get("content")) or text_in(shown.get("refusal")) or called
                thought |= text_in(shown.get("reasoning")) or text_in(shown.get("reasoning_content"))
            given = choice.get("token_ids")
            ids += len(given) if isinstance(given, list) else 0
        if not (answer or thought or ids):
            return
        self.shows_reasoning |= thought
        if self.over:
            self.late = True
            return
        tokens: int | None = None
        if self.how.chunk_counts and ids:
            tokens = ids
        elif self.how.chunk_counts and so_far is not None:
            tokens = max(0, so_far - self.counted)
        self.counted += 1 if tokens is None else tokens
        self.reading.chunks.append((t_ns, tokens))
        if self.reading.first_answer_ns is None and (answer or not thought):
            self.reading.first_answer_ns = t_ns
        for choice in event["choices"]:
            for holder in (choice, choice.get("delta")) if isinstance(choice, dict) else ():
                for name in TEXT[self.how.endpoint] if isinstance(holder, dict) else ():
                    self.text_bytes += sum(
                        len(text.encode("utf-8", "replace")) for text in strings(holder.get(name))
                    )

    # the whole

    def sum_up(self) -> None:
        reading, chunks = self.reading, len(self.reading.chunks)
        reading.live_tokens = self.counted
        each = [tokens for _, tokens in reading.chunks if tokens is not None]
        told = len(each) == chunks and not self.others
        reading.each = each if told else []
        if reading.output_tokens is not None:
            reading.source = "usage"
            reading.hidden_tokens = self.hidden(reading.output_tokens, reading.each)
        elif told and sum(each):
            reading.source, reading.output_tokens = "chunk_counts", sum(each)
        else:
            reading.source, reading.output_tokens = "chunks", chunks or None
        if all(tokens == 1 for tokens in reading.each):
            reading.each = []

    def hidden(self, output: int, each: list[int]) -> int | None:
        """How many of the counted tokens nobody saw; None where that cannot be told."""
        chunks = len(self.reading.chunks)
        reasoning = 0 if self.shows_reasoning else self.reasoning
        if not chunks:
            return output
        if each:
            if 0 < reasoning < each[0]:
                each[0] -= reasoning
            elif each[0] > 8 and each[0] > 2 * max(each[1:], default=0):
                return None
            return output - sum(each) if output >= sum(each) else None
        if (self.others or self.late) and output > chunks:
            return None
        hidden = reasoning if output - reasoning >= chunks else 0
        shown = output - hidden
        measured = not self.how.chunk_counts and not self.how.one_token_chunks
        enough = self.text_bytes >= 2 * shown if measured else shown <= 2 * chunks
        return hidden if shown <= chunks + 1 or enough else None

    def judge(self) -> None:
        reading = self.reading
        if reading.error is not None:
            return
        if not reading.chunks:
            reading.error = "tokens_hidden" if reading.source == "usage" else "no_tokens"
        elif reading.finish_reason is None and not self.done:
            reading.error = "truncated"
