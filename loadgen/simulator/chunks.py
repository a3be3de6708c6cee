"""The bytes of a response, in the shapes vLLM 0.32 sends: stream chunks, usage chunk, whole bodies.

A plain chunk is three byte strings joined; everything that is the same for a request is formatted once.
Vocabulary words are ASCII letters, so they stand inside JSON as they are.
"""

from __future__ import annotations

import msgspec

from loadgen.simulator.batch import Sequence
from loadgen.simulator.engine import FinishReason
from loadgen.simulator.requests import ChatBody, CompletionBody, Work
from loadgen.simulator.tokens import Vocabulary

SSE = b"text/event-stream; charset=utf-8"
DONE = b"data: [DONE]\n\n"
FINGERPRINT = "ttftop-simulator"

Usage = dict[str, object]


def usage_of(prompt_tokens: int, completion_tokens: int, sequence: Sequence | None = None) -> Usage:
    """With the cached tokens of `sequence`'s prompt, as with vLLM's `--enable-prompt-tokens-details`."""
    usage: Usage = {
        "prompt_tokens": prompt_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "completion_tokens": completion_tokens,
    }
    if sequence is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": sequence.cached_tokens}
    return usage


def event(payload: object) -> bytes:
    """One server-sent event."""
    return b"data: " + msgspec.json.encode(payload) + b"\n\n"


class Chunks:
    """Writes one request's response.

    `created` is Unix time in seconds. `sequence` is the request in the engine, None without a prefix cache.
    """

    media_type = SSE

    def __init__(
        self,
        body: CompletionBody | ChatBody,
        work: Work,
        vocabulary: Vocabulary,
        response_id: str,
        model: str,
        created: int,
        sequence: Sequence | None,
    ) -> None:
        self._sequence = sequence
        self._chat = isinstance(body, ChatBody)
        self._work, self._vocabulary = work, vocabulary
        self._ids = bool(body.return_token_ids)
        options = body.stream_options
        self._usage = options is not None and bool(options.include_usage)
        self._usage_everywhere = options is not None and self._usage and bool(options.continuous_usage_stats)
        kind = "chat.completion" if self._chat else "text_completion"
        self._about: dict[str, object] = {
            "id": response_id,
            "object": kind,
            "created": created,
            "model": model,
        }
        self._about_chunk = {**self._about, "object": "chat.completion.chunk"} if self._chat else self._about
        marker = "\0"
        before, after = self._token_event(0, marker).split(msgspec.json.encode(marker)[1:-1])
        self._before, self._after = before + b" ", after

    def head(self) -> bytes:
        """Sent with the first token: the role chunk of a chat, nothing for a completion."""
        if not self._chat:
            return b""
        choice = {
            "index": 0,
            "delta": {"role": "assistant", "content": ""},
            "logprobs": None,
            "finish_reason": None,
        }
        prompt_ids = self._work.prompt if self._ids else None
        chunk = {
            **self._about_chunk,
            "choices": [choice],
            "prompt_token_ids": prompt_ids,
            "prompt_text": None,
        }
        return event(self._with_usage(chunk, 0))

    def token(self, position: int) -> bytes:
        """The chunk of output token `position` (from 0); the last one carries the finish reason."""
        last = position + 1 == len(self._work.output)
        word = self._vocabulary.word_bytes[self._work.output[position]]
        if last or self._ids or self._usage_everywhere:
            reason = self._work.finish_reason if last else None
            return self._token_event(position, " " + word.decode(), reason)
        return self._before + word + self._after

    def tail(self) -> bytes:
        """After the last token."""
        if not self._usage:
            return DONE
        usage = usage_of(len(self._work.prompt), len(self._work.output), self._sequence)
        return (
            event({**self._about_chunk, "choices": [], "usage": usage, "system_fingerprint": FINGERPRINT})
            + DONE
        )

    def whole(self) -> bytes:
        """The body of a response that is not streamed."""
        work = self._work
        text = " " + self._vocabulary.decode(work.output)
        prompt_ids = work.prompt if self._ids else None
        choice: dict[str, object] = {"index": 0}
        if self._chat:
            choice["message"] = {"role": "assistant", "content": text}
        else:
            choice["text"] = text
        choice |= {
            "logprobs": None,
            "finish_reason": work.finish_reason,
            "stop_reason": None,
            "token_ids": work.output if self._ids else None,
        }
        whole: dict[str, object] = {**self._about, "choices": [choice]}
        if self._chat:
            whole["prompt_token_ids"] = prompt_ids
        else:
            choice["prompt_token_ids"] = prompt_ids
        usage = usage_of(len(work.prompt), len(work.output), self._sequence)
        whole |= {"system_fingerprint": FINGERPRINT, "usage": usage}
        return msgspec.json.encode(whole)

    def failure(self, payload: object) -> bytes:
        """Instead of what is left."""
        return event(payload) + DONE

    def _token_event(self, position: int, text: str, reason: FinishReason | None = None) -> bytes:
        token_ids = [self._work.output[position]] if self._ids else None
        choice: dict[str, object] = {"index": 0}
        if self._chat:
            choice |= {"delta": {"content": text}, "logprobs": None, "finish_reason": reason}
            if reason is not None:
                choice["stop_reason"] = None
        else:
            prompt_ids = self._work.prompt if self._ids and position == 0 else None
            choice |= {"text": text, "logprobs": None, "finish_reason": reason, "stop_reason": None}
            choice["prompt_token_ids"] = prompt_ids
        choice["token_ids"] = token_ids
        return event(self._with_usage({**self._about_chunk, "choices": [choice]}, position + 1))

    def _with_usage(self, chunk: dict[str, object], completion_tokens: int) -> dict[str, object]:
        if self._usage_everywhere:
            chunk["usage"] = usage_of(len(self._work.prompt), completion_tokens)
        return chunk
