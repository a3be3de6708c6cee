"""The timed transport under httpx's own client: bodies, times, connections, and errors of httpx's kinds."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from loadgen.transport.httpx_adapter import SENT, TIMES, TimedTransport
from tests.loadgen.raw_server import FIN, HEAD, RST, RawServer, Script, Step, chunked, good, sse, token

Body = Callable[[httpx.AsyncClient, str], Awaitable[Any]]


def over(script: Script, body: Body, **client: Any) -> tuple[Any, RawServer]:
    """What `body(client, url)` returns, with a scripted server at the url."""

    async def run() -> tuple[Any, RawServer]:
        async with (
            RawServer(script) as server,
            httpx.AsyncClient(transport=TimedTransport(), **client) as http,
        ):
            return await body(http, f"http://127.0.0.1:{server.port}/v1/x?a=b"), server

    return asyncio.run(run())


async def post(http: httpx.AsyncClient, url: str) -> httpx.Response:
    return await http.post(url, json={"n": 1})


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> list[Step]:
    lines = [b"HTTP/1.1 " + status, b"content-length: %d" % len(body), *headers]
    return [b"\r\n".join(lines) + b"\r\n\r\n" + body]


def test_a_whole_response_is_what_the_server_sent() -> None:
    response, server = over(
        lambda n, b: answer(b'{"ok":true}', b"content-type: application/json", b"x-a: b"), post
    )
    assert response.status_code == 200
    assert response.json() == {"ok": True}
    assert response.headers["x-a"] == "b"
    assert response.http_version == "HTTP/1.1"
    assert json.loads(server.bodies[0]) == {"n": 1}
    head = server.heads[0]
    assert head.startswith(b"POST /v1/x?a=b HTTP/1.1\r\n")
    assert head.lower().count(b"content-length:") == 1
    assert f"host: 127.0.0.1:{server.port}".encode() in head.lower()


@pytest.mark.usefixtures("kernel_stamps")
def test_each_piece_has_the_time_at_which_it_came() -> None:
    async def body(http: httpx.AsyncClient, url: str) -> tuple[list[tuple[bytes, int]], httpx.Response]:
        async with http.stream("POST", url, json={}) as response:
            got = []
            async for piece in response.aiter_raw():
                got.append((piece, response.extensions[TIMES][-1].t_ns))
                time.sleep(0.05)  # noqa: ASYNC251  a consumer that blocks its loop: the times must not be late for that
            return got, response

    before = time.monotonic_ns()
    script: list[Step] = [HEAD]
    for _ in range(5):
        script += [chunked(sse(token()), end=False), 0.02]
    (got, response), _ = over(lambda n, b: [*script, chunked()], body)
    assert b"".join(piece for piece, _ in got) == sse(token()) * 5
    times = response.extensions[TIMES]
    assert [(len(piece), t_ns) for piece, t_ns in got] == [(t.size, t.t_ns) for t in times]
    assert before < response.extensions[SENT] < times[0].t_ns
    assert [t.t_ns for t in times] == sorted(t.t_ns for t in times)
    assert any(t.by_kernel for t in times) or not Path("/proc").exists()


@pytest.mark.usefixtures("kernel_stamps")
def test_times_are_the_kernels_though_the_loop_was_busy(simulator_url: str) -> None:
    async def run() -> tuple[list[int], list[int]]:
        async with (
            httpx.AsyncClient(transport=TimedTransport()) as http,
            http.stream(
                "POST",
                f"{simulator_url}/v1/completions",
                json={
                    "model": "sim-small",
                    "prompt": [5] * 8,
                    "max_tokens": 40,
                    "ignore_eos": True,
                    "stream": True,
                },
            ) as response,
        ):
            read_ns = []
            text = b""
            async for piece in response.aiter_raw():
                read_ns.append(time.monotonic_ns())
                text += piece
                if len(read_ns) == 1:
                    time.sleep(0.2)  # noqa: ASYNC251  the simulator goes on meanwhile; we do not read
            assert text.rstrip().endswith(b"[DONE]")
            return read_ns, [piece.t_ns for piece in response.extensions[TIMES]]

    read_ns, times_ns = asyncio.run(run())
    assert all(t <= read for t, read in zip(times_ns, read_ns, strict=True))
    late = [read - t for t, read in zip(times_ns, read_ns, strict=True)]
    assert max(late) >= 50_000_000, "what came while we slept is not timed by when we read it"


def test_connections_are_kept_and_used_again_and_closed_when_left_unread() -> None:
    async def body(http: httpx.AsyncClient, url: str) -> None:
        for _ in range(3):
            await post(http, url)
        async with http.stream("POST", url, json={}) as response:
            assert response.status_code == 200  # and nothing of the body is read
        await post(http, url)

    _, server = over(
        lambda n, b: answer(b"x" * 10) if n != 3 else [HEAD, chunked(b"a", end=False), 0.05, chunked()], body
    )
    assert len(server.bodies) == 5
    assert server.connections == 2


def test_many_requests_at_once_share_one_transport() -> None:
    async def body(http: httpx.AsyncClient, url: str) -> list[int]:
        responses = await asyncio.gather(*(post(http, url) for _ in range(50)))
        return [response.status_code for response in responses]

    codes, server = over(lambda n, b: [0.02, *answer(b"ok")], body)
    assert codes == [200] * 50
    assert len(server.bodies) == 50


def test_a_packed_body_is_unpacked_by_httpx_as_ever() -> None:
    packed = gzip.compress(b"plain words" * 100)
    response, _ = over(lambda n, b: answer(packed, b"content-encoding: gzip"), post)
    assert response.content == b"plain words" * 100


def test_a_body_given_in_parts_is_sent_with_its_length() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cd"

    async def body(http: httpx.AsyncClient, url: str) -> httpx.Response:
        return await http.post(url, content=parts())

    _, server = over(lambda n, b: answer(b""), body)
    assert server.bodies == [b"abcd"]
    assert b"transfer-encoding" not in server.heads[0].lower()


def test_get_and_head_have_no_body(simulator_url: str) -> None:
    async def run() -> tuple[httpx.Response, list[httpx.Response]]:
        async with httpx.AsyncClient(transport=TimedTransport()) as http:
            models = await http.get(f"{simulator_url}/v1/models")
            heads = [await http.head(f"{simulator_url}/v1/models") for _ in range(2)]
            return models, heads

    models, heads = asyncio.run(asyncio.wait_for(run(), 20))
    assert models.json()["data"][0]["id"] == "sim-small"
    assert [head.content for head in heads] == [b"", b""]


FAILURES: list[tuple[str, list[Step], type[Exception]]] = [
    ("closed in the middle", [HEAD, chunked(b"a", end=False), FIN], httpx.RemoteProtocolError),
    ("reset in the middle", [HEAD, chunked(b"a", end=False), 0.02, RST], httpx.ReadError),
    ("closed without an answer", [FIN], httpx.RemoteProtocolError),
    ("not HTTP", [b"SSH-2.0-OpenSSH\r\n"], httpx.RemoteProtocolError),
    ("huge headers", [b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n"], httpx.RemoteProtocolError),
    ("no headers in time", [30.0], httpx.ReadTimeout),
    ("a body that stops", [HEAD, chunked(b"a", end=False), 30.0], httpx.ReadTimeout),
]


@pytest.mark.parametrize(("script", "kind"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
def test_what_breaks_raises_what_httpx_would_raise(script: list[Step], kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        over(lambda n, b: script, post, timeout=httpx.Timeout(5, read=0.3))
    assert str(caught.value) != ""


def test_nothing_at_the_port_is_a_connect_error_and_an_unknown_name_too() -> None:
    async def run(url: str) -> None:
        async with httpx.AsyncClient(transport=TimedTransport()) as http:
            await http.get(url)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening
        with pytest.raises(httpx.ConnectError):
            asyncio.run(run(f"http://127.0.0.1:{taken.getsockname()[1]}/"))
    with pytest.raises(httpx.UnsupportedProtocol):
        asyncio.run(run("ftp://127.0.0.1/"))


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_closing_the_transport_leaves_no_descriptor_of_those_that_never_connected() -> None:
    async def run(url: str) -> None:
        async with httpx.AsyncClient(transport=TimedTransport()) as http:
            for _ in range(5):
                with pytest.raises(httpx.ConnectError):
                    await http.get(url)
            before.append(descriptors())
        after.append(descriptors())

    before: list[int] = []
    after: list[int] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        asyncio.run(run(f"http://127.0.0.1:{taken.getsockname()[1]}/"))
    # each had an epoll of its own
    assert before[0] - after[0] == 5


def test_a_handshake_that_never_ends_is_a_connect_timeout() -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
            timeout = httpx.Timeout(5, connect=0.2)
            async with httpx.AsyncClient(transport=TimedTransport(verify=False), timeout=timeout) as http:
                await http.get(url)

    with pytest.raises(httpx.ConnectTimeout):
        asyncio.run(run())


@pytest.mark.parametrize(("method", "sent"), [("PUT", 3), ("POST", 2)])
def test_a_stale_connection_is_repeated_only_where_repeating_is_safe(method: str, sent: int) -> None:
    async def body(http: httpx.AsyncClient, url: str) -> int:
        await http.request(method, url, content=b"1")
        try:
            return (await http.request(method, url, content=b"2")).status_code
        except httpx.RemoteProtocolError:
            return 0

    code, server = over(lambda n, b: [FIN] if n == 1 else answer(b"ok"), body)
    assert len(server.bodies) == sent
    assert code == (200 if method == "PUT" else 0)


@pytest.mark.parametrize("value", [b"a\r\nx: y", b"a\nb", b"a\x00b"])
def test_a_header_that_would_smuggle_another_is_refused_without_its_value(value: bytes) -> None:
    async def body(http: httpx.AsyncClient, url: str) -> None:
        await http.post(url, headers=[(b"authorization", b"sk-secret" + value)], content=b"")

    with pytest.raises(httpx.LocalProtocolError) as caught:
        over(lambda n, b: answer(b""), body)
    assert "sk-secret" not in str(caught.value)
    assert "authorization" in str(caught.value)


def tls_server(name: str, tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server for `name`, and of a client that trusts it."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


@pytest.mark.parametrize("trusted", [True, False])
def test_tls_is_verified_and_keeps_the_kernels_times(trusted: bool, tmp_path: Path) -> None:
    serving, trusting = tls_server("127.0.0.1", tmp_path)

    async def run() -> httpx.Response:
        server = RawServer(lambda n, b: good(4))
        server._server = await asyncio.start_server(server._serve, "127.0.0.1", 0, ssl=serving)
        port = server._server.sockets[0].getsockname()[1]
        try:
            transport = TimedTransport(verify=trusting if trusted else True)
            async with httpx.AsyncClient(transport=transport) as http:
                return await http.post(f"https://127.0.0.1:{port}/", json={})
        finally:
            await server.__aexit__()

    if not trusted:
        with pytest.raises(httpx.ConnectError):
            asyncio.run(run())
        return
    response = asyncio.run(run())
    assert response.text.count('"text":"x"') == 4
    assert sum(piece.size for piece in response.extensions[TIMES]) == len(response.content)


def test_a_unix_socket_is_connected_to_in_place_of_the_host(tmp_path: Path) -> None:
    path = str(tmp_path / "s.sock")

    async def run() -> httpx.Response:
        server = RawServer(lambda n, b: answer(b"by path"))
        server._server = await asyncio.start_unix_server(server._serve, path)
        try:
            async with httpx.AsyncClient(transport=TimedTransport(unix_path=path)) as http:
                return await http.post("http://localhost/", json={})
        finally:
            await server.__aexit__()

    response = asyncio.run(run())
    assert response.text == "by path"
    assert not response.extensions[TIMES][0].by_kernel


def test_a_request_that_is_cancelled_leaves_no_connection_behind() -> None:
    async def body(http: httpx.AsyncClient, url: str) -> int:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(post(http, url), 0.1)
        return (await post(http, url)).status_code

    code, server = over(lambda n, b: [30.0] if n == 0 else answer(b"ok"), body)
    assert (code, server.connections) == (200, 2)
