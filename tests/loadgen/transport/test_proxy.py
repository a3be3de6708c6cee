"""A load through an HTTP proxy: the request names the server, and only a proxy that was asked for is used."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from loadgen.arrivals.load import ClosedLoad
from loadgen.probe.result import ProbeError
from loadgen.target.url import TargetError, headers, parse_target
from loadgen.workload.template import RequestTemplate
from tests.loadgen.probe.probe_runs import short_probe
from tests.loadgen.raw_server import RawServer, good
from tests.loadgen.worker.engine_runs import run_engine, worker_config


def test_without_a_proxy_the_request_names_the_path_alone() -> None:
    target = parse_target("http://llm.example:8000/base/v1")
    assert target.hop == target.address
    assert target.request_target("/base/v1/completions") == "/base/v1/completions"


def test_through_a_proxy_the_request_names_the_server_and_the_connection_goes_to_the_proxy() -> None:
    target = parse_target("http://llm.example:8000/base", proxy="http://proxy.example:3128")
    assert (target.hop.host, target.hop.port) == ("proxy.example", 3128)
    assert target.request_target("/base/v1/completions") == "http://llm.example:8000/base/v1/completions"
    assert ("host", "llm.example:8000") in headers(target, None)


@pytest.mark.parametrize(
    ("url", "proxy", "words"),
    [
        ("unix:/run/s.sock", "http://proxy:3128", "no proxy leads to it"),
        ("http://llm.example", "proxy:3128", "--proxy: proxy:3128: the URL needs a scheme"),
        ("http://llm.example", "https://proxy:3128", "need an address such as http://proxy:3128"),
        ("http://llm.example", "http://proxy:3128/path", "need an address such as http://proxy:3128"),
        (
            "http://llm.example",
            "http://me:secret@proxy:3128",
            "need one that asks for no user name or password",
        ),
        ("http://llm.example", "http://me:12/secret@proxy:3128", "--proxy: http://***@proxy:3128: need one"),
        ("http://[::1]:8000", "http://proxy:3128", "an IPv6 address is none: need a name"),
        ("https://[::1]:8000", "http://proxy:3128", "an IPv6 address is none: need a name"),
    ],
)
def test_a_proxy_that_cannot_carry_the_load_is_refused_in_words(url: str, proxy: str, words: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_target(url, proxy=proxy)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "TTFTOP_API_KEY" not in str(caught.value), "the proxy's password is no key for the server"


@pytest.mark.parametrize("status", [403, 407, 502])
def test_what_may_be_the_proxys_own_answer_names_the_proxy(status: int) -> None:
    async def body() -> None:
        answer = b"HTTP/1.1 %d No\r\ncontent-length: 0\r\n\r\n" % status
        async with RawServer(lambda number, sent: [answer]) as proxy:
            target = parse_target("http://llm.example", proxy=f"http://127.0.0.1:{proxy.port}")
            await short_probe(target, endpoint="auto")

    with pytest.raises(ProbeError, match=r"through the proxy at 127\.0\.0\.1:\d+, which may be what answers"):
        asyncio.run(body())


def test_the_load_reaches_the_proxy_with_the_absolute_form() -> None:
    async def body() -> tuple[list[bytes], int]:
        async with RawServer(lambda number, sent: good()) as proxy:
            target = parse_target("http://llm.example:8000", proxy=f"http://127.0.0.1:{proxy.port}")
            template = RequestTemplate(
                path=target.request_target("/v1/completions"),
                headers=headers(target, None),
                endpoint="completions",
                fields={"model": "m", "stream": True},
            )
            emitted = await run_engine(
                worker_config(
                    target.hop.port, ClosedLoad(1), requests=2, address=target.hop, template=template
                )
            )
            return proxy.heads, emitted.total("succeeded")

    heads, succeeded = asyncio.run(body())
    assert succeeded == 2
    for head in heads:
        assert head.startswith(b"POST http://llm.example:8000/v1/completions HTTP/1.1\r\n")
        assert b"\r\nhost: llm.example:8000\r\n" in head


class ForwardingProxy:
    """An HTTP proxy that takes absolute forms and fetches them with httpx."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __aenter__(self) -> ForwardingProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._http = httpx.AsyncClient(trust_env=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._http.aclose()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            method, url, _ = lines[0].split(" ")
            self.asked.append(url)
            given = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
            length = int({name.lower(): value for name, value in given.items()}.get("content-length", 0))
            answer = await self._http.request(
                method,
                url,
                content=await reader.readexactly(length),
                headers={"content-type": "application/json"},
            )
            kind = answer.headers.get("content-type", "text/plain")
            writer.write(
                f"HTTP/1.1 {answer.status_code} X\r\ncontent-type: {kind}\r\nconnection: close\r\n"
                f"content-length: {len(answer.content)}\r\n\r\n".encode()
                + answer.content
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def test_the_probe_asks_through_the_proxy_and_hands_the_load_the_absolute_form(simulator_url: str) -> None:
    async def body() -> tuple[list[str], str]:
        async with ForwardingProxy() as proxy:
            target = parse_target(simulator_url, proxy=proxy.url)
            probed = await short_probe(target)
            return proxy.asked, probed.template.path

    asked, path = asyncio.run(body())
    assert path == f"{simulator_url}/v1/completions"
    assert len(asked) >= 2
    assert all(url.startswith(simulator_url) for url in asked)


def test_a_proxy_that_is_not_there_is_named_and_not_the_server() -> None:
    async def body() -> None:
        target = parse_target("http://llm.example", proxy="http://127.0.0.1:9")
        await short_probe(target, endpoint="auto")

    with pytest.raises(ProbeError, match=r"is the proxy at 127\.0\.0\.1:9 running"):
        asyncio.run(body())
