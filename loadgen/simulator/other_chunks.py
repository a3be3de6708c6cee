"""The bytes of a response in the protocols beside OpenAI's completions and chat, each as `Chunks` writes its.

The shapes are those that real servers were seen or documented to send (tests/loadgen/endpoints/fixtures).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from loadgen.simulator.batch import Sequence
from loadgen.simulator.chunks import SSE, event
from loadgen.simulator.requests import Work
from loadgen.simulator.tokens import Vocabulary

_encode = msgspec.json.encode


def named_event(payload: dict[str, object]) -> bytes:
    """One server-sent event, named by the payload's type."""
    return b"event: %b\ndata: %b\n\n" % (str(payload["type"]).encode(), _encode(payload))


@dataclass
class Reply:
    """What is answered, in any protocol."""

    work: Work
    vocabulary: Vocabulary
    response_id: str
    model: str
    sequence: Sequence | None = None
    """The request in the engine; None: it has no prefix cache."""
    media_type: bytes = SSE

    def word(self, position: int) -> str:
        """The text of output token `position`."""
        return " " + self.vocabulary.words[self.work.output[position]]

    @property
    def text(self) -> str:
        return "".join(map(self.word, range(len(self.work.output))))

    def is_last(self, position: int) -> bool:
        return position + 1 == len(self.work.output)

    def head(self) -> bytes:
        """Sent with the first token."""
        return b""

    def tail(self) -> bytes:
        """Sent with the last."""
        return b""

    def failure(self, payload: object) -> bytes:
        """Instead of what is left."""
        return event(payload)


class Responses(Reply):
    def head(self) -> bytes:
        begun = {"id": self.response_id, "object": "response", "status": "in_progress", "usage": None}
        return named_event({"type": "response.created", "response": begun})

    def token(self, position: int) -> bytes:
        return named_event({"type": "response.output_text.delta", "delta": self.word(position)})

    def tail(self) -> bytes:
        whole = self._whole()
        return named_event({"type": f"response.{whole['status']}", "response": whole})

    def whole(self) -> bytes:
        return _encode(self._whole())

    def _whole(self) -> dict[str, object]:
        cut = self.work.finish_reason == "length"
        prompt, output = len(self.work.prompt), len(self.work.output)
        content = [{"type": "output_text", "text": self.text}]
        usage: dict[str, object] = {"input_tokens": prompt, "output_tokens": output}
        usage["total_tokens"] = prompt + output
        if self.sequence is not None:
            usage["input_tokens_details"] = {"cached_tokens": self.sequence.cached_tokens}
        return {
            "id": self.response_id,
            "object": "response",
            "model": self.model,
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": [{"type": "message", "role": "assistant", "content": content}],
            "usage": usage,
        }


class Messages(Reply):
    def head(self) -> bytes:
        usage = {"input_tokens": len(self.work.prompt), "output_tokens": 0}
        begun = {"id": self.response_id, "type": "message", "role": "assistant", "model": self.model}
        block: dict[str, object] = {"type": "text", "text": ""}
        return named_event(
            {"type": "message_start", "message": {**begun, "content": [], "usage": usage}}
        ) + named_event({"type": "content_block_start", "index": 0, "content_block": block})

    def token(self, position: int) -> bytes:
        delta = {"type": "text_delta", "text": self.word(position)}
        return named_event({"type": "content_block_delta", "index": 0, "delta": delta})

    def tail(self) -> bytes:
        usage = {"output_tokens": len(self.work.output)}
        return (
            named_event({"type": "content_block_stop", "index": 0})
            + named_event({"type": "message_delta", "delta": {"stop_reason": self._reason()}, "usage": usage})
            + named_event({"type": "message_stop"})
        )

    def whole(self) -> bytes:
        usage = {"input_tokens": len(self.work.prompt), "output_tokens": len(self.work.output)}
        about = {"id": self.response_id, "type": "message", "role": "assistant", "model": self.model}
        content = [{"type": "text", "text": self.text}]
        return _encode({**about, "content": content, "stop_reason": self._reason(), "usage": usage})

    def _reason(self) -> str:
        return "max_tokens" if self.work.finish_reason == "length" else "end_turn"


class Tgi(Reply):
    def token(self, position: int) -> bytes:
        last = self.is_last(position)
        token = {"id": self.work.output[position], "text": self.word(position), "special": False}
        details = {
            "finish_reason": "length" if self.work.finish_reason == "length" else "eos_token",
            "generated_tokens": len(self.work.output),
            "input_length": len(self.work.prompt),
        }
        said = {"generated_text": self.text if last else None, "details": details if last else None}
        return event({"index": position + 1, "token": token, **said})

    def whole(self) -> bytes:
        return _encode({"generated_text": self.text})


@dataclass
class Ollama(Reply):
    media_type: bytes = b"application/x-ndjson"
    chat: bool = False

    def token(self, position: int) -> bytes:
        return self._line(self.word(position), done=False)

    def tail(self) -> bytes:
        return self._line("", done=True)

    def whole(self) -> bytes:
        return self._line(self.text, done=True)

    def failure(self, payload: object) -> bytes:
        return _encode({"error": "the simulator is shutting down"}) + b"\n"

    def _line(self, text: str, done: bool) -> bytes:
        said: dict[str, object] = (
            {"message": {"role": "assistant", "content": text}} if self.chat else {"response": text}
        )
        counted: dict[str, object] = {
            "done_reason": self.work.finish_reason,
            "prompt_eval_count": len(self.work.prompt),
            "eval_count": len(self.work.output),
        }
        return _encode({"model": self.model, **said, "done": done, **(counted if done else {})}) + b"\n"


class LlamaCpp(Reply):
    def token(self, position: int) -> bytes:
        said = {"index": 0, "content": self.word(position), "tokens": [self.work.output[position]]}
        return event({**said, "stop": False, **self._counted(position + 1)})

    def tail(self) -> bytes:
        return event(self._last(""))

    def whole(self) -> bytes:
        return _encode(self._last(self.text))

    def _last(self, content: str) -> dict[str, object]:
        reason = "limit" if self.work.finish_reason == "length" else "eos"
        said = {"index": 0, "content": content, "tokens": [], "stop": True, "stop_type": reason}
        last = {**said, "model": self.model, **self._counted(len(self.work.output))}
        if self.sequence is not None:
            last["timings"] = {"cache_n": self.sequence.cached_tokens}
        return last

    def _counted(self, predicted: int) -> dict[str, object]:
        return {"tokens_predicted": predicted, "tokens_evaluated": len(self.work.prompt)}


class Embeddings(Reply):
    def token(self, position: int) -> bytes:
        return b""

    def whole(self) -> bytes:
        size, prompt = 64, self.work.prompt
        vector = [round((token % 2003 - 1001) / 1001, 6) for token in (prompt * size)[:size]]
        return _encode(
            {
                "object": "list",
                "model": self.model,
                "data": [{"object": "embedding", "index": 0, "embedding": vector}],
                "usage": {"prompt_tokens": len(prompt), "total_tokens": len(prompt)},
            }
        )
