"""The simulator's HTTP face: OpenAI's completions and chat, with vLLM's extras and error objects, and other
protocols on the same engine.

Every response carries `x-ttftop-simulated: 1`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loadgen.simulator import metrics
from loadgen.simulator.batch import Sequence
from loadgen.simulator.chunks import Chunks
from loadgen.simulator.engine import Engine, Generation
from loadgen.simulator.prefix_cache import block_hashes
from loadgen.simulator.protocols import OTHERS, OtherBody, Writer
from loadgen.simulator.requests import (
    ChatBody,
    CompletionBody,
    Refused,
    TokenizeBody,
    Work,
    bad_request,
    chat_ids,
    check_model,
    decode,
    prompt_ids,
    work_for,
)
from loadgen.simulator.tokens import Vocabulary

OWNER = "ttftop-simulator"
VERSION = "0.1.0+simulated"
LABEL = (b"x-ttftop-simulated", b"1")
MAX_BODY_BYTES = 32 << 20
CLOSING = Refused(503, "ServiceUnavailableError", "The simulator is shutting down.")


class Json(Response):
    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return msgspec.json.encode(content)


def error_object(error: Refused) -> dict[str, object]:
    return {
        "error": {"message": error.message, "type": error.type, "param": error.param, "code": error.status}
    }


class GenerationResponse:
    """Answers from a generation as it grows; a client that leaves cancels it."""

    def __init__(self, engine: Engine, generation: Generation, chunks: Writer, *, stream: bool) -> None:
        self._engine, self._generation, self._chunks, self._stream = engine, generation, chunks, stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watcher = asyncio.ensure_future(self._cancel_when_gone(receive))
        try:
            if self._stream:
                await self._send_stream(send)
            else:
                await self._send_whole(scope, receive, send)
        finally:
            watcher.cancel()
            self._engine.cancel(self._generation)

    async def _cancel_when_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._engine.cancel(self._generation)

    async def _send_stream(self, send: Send) -> None:
        generation, chunks = self._generation, self._chunks
        total = generation.sequence.output_tokens
        headers = [(b"content-type", chunks.media_type)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        sent = 0
        while sent < total:
            made = await generation.more_than(sent)
            if made == sent:  # closed: the client is gone, or we are going
                await _send_last(send, chunks.failure(error_object(CLOSING)))
                return
            # Usually one token; more when the client reads more slowly than the engine writes.
            written = [chunks.token(position) for position in range(sent, made)]
            if sent == 0:
                written.insert(0, chunks.head())
            sent = made
            if sent == total:
                written.append(chunks.tail())
            await send({"type": "http.response.body", "body": b"".join(written), "more_body": True})
        await _send_last(send, b"")

    async def _send_whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        total, made = self._generation.sequence.output_tokens, 0
        while made < total and not self._generation.closed:
            made = await self._generation.more_than(made)
        answer = (
            refusal(CLOSING)
            if made < total
            else Response(self._chunks.whole(), media_type="application/json")
        )
        await answer(scope, receive, send)


async def _send_last(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": False})


def refusal(error: Refused) -> Json:
    return Json(error_object(error), status_code=error.status)


class Api:
    """The endpoints of one engine. `wall_s` tells Unix time, for `created`."""

    def __init__(self, engine: Engine, seed: int, wall_s: Callable[[], float]) -> None:
        self._engine = engine
        self._profile = engine.profile
        self._vocabulary = Vocabulary(engine.profile.vocab_tokens)
        self._rng = random.Random(seed)
        self._wall_s = wall_s
        self._started_s = int(wall_s())
        self._registry = metrics.exposition(engine)

    async def completions(self, request: Request) -> ASGIApp:
        body = decode(await _body(request), CompletionBody)
        check_model(body.model, self._profile)
        return self._generate(body, prompt_ids(body.prompt, self._vocabulary), "cmpl")

    async def chat(self, request: Request) -> ASGIApp:
        body = decode(await _body(request), ChatBody)
        check_model(body.model, self._profile)
        return self._generate(body, chat_ids(body.messages, self._vocabulary), "chatcmpl")

    async def other(self, request: Request) -> ASGIApp:
        """Any of `OTHERS`, by its path."""
        shape, writer = OTHERS[request.url.path]
        body = cast(OtherBody, decode(await _body(request), shape))
        check_model(body.model, self._profile)
        asked, vocabulary = body.asked(), self._vocabulary
        prompt = (
            chat_ids(asked.messages, vocabulary)
            if isinstance(asked, ChatBody)
            else prompt_ids(asked.prompt, vocabulary)
        )
        work = work_for(asked, prompt, self._profile, vocabulary, self._rng)
        generation, sequence = self._submit(work)
        response_id = f"sim-{self._rng.getrandbits(64):016x}"
        chunks = writer(work, vocabulary, response_id, self._profile.model, sequence)
        return GenerationResponse(self._engine, generation, chunks, stream=bool(asked.stream))

    async def tokenize(self, request: Request) -> Json:
        body = decode(await _body(request), TokenizeBody)
        check_model(body.model, self._profile)
        if body.messages is not None:
            tokens = chat_ids(body.messages, self._vocabulary)
        elif body.prompt is not None:
            tokens = self._vocabulary.encode(body.prompt)
        else:
            raise bad_request("tokenize: need `prompt` or `messages`.")
        context = self._profile.limits.context_tokens
        return Json({"count": len(tokens), "max_model_len": context, "tokens": tokens, "token_strs": None})

    async def models(self, request: Request) -> Json:
        model = {
            "id": self._profile.model,
            "object": "model",
            "created": self._started_s,
            "owned_by": OWNER,
            "root": self._profile.model,
            "parent": None,
            "max_model_len": self._profile.limits.context_tokens,
            "permission": [],
        }
        return Json({"object": "list", "data": [model]})

    async def health(self, request: Request) -> Response:
        return Response()

    async def version(self, request: Request) -> Json:
        return Json({"version": VERSION})

    async def metrics(self, request: Request) -> Response:
        return Response(metrics.text(self._registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    def _generate(self, body: CompletionBody | ChatBody, prompt: list[int], prefix: str) -> ASGIApp:
        work = work_for(body, prompt, self._profile, self._vocabulary, self._rng)
        response_id = f"{prefix}-{self._rng.getrandbits(64):016x}"
        generation, sequence = self._submit(work)
        created = int(self._wall_s())
        chunks = Chunks(body, work, self._vocabulary, response_id, self._profile.model, created, sequence)
        return GenerationResponse(self._engine, generation, chunks, stream=bool(body.stream))

    def _submit(self, work: Work) -> tuple[Generation, Sequence | None]:
        """With the request in the engine where it says what was cached, None without a prefix cache."""
        hashes = None
        if self._profile.prefix_cache:
            hashes = block_hashes(work.prompt + work.output, self._profile.limits.block_tokens)
        generation = self._engine.submit(len(work.prompt), len(work.output), work.finish_reason, hashes)
        return generation, None if hashes is None else generation.sequence


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise Refused(413, "RequestTooLarge", f"The body exceeds {MAX_BODY_BYTES} bytes.")
        parts.append(part)
    return b"".join(parts)


def _endpoint(answer: Callable[[Request], Awaitable[ASGIApp]]) -> Callable[[Request], Awaitable[ASGIApp]]:
    """Turns a refusal into its error object."""

    async def endpoint(request: Request) -> ASGIApp:
        try:
            return await answer(request)
        except Refused as error:
            return refusal(error)
        except ClientDisconnect:  # nobody is left to read this
            return Response(status_code=400)

    return endpoint


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "Internal error."
    message = f"{detail}: {request.method} {request.url.path}"
    return refusal(Refused(status, detail.replace(" ", "") + "Error", message))


def create_app(engine: Engine, seed: int, wall_s: Callable[[], float], api_key: str | None = None) -> ASGIApp:
    """The ASGI application; it starts `engine` in its lifespan and closes it at the end.

    With an `api_key`, all that generates, `/v1/models` and `/tokenize` want it as a bearer token.
    """
    api = Api(engine, seed, wall_s)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        engine.start()
        yield
        engine.close()

    routes = [
        Route("/v1/completions", _endpoint(api.completions), methods=["POST"]),
        Route("/v1/chat/completions", _endpoint(api.chat), methods=["POST"]),
        *(Route(path, _endpoint(api.other), methods=["POST"]) for path in OTHERS),
        Route("/v1/models", _endpoint(api.models)),
        Route("/tokenize", _endpoint(api.tokenize), methods=["POST"]),
        Route("/health", _endpoint(api.health)),
        Route("/version", _endpoint(api.version)),
        Route("/metrics", _endpoint(api.metrics)),
    ]
    inner = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={HTTPException: _http_error, Exception: _http_error},
    )
    expected = None if api_key is None else b"Bearer " + api_key.encode()

    async def labelled(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), LABEL]
            await send(message)

        if scope["type"] == "http" and expected is not None and not _authorized(scope, expected):
            denied = Refused(401, "AuthenticationError", "Missing or wrong API key.")
            await refusal(denied)(scope, receive, send_labelled)
            return
        await inner(scope, receive, send_labelled)

    return labelled


def _authorized(scope: Scope, expected: bytes) -> bool:
    path: str = scope["path"]
    if not path.startswith("/v1/") and path != "/tokenize" and path not in OTHERS:
        return True
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    return hmac.compare_digest(given, expected)
