"""LLM servers of a few dozen lines each, in the ways of real ones (see docs/guide/servers.md), for the probe's tests.

A server is a function from a request to a reply; `serving` puts it on a real socket.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        return json.loads(self.body)  # type: ignore[no-any-return]


@dataclass
class Reply:
    """`body` is sent whole, or in chunks when it is a list. `raw` replaces the whole answer."""

    status: int = 200
    body: bytes | list[bytes] = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    hang: bool = False


Server = Callable[[Asked], Reply]


@dataclass
class Served:
    port: int
    asked: list[Asked]
    url: str

    def paths(self) -> list[str]:
        return [f"{asked.method} {asked.path}" for asked in self.asked]

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [asked.json() for asked in self.asked if asked.path == path]


@asynccontextmanager
async def serving(
    server: Server,
    *,
    ssl_context: ssl.SSLContext | None = None,
    unix_path: str | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[Served]:
    """Answers one request a connection, until the end of the block."""
    asked: list[Asked] = []
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            first = await reader.readexactly(1)
            if not first.isalpha():
                writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                return
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {}
            for line in head[1:-2]:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            asked.append(Asked(method, path, headers, body))
            reply = server(asked[-1])
            if reply.hang:
                await asyncio.Event().wait()
            writer.write(_bytes(reply))
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    if unix_path is not None:
        listener = await asyncio.start_unix_server(serve, unix_path)
        port, url = 0, f"unix:{unix_path}"
    else:
        listener = await asyncio.start_server(serve, host, 0, ssl=ssl_context)
        port = listener.sockets[0].getsockname()[1]
        url = f"{'https' if ssl_context else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
    try:
        yield Served(port, asked, url)
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _bytes(reply: Reply) -> bytes:
    if reply.raw is not None:
        return reply.raw
    lines = [f"HTTP/1.1 {reply.status} X", f"content-type: {reply.content_type}", "connection: close"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    if isinstance(reply.body, bytes):
        lines.append(f"content-length: {len(reply.body)}")
        data = reply.body
    else:
        lines.append("transfer-encoding: chunked")
        data = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in reply.body) + b"0\r\n\r\n"
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + data


def as_json(value: object, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(value).encode(), headers=headers)


def stream(events: Iterable[object], **headers: str) -> Reply:
    """Events are JSON values, or text that is sent as it is."""
    pieces = [
        (event if isinstance(event, str) else f"data: {json.dumps(event)}\n\n").encode() for event in events
    ]
    return Reply(200, pieces, "text/event-stream; charset=utf-8", headers)


DONE = "data: [DONE]\n\n"


def count_words(text: str, double: frozenset[str] = frozenset()) -> int:
    """The tokenizer of these servers: a token a word, two for each in `double`."""
    return sum(2 if word in double else 1 for word in text.split())


def models(*names: str, **more: object) -> dict[str, object]:
    return {"object": "list", "data": [{"id": name, "object": "model", **more} for name in names]}


@dataclass
class Vllm:
    """vLLM: ids and text, all wished fields, usage or ids with each chunk, its own `/tokenize`."""

    context: int = 2048
    vocabulary: int = 32_000
    template: int = 7
    double: frozenset[str] = frozenset()
    owner: str = "vllm"
    tokenizer: bool = True
    continuous: bool = True
    prefix: int = 0
    """Tokens put before the ids of a prompt."""

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/v1/models":
            return as_json(models("small", max_model_len=self.context, owned_by=self.owner), server="uvicorn")
        body = asked.json() if asked.body else {}
        if asked.path == "/tokenize" and self.tokenizer:
            if "prompt" not in body:
                return self._error(400, "body: field required")
            return as_json({"count": count_words(body["prompt"], self.double), "max_model_len": self.context})
        chat = asked.path == "/v1/chat/completions"
        if not chat and asked.path != "/v1/completions":
            return as_json({"detail": "Not Found"}, 404)
        if body["model"] != "small":
            return self._error(404, f"The model `{body['model']}` does not exist.")
        if chat:
            tokens = self.template + count_words(body["messages"][0]["content"], self.double)
        elif isinstance(body["prompt"], str):
            tokens = count_words(body["prompt"], self.double)
        else:
            tokens = self.prefix + len(body["prompt"])
            if max(body["prompt"]) >= self.vocabulary:
                return self._error(400, f"Token id {max(body['prompt'])} is out of vocabulary")
        wanted = body["max_tokens"]
        if tokens + wanted > self.context:
            return self._error(400, f"This model's maximum context length is {self.context} tokens.")
        if not body.get("stream"):
            return as_json({"choices": [{"text": "x"}], "usage": _usage(tokens, wanted)})
        return stream(self._events(body, chat, tokens, wanted))

    def _events(self, body: dict[str, Any], chat: bool, tokens: int, wanted: int) -> Iterable[object]:
        options = body.get("stream_options") or {}
        every = options.get("continuous_usage_stats") and self.continuous
        if chat:
            yield {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
        for n in range(1, wanted + 1):
            finish = "length" if n == wanted else None
            ids = [n] if body.get("return_token_ids") else None
            bears = {"delta": {"content": "x"}} if chat else {"text": "x"}
            chunk: dict[str, object] = {
                "system_fingerprint": "vllm-0.32.0-afc7ecbd",
                "choices": [{"index": 0, **bears, "finish_reason": finish, "token_ids": ids}],
            }
            if every:
                chunk["usage"] = _usage(tokens, n)
            yield chunk
        if options.get("include_usage"):
            yield {"choices": [], "usage": _usage(tokens, wanted)}
        yield DONE

    def _error(self, status: int, message: str) -> Reply:
        return as_json({"error": {"message": message, "type": "BadRequestError", "code": status}}, status)


def llamacpp(asked: Asked) -> Reply:
    """llama.cpp: ignores what it does not know, any model name included; pings; usage on the finish chunk."""
    if asked.path == "/v1/models":
        row = {"id": "small", "owned_by": "llamacpp", "meta": {"n_vocab": 4096, "n_ctx": 1024}}
        return as_json({"object": "list", "data": [row], "models": []}, server="llama.cpp")
    body = asked.json()
    if asked.path == "/tokenize":
        return as_json({"tokens": list(range(count_words(body.get("content", ""))))})
    chat = asked.path == "/v1/chat/completions"
    prompt = body["messages"][0]["content"] if chat else body["prompt"]
    tokens = count_words(prompt) + 4 if isinstance(prompt, str) else len(prompt)
    if isinstance(prompt, list) and max(prompt) >= 4096:
        return as_json({"error": {"code": 400, "message": "Prompt contains invalid tokens"}}, 400)
    chunks: list[object] = [":\n\n"]
    if chat:
        chunks.append({"choices": [{"delta": {"role": "assistant", "content": None}}]})
    for _ in range(body["max_tokens"]):
        chunks.append(
            {"choices": [{"delta": {"content": "x"}} if chat else {"text": "x", "finish_reason": None}]}
        )
    last: dict[str, object] = {"choices": [{"delta": {}, "text": "", "finish_reason": "length"}]}
    usage = {**_usage(tokens, body["max_tokens"]), "prompt_tokens_details": {"cached_tokens": 0}}
    if chat:
        chunks += [last, {"choices": [], "usage": usage}]
    else:
        chunks.append({**last, "usage": usage})
    return stream([*chunks, DONE], server="llama.cpp")


def transformers(asked: Asked) -> Reply:
    """transformers serve: strict about fields and types, no list of models offline, no `[DONE]`."""
    if asked.path == "/v1/models":
        return Reply(500, b"Internal Server Error", "text/plain")
    if asked.path not in ("/v1/completions", "/v1/chat/completions"):
        return as_json({"detail": "Not Found"}, 404)
    body = asked.json()
    strange = set(body) - {"model", "prompt", "messages", "stream", "max_tokens", "stream_options"}
    if strange:
        return as_json({"detail": f"Unexpected fields in the request: {strange}"}, 422)
    if body["model"] != "/models/tiny-hf":
        return as_json(
            {"detail": f"Server is pinned to '/models/tiny-hf'; requested '{body['model']}'."}, 400
        )
    chat = asked.path == "/v1/chat/completions"
    if not chat and not isinstance(body["prompt"], str):
        return as_json({"detail": "prompt must be a string."}, 400)
    text = body["messages"][0]["content"] if chat else body["prompt"]
    tokens = count_words(text, frozenset({"the", "people", "q", "Q"})) + (11 if chat else 0)
    usage = _usage(tokens, body["max_tokens"])
    if not body["stream"]:
        return as_json({"choices": [{"message": {"content": "x"}}], "usage": usage})
    chunks: list[object] = [{"choices": [{"delta": {"role": "assistant"}, "index": 0}]}]
    for _ in range(body["max_tokens"]):
        chunks.append({"choices": [{"delta": {"content": "x"}, "text": "x", "index": 0}]})
    chunks.append({"choices": [{"delta": {}, "text": "", "finish_reason": "length"}], "usage": usage})
    return stream(chunks, server="uvicorn")


def tgi(asked: Asked) -> Reply:
    """TGI: text only, a tokenizer of its own dialect, usage at the end, errors as flat strings."""
    if asked.path == "/v1/models":
        return as_json(models("small"))
    body = asked.json()
    if asked.path == "/tokenize":
        if "inputs" not in body:
            return as_json({"error": "missing field `inputs`", "error_type": "validation"}, 422)
        return as_json([{"id": 1, "text": word} for word in body["inputs"].split()])
    if asked.path == "/v1/completions" and not isinstance(body["prompt"], str):
        return Reply(422, b"Failed to deserialize the JSON body: prompt: expected a string", "text/plain")
    text = body["prompt"] if "prompt" in body else body["messages"][0]["content"]
    tokens = count_words(text) + 5
    bears = {"text": "x"} if "prompt" in body else {"delta": {"content": "x"}}
    chunks: list[object] = [{"choices": [bears]} for _ in range(body["max_tokens"])]
    chunks.append({"choices": [{"delta": {}, "finish_reason": "length"}], "usage": _usage(tokens, 4)})
    return stream([*chunks, DONE])


def _usage(tokens: int, out: int) -> dict[str, int]:
    return {"prompt_tokens": tokens, "completion_tokens": out, "total_tokens": tokens + out}
