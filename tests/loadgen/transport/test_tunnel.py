"""An https server through an HTTP proxy: a tunnel first, then TLS with the server itself."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest
import trustme

from loadgen.arrivals.load import ClosedLoad
from loadgen.probe.result import ProbeError
from loadgen.target.tls_context import context
from loadgen.target.url import headers, parse_target
from loadgen.transport.tunnel import Tunnel, TunnelRefused
from loadgen.worker_config import Deadlines
from loadgen.workload.template import RequestTemplate
from tests.loadgen.probe.probe_runs import short_probe
from tests.loadgen.raw_server import good
from tests.loadgen.transport.test_connection import TlsServer
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config

_NEVER = b""
_CUT = b"cut"


class TunnelProxy:
    """A proxy that knows CONNECT only: it answers `answer` and passes bytes on if that is 200."""

    def __init__(self, to_port: int, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self._to_port, self._answer = to_port, answer
        self.heads: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> TunnelProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        # Each ends when its client has gone.
        await asyncio.wait_for(asyncio.gather(*self._tasks), 10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            if self._answer == _NEVER:
                await reader.read()
            if self._answer == _CUT:
                return
            # In pieces, as a network may bring it.
            for at in range(0, len(self._answer), 7):
                writer.write(self._answer[at : at + 7])
                await writer.drain()
                await asyncio.sleep(0)
            if b" 200 " in self._answer:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
                await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


def _server_side(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    authority, ca_file = trustme.CA(), tmp_path / "ca.pem"
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("llm.example").configure_cert(server_side)
    authority.cert_pem.write_to_path(str(ca_file))
    return server_side, str(ca_file)


def load_through(
    tmp_path: Path, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n", connect_s: float = 10.0
) -> tuple[Emitted, list[bytes], list[bytes]]:
    """What a load of two requests emits, what the proxy was asked and what the server was."""
    server_side, ca_file = _server_side(tmp_path)

    async def body() -> tuple[Emitted, list[bytes], list[bytes]]:
        async with (
            TlsServer(lambda number, sent: good(4), server_side) as server,
            TunnelProxy(server.port, answer) as proxy,
        ):
            target = parse_target("https://llm.example", ca_file=ca_file, proxy=proxy.url)
            template = RequestTemplate(
                path=target.request_target("/v1/completions"),
                headers=[*headers(target, None), ("authorization", "Bearer sk-CANARY")],
                endpoint="completions",
                fields={"model": "m", "stream": True},
            )
            config = worker_config(
                target.hop.port,
                ClosedLoad(1),
                requests=2,
                address=target.hop,
                template=template,
                deadlines=Deadlines(connect_s=connect_s),
            )
            emitted = await run_engine(config, tls=context(ca_file, insecure=False))
            return emitted, proxy.heads, server.heads

    return asyncio.run(body())


def test_where_connections_go_and_what_they_name() -> None:
    target = parse_target("https://llm.example/base", proxy="http://proxy.example:3128")
    hop = target.hop
    assert (hop.host, hop.port, hop.tls) == ("proxy.example", 3128, True)
    assert (hop.server_name, hop.tunnel) == ("llm.example", "llm.example:443")
    assert target.request_target("/base/v1/models") == "/base/v1/models"


def test_a_load_goes_through_the_tunnel_and_the_key_only_to_the_server(tmp_path: Path) -> None:
    emitted, asked, served = load_through(tmp_path)
    assert emitted.errors() == {}
    assert [request.chunks for request in emitted.requests] == [4, 4]
    assert asked == [b"CONNECT llm.example:443 HTTP/1.1\r\nhost: llm.example:443\r\n\r\n"]
    assert all(head.startswith(b"POST /v1/completions HTTP/1.1\r\n") for head in served)
    assert all(b"sk-CANARY" in head for head in served)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n",
            "the proxy wants a user name or password (HTTP 407), and none is sent",
        ),
        (b"HTTP/1.1 403 Not \x1b]0;here\r\n\r\n", "the proxy refused a tunnel: HTTP 403 Not "),
        (b"HTTP/1.1 503\r\n\r\n", "the proxy refused a tunnel: HTTP 503"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "the proxy's answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "more than its answer"),
        (_CUT, "the proxy closed the connection"),
    ],
)
def test_a_tunnel_that_does_not_open_is_a_connection_that_failed(
    tmp_path: Path, answer: bytes, words: str
) -> None:
    emitted, _, served = load_through(tmp_path, answer)
    assert set(emitted.errors()) == {"connect_failed"}
    error = emitted.requests[0].error
    assert error is not None
    assert words in error.message
    assert "\x1b" not in error.message
    assert served == []


def test_a_proxy_that_never_answers_runs_into_the_deadline_for_connecting(tmp_path: Path) -> None:
    emitted, _, _ = load_through(tmp_path, _NEVER, connect_s=0.2)
    assert set(emitted.errors()) == {"connect_timeout"}


def test_the_probe_takes_the_same_tunnel_and_says_when_the_proxy_wants_credentials(tmp_path: Path) -> None:
    _, ca_file = _server_side(tmp_path)

    async def body() -> list[bytes]:
        async with TunnelProxy(0, b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as proxy:
            target = parse_target("https://llm.example", ca_file=ca_file, proxy=proxy.url)
            with pytest.raises(ProbeError, match=r"wants a user name or password \(HTTP 407\)"):
                await short_probe(target, model="m")
            return proxy.heads

    heads = asyncio.run(body())
    assert all(head.startswith(b"CONNECT llm.example:443 ") for head in heads)


def test_an_endless_answer_of_a_proxy_is_given_up() -> None:
    tunnel = Tunnel("llm.example:443")
    assert not tunnel.feed(b"HTTP/1.1 200 OK\r\n" + b"x" * 65_000)
    with pytest.raises(TunnelRefused, match="more than 65536 bytes"):
        tunnel.feed(b"x" * 1000)


def test_what_a_proxy_says_before_its_answer_is_passed_over() -> None:
    tunnel = Tunnel("llm.example:443")
    assert not tunnel.feed(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 ")
    assert tunnel.feed(b"OK\r\n\r\n")
