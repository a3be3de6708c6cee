"""The probe's HTTP: one request at a time by httpx, every failure as one line that names the cause."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import msgspec

from loadgen.clock import monotonic_ns
from loadgen.endpoints import Endpoint
from loadgen.endpoints.event import error_of, loads
from loadgen.endpoints.sse import SseLimitError
from loadgen.errors import printable
from loadgen.probe.connect_errors import explain
from loadgen.probe.result import ProbeError
from loadgen.probe.stream import Streamed, StreamReader
from loadgen.target import tls_context
from loadgen.target.api_key import ApiKey
from loadgen.target.redaction import redactor_of
from loadgen.target.url import Target, headers
from loadgen.worker_config import Address

CONNECT_S = 10.0
QUESTION_S = 30.0
"""For a small question such as `/v1/models`, altogether."""
STREAM_S = 300.0
"""For a whole warm-up: the first request after a server's start may compile kernels for minutes."""
MAX_BODY_BYTES = 16 << 20

_Result = TypeVar("_Result")


class Answer(msgspec.Struct, frozen=True):
    """A whole response."""

    status: int
    content_type: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def html(self) -> bool:
        return "html" in self.content_type or self.body[:256].lstrip().lower().startswith(
            (b"<!doctype", b"<html")
        )

    def json(self) -> Any:
        """The decoded body, None when it is no JSON."""
        return loads(self.body)


class Refused(Exception):
    """The server answered, and did not do what was asked."""

    def __init__(
        self, status: int, text: str, html: bool = False, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"HTTP {status}: {text}")
        self.status = status
        self.text = text
        self.html = html
        self.headers = headers or {}


class Client:
    """Asks one server. Counts `requests`; no keep-alive, no redirects, no proxy, no cookies of its own."""

    def __init__(
        self, target: Target, api_key: ApiKey | None, http: httpx.AsyncClient, base_url: str
    ) -> None:
        self.target = target
        self.requests = 0
        self.has_key = api_key is not None
        self._headers = headers(target, api_key)
        self._mask = redactor_of(self._headers)
        self._http = http
        self._base_url = base_url

    def safe(self, text: str, limit: int = 200) -> str:
        """Text of the server, without control characters and without our key, should it echo it."""
        return printable(self._mask.text(text), limit)

    def failure(self, message: str) -> ProbeError:
        proxy = self.target.proxy
        # Of a tunnel the proxy's words are told apart from the server's; here they look the same.
        if proxy is not None and not self.target.address.tls and "the proxy" not in message:
            message += f" (through the proxy at {proxy.host}:{proxy.port}, which may be what answers)"
        return ProbeError(f"{self.target.url}: {message}", 3)

    async def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """One request, its response read whole, whatever its status.

        Raises:
            ProbeError: there was no response.
        """
        return await self._guarded(self._ask(method, path, body), QUESTION_S)

    async def stream(self, endpoint: Endpoint, body: bytes) -> Streamed:
        """One streaming request, read to its end.

        Raises:
            Refused: a status other than 200, or an error inside the stream.
            ProbeError: there was no response, or no event stream.
        """
        return await self._guarded(self._stream(endpoint, body), STREAM_S)

    async def _guarded(self, asking: Coroutine[Any, Any, _Result], limit_s: float) -> _Result:
        self.requests += 1
        try:
            return await asyncio.wait_for(asking, limit_s)
        except (asyncio.TimeoutError, httpx.TimeoutException) as error:
            if isinstance(error, httpx.ConnectTimeout):
                tail = "; does it speak TLS?" if self.target.address.tls else ""
                raise self.failure(f"no connection within {CONNECT_S:g} s{tail}") from None
            raise self.failure(f"no answer within {limit_s:g} s; is the server stuck?") from None
        except SseLimitError as error:
            raise self.failure(str(error)) from None
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:
            raise self.failure(self.safe(explain(error, self.target))) from None

    async def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        url = self._base_url + path
        async with self._http.stream(method, url, content=body, headers=self._headers) as response:
            return await self._whole(response)

    async def _whole(self, response: httpx.Response) -> Answer:
        data = b""
        async for piece in response.aiter_bytes():
            data += piece
            if len(data) > MAX_BODY_BYTES:
                raise self.failure(f"an answer of more than {MAX_BODY_BYTES >> 20} MiB")
        return Answer(response.status_code, _content_type(response), _lower(response.headers), data)

    async def _stream(self, endpoint: Endpoint, body: bytes) -> Streamed:
        began_ns = monotonic_ns()
        url = self._base_url + endpoint.path
        async with self._http.stream("POST", url, content=body, headers=self._headers) as response:
            if response.status_code != 200:
                answer = await self._whole(response)
                raise Refused(answer.status, self.safe(words(answer), 400), answer.html, answer.headers)
            content_type = _content_type(response)
            if not content_type.startswith("text/event-stream"):
                answer = await self._whole(response)
                if answer.html:
                    raise self.failure("not an OpenAI-compatible server: it answers with a web page")
                kind = self.safe(content_type or "no content type", 60)
                raise self.failure(f"the answer is no event stream ({kind}); need a server that streams")
            reader = StreamReader(endpoint, began_ns)
            async for piece in response.aiter_bytes():
                reader.feed(piece)
            return self._streamed(reader, _lower(response.headers))

    def _streamed(self, reader: StreamReader, answer_headers: dict[str, str]) -> Streamed:
        streamed = reader.close(answer_headers)
        if reader.error is not None:
            raise Refused(200, self.safe(reader.error, 400))
        if not streamed.warm_up.chunks and streamed.finish_reason is None:
            raise self.failure("the stream ended without a token and without saying why")
        return streamed


@asynccontextmanager
async def client(target: Target, api_key: ApiKey | None) -> AsyncIterator[Client]:
    """A client for `target`.

    Raises:
        ProbeError: the CA file cannot be used.
    """
    address = target.address
    # Without TLS no certificates are loaded: that alone takes 20 ms.
    verify: ssl.SSLContext | bool = False
    if address.tls:
        try:
            verify = tls_context.context(address.ca_file, address.insecure)
        except OSError as error:
            why = printable(error.strerror or str(error), 80)
            if isinstance(error, ssl.SSLError):
                why = "it holds no certificate in PEM form"
            raise ProbeError(f"--ca {printable(address.ca_file or '')}: {why}", 2) from None
    transport = httpx.AsyncHTTPTransport(
        verify=verify,
        trust_env=False,
        # A fresh connection each time: llama.cpp closes kept-alive ones without saying so.
        limits=httpx.Limits(max_keepalive_connections=0),
        uds=address.unix_path,
        proxy=None if target.proxy is None else proxy_url(target.proxy),
    )
    scheme = "https" if address.tls else "http"
    timeout = httpx.Timeout(STREAM_S, connect=CONNECT_S)
    async with httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as http:
        yield Client(target, api_key, http, f"{scheme}://{target.host_header}{target.base_path}")


def proxy_url(proxy: Address) -> str:
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    return f"http://{host}:{proxy.port}"


def _lower(given: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in given.items()}


def _content_type(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "")).lower()


def words(answer: Answer) -> str:
    """What an answer that is no success says, not yet made safe: the message inside JSON, else its body."""
    decoded = answer.json()
    if isinstance(decoded, dict):
        error = error_of(decoded)
        if error is not None:
            return error.message
        if isinstance(decoded.get("message"), str):
            return str(decoded["message"])
    if answer.html:
        return "a web page"
    return answer.body[:400].decode("utf-8", "replace").strip()
