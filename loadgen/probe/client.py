"""The probe's HTTP: one request at a time, every failure as one line that names the cause."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from loadgen.clock import monotonic_ns
from loadgen.endpoints import Endpoint
from loadgen.endpoints.sse import SseLimitError
from loadgen.errors import describe, printable
from loadgen.probe.answer import MAX_BODY_BYTES, Answer, says_error, unpacked, words
from loadgen.probe.connect_errors import explain
from loadgen.probe.result import ProbeError
from loadgen.probe.round_trip import Broken, Network, RoundTrip
from loadgen.probe.stream import Streamed, StreamReader
from loadgen.target import tls_context
from loadgen.target.api_key import ApiKey
from loadgen.target.redaction import redactor_of
from loadgen.target.request_headers import Header
from loadgen.target.url import ACCEPTS, SUFFIXES, Target, headers
from loadgen.transport.addresses import Addresses, Resolver, resolve
from loadgen.transport.http1 import Headers
from loadgen.worker_config import Deadlines

QUESTION_ACCEPT = "application/json, */*;q=0.1"
QUESTION_S = 30.0
"""For a small question such as `/v1/models`, altogether."""
STREAM_S = 300.0
"""For a whole warm-up: the first request after a server's start may compile kernels for minutes."""
_SEARCHED = 64 << 10
"""How much of a text of the server is searched for our key before it is cut to a line."""
_DEADLINES = Deadlines()

_Result = TypeVar("_Result")


class NoAnswer(ProbeError):
    """The server was reached, and gave nothing that can be read."""


class Refused(Exception):
    """The server answered, and did not do what was asked."""

    def __init__(
        self,
        status: int,
        text: str,
        *,
        html: bool = False,
        headers: dict[str, str] | None = None,
        no_stream: bool = False,
    ) -> None:
        """`no_stream`: it reports no failure, and yet its answer is no event stream."""
        super().__init__(f"HTTP {status}: {text}")
        self.status = status
        self.text = text
        self.html = html
        self.headers = headers or {}
        self.no_stream = no_stream


class Client:
    """Asks one server. Counts `requests`; no keep-alive, no redirects, no cookies."""

    def __init__(
        self,
        target: Target,
        api_key: ApiKey | None,
        more_headers: Sequence[Header],
        network: Network,
        stream_s: float,
    ) -> None:
        self.target = target
        self.requests = 0
        self.has_key = api_key is not None or any(
            name in ("authorization", "x-api-key") for name, _ in more_headers
        )
        self._api_key, self._more_headers, self._stream_s = api_key, more_headers, stream_s
        self._mask = redactor_of(self.headers(ACCEPTS[0]))
        self._network = network
        self.roots = target.roots if target.path is None else target.roots[:1]
        """Where the API may begin, as far as it is known."""
        self.root = target.roots[0]
        """Where it is asked for now."""

    def headers(self, accept: str) -> list[Header]:
        """Of each request. They hold secrets."""
        return headers(self.target, self._api_key, accept, self._more_headers)

    def safe(self, text: str, limit: int = 200) -> str:
        """Text of the server, without control characters and without our key, should it echo it."""
        return printable(self.hidden(text[:_SEARCHED]), limit)

    def hidden(self, text: str) -> str:
        """Text of the server without our key, not yet safe to print."""
        return self._mask.text(text)

    def path_of(self, endpoint: Endpoint) -> str:
        """What requests of `endpoint` name."""
        if self.target.path:
            return self.target.path
        below_version = endpoint.path.removeprefix("/v1")
        if below_version != endpoint.path:
            return self.root + below_version
        named = self.target.endpoint is not None and SUFFIXES[self.target.endpoint] == endpoint.path
        return (self.target.base_path if named else self.base) + endpoint.path

    @property
    def addresses(self) -> Addresses:
        """What the server's name, or its proxy's, stands for; known after the first request."""
        return self._network.found

    @property
    def base(self) -> str:
        """Where what has no version lies, such as `/tokenize`."""
        return re.sub(r"/v[0-9]+\Z", "", self.root)

    def failure(self, message: str, kind: type[ProbeError] = ProbeError) -> ProbeError:
        return kind(self._told(message), 3)

    def _no_answer(self, message: str) -> NoAnswer:
        return NoAnswer(self._told(message), 3)

    def _told(self, message: str) -> str:
        proxy = self.target.proxy
        # Of a tunnel the proxy's words are told apart from the server's; here they look the same.
        if proxy is not None and not self.target.address.tls and "the proxy" not in message:
            message += f" (through the proxy at {proxy.host}:{proxy.port}, which may be what answers)"
        return f"{self.target.url}: {message}"

    async def ask(
        self, method: str, path: str, body: bytes | None = None, accept: str = QUESTION_ACCEPT
    ) -> Answer:
        """One request, its response read whole, whatever its status.

        Raises:
            NoAnswer: there was no response.
            ProbeError: the server cannot be reached.
        """
        return await self._guarded(self._ask(method, path, body, accept), QUESTION_S)

    async def stream(self, endpoint: Endpoint, body: bytes, accept: str) -> Streamed:
        """One streaming request, read to its end.

        Raises:
            Refused: a status other than 2xx, no event stream, or an error inside it.
            ProbeError: there was no response, or one that the load could not read.
        """
        return await self._guarded(self._stream(endpoint, body, accept), self._stream_s)

    async def _guarded(self, asking: Coroutine[Any, Any, _Result], limit_s: float) -> _Result:
        self.requests += 1
        try:
            return await asyncio.wait_for(asking, limit_s)
        except asyncio.TimeoutError:
            longer = " (--timeout first-token=TIME waits longer)" if limit_s == self._stream_s else ""
            raise self._no_answer(f"no answer within {limit_s:g} s{longer}; is the server stuck?") from None
        except SseLimitError as error:
            raise self.failure(str(error)) from None
        except Broken as broken:
            made = self._no_answer if broken.kind in ("bad_response", "cut_mid_stream") else self.failure
            raise made(self.safe(explain(broken, self.target))) from None

    @asynccontextmanager
    async def _sent(
        self, method: str, path: str, body: bytes | None, accept: str
    ) -> AsyncIterator[RoundTrip]:
        lines = [f"{method} {self.target.request_target(path)} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.headers(accept)]
        if body is not None:
            lines.append(f"content-length: {len(body)}")
        payload = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")
        trip = await self._network.send(payload)
        try:
            yield trip
        finally:
            trip.give_up()

    async def _ask(self, method: str, path: str, body: bytes | None, accept: str) -> Answer:
        async with self._sent(method, path, body, accept) as trip:
            status, given = await trip.head()
            return await self._whole(trip, path, status, _named(given))

    async def _whole(self, trip: RoundTrip, path: str, status: int, given: dict[str, str]) -> Answer:
        data = bytearray()
        while (piece := await trip.piece()) is not None:
            data += piece[1]
            if len(data) > MAX_BODY_BYTES:
                raise self._no_answer(f"{path} answers with more than {MAX_BODY_BYTES >> 20} MiB")
        return Answer(status, _content_type(given), given, unpacked(bytes(data), given))

    async def _stream(self, endpoint: Endpoint, body: bytes, accept: str) -> Streamed:
        began_ns = monotonic_ns()
        path = self.path_of(endpoint)
        async with self._sent("POST", path, body, accept) as trip:
            status, taken = await trip.head()
            given = _named(taken)
            content_type = _content_type(given)
            if not 200 <= status < 300 or not endpoint.framing.is_named_by(
                content_type.encode("latin-1", "replace")
            ):
                answer = await self._whole(trip, path, status, given)
                said = words(answer)
                no_stream = 200 <= status < 300 and not says_error(answer)
                if no_stream and not answer.html:
                    said = f"no {endpoint.framing.name} ({content_type or 'no content type'})"
                raise Refused(
                    status, self.safe(said, 400), html=answer.html, headers=given, no_stream=no_stream
                )
            if (packing := given.get("content-encoding", "identity").lower()) != "identity":
                raise self.failure(
                    f"its streams are packed ({self.safe(packing, 40)}), which was not asked for: "
                    "nobody could tell when a token comes"
                )
            reader = StreamReader(endpoint, began_ns)
            await _read(trip, reader)
            return self._streamed(reader, given, endpoint.bears_tokens)

    def _streamed(self, reader: StreamReader, answer_headers: dict[str, str], bears_tokens: bool) -> Streamed:
        streamed = reader.close(answer_headers)
        if reader.error is not None:
            raise Refused(200, self.safe(reader.error or describe("no_embedding"), 400))
        if bears_tokens and not streamed.warm_up.chunks and streamed.finish_reason is None:
            if counted := streamed.warm_up.output_tokens:
                raise self.failure(
                    f"it counted {counted} output tokens and showed none of them (hidden reasoning?): "
                    "nobody could tell when a token comes"
                )
            raise self.failure("the stream ended without a token and without saying why")
        if streamed.finish_reason is None and not streamed.done:
            raise self.failure(
                "its stream ended without a finish reason and without [DONE]: "
                "no request would count as complete"
            )
        return streamed


@asynccontextmanager
async def client(
    target: Target,
    api_key: ApiKey | None,
    more_headers: Sequence[Header] = (),
    deadlines: Deadlines = _DEADLINES,
    resolver: Resolver = resolve,
) -> AsyncIterator[Client]:
    """A client for `target`.

    Raises:
        ProbeError: the CA file, or the client's own certificate, cannot be used.
    """
    address = target.address
    # Without TLS no certificates are loaded: that alone takes 20 ms.
    tls: ssl.SSLContext | None = None
    if address.tls:
        try:
            tls = tls_context.context_of(address)
        except tls_context.CertificateError as error:
            raise ProbeError(str(error), 2) from None
        except OSError as error:
            why = printable(error.strerror or str(error), 80)
            if isinstance(error, ssl.SSLError):
                why = "it holds no certificate in PEM form"
            raise ProbeError(f"--ca {printable(address.ca_file or '')}: {why}", 2) from None
    network = Network(target.hop, tls, deadlines.connect_s, resolver)
    try:
        yield Client(target, api_key, more_headers, network, max(STREAM_S, 2 * deadlines.first_token_s))
    finally:
        network.close()


async def _read(trip: RoundTrip, reader: StreamReader) -> None:
    """Reads a stream to its end: HTTP's, or what the load takes for one."""
    while True:
        try:
            piece = await trip.piece(reader.left_s())
        except asyncio.TimeoutError:
            return
        except Broken as broken:
            if broken.kind == "cut_mid_stream" and reader.done:
                return
            raise
        if piece is None:
            return
        reader.feed(piece[1], piece[0])


def _named(given: Headers) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in given}


def _content_type(given: dict[str, str]) -> str:
    return given.get("content-type", "").lower()
