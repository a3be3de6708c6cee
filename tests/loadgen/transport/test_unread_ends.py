"""The end of an answer of which much is still unread when the server has gone: no stream waits for it in vain."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import struct
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from loadgen.arrivals.load import ClosedLoad
from loadgen.target.tls_context import context
from loadgen.transport.receive_times import READ_BYTES
from loadgen.worker_config import Address, Deadlines
from tests.loadgen.raw_server import chunked, sse, token
from tests.loadgen.transport.recording_receiver import Bench, RecordingReceiver, until
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config

TOKENS = 2_400
BODY = sse(*[token() for _ in range(TOKENS - 1)], token(finish="length"), "[DONE]")
SSE_TYPE = b"content-type: text/event-stream\r\n"
HTTP_10 = b"HTTP/1.0 200 OK\r\n" + SSE_TYPE + b"\r\n" + BODY
CHUNKED = b"HTTP/1.1 200 OK\r\n" + SSE_TYPE + b"transfer-encoding: chunked\r\n\r\n"
FRAMED = {
    "HTTP/1.0": HTTP_10,
    "until the connection is closed": b"HTTP/1.1 200 OK\r\n" + SSE_TYPE + b"\r\n" + BODY,
    "chunked": CHUNKED + chunked(BODY[:100_000], BODY[100_000:]),
    "chunked, cut behind [DONE]": CHUNKED + chunked(BODY[:100_000], BODY[100_000:], end=False),
    "content-length": b"HTTP/1.1 200 OK\r\n" + SSE_TYPE + b"content-length: %d\r\n\r\n" % len(BODY) + BODY,
}


async def asked(sock: socket.socket) -> None:
    """Until a whole request was read; its body is one read here."""
    loop, data = asyncio.get_running_loop(), b""
    while b"\r\n\r\n{" not in data:
        data += await loop.sock_recv(sock, 65536)


class TlsEnd:
    """The server's end of TLS over a socket whose every write is seen to by the test."""

    def __init__(self, sock: socket.socket, server_side: ssl.SSLContext) -> None:
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = server_side.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def asked(self) -> None:
        """Until a whole request was read."""
        loop, data, shaking = asyncio.get_running_loop(), b"", True
        while b"\r\n\r\n{" not in data:
            try:
                if shaking:
                    self._tls.do_handshake()
                shaking = False
                data += self._tls.read(65536)
            except ssl.SSLWantReadError:
                await loop.sock_sendall(self._sock, self._outgoing.read())
                self._incoming.write(await loop.sock_recv(self._sock, 65536))

    def sealed(self, data: bytes, *, notify: bool) -> bytes:
        """`data` as they go over the wire, behind them a close_notify if there is to be one."""
        self._tls.write(data)
        if notify:
            with pytest.raises(ssl.SSLWantReadError):
                self._tls.unwrap()
        return self._outgoing.read()


def leave(sock: socket.socket, data: bytes, *, reset: bool = False) -> None:
    """Writes all and closes at once, while the client, on the same loop, cannot read."""
    sock.setblocking(True)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sock.sendall(data)
    if reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def run_against(data: bytes, *, reset: bool = False) -> Emitted:
    async def body() -> Emitted:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)

            async def serve() -> None:
                for _ in range(2):
                    sock, _ = await asyncio.get_running_loop().sock_accept(listener)
                    await asked(sock)
                    leave(sock, data, reset=reset)

            serving = asyncio.ensure_future(serve())
            config = worker_config(
                listener.getsockname()[1], ClosedLoad(1), requests=2, deadlines=Deadlines(gap_s=2.0)
            )
            emitted = await run_engine(config)
            serving.cancel()
            return emitted

    return asyncio.run(body())


@pytest.mark.parametrize("data", FRAMED.values(), ids=FRAMED)
def test_an_answer_that_is_unread_when_its_server_has_gone_ends_with_its_last_byte(data: bytes) -> None:
    assert len(data) > 2 * READ_BYTES
    emitted = run_against(data)
    assert emitted.errors() == {}
    assert [r.chunks for r in emitted.requests] == [TOKENS] * 2
    assert not any("left_open" in r.flags for r in emitted.requests), (
        "the end was seen, not waited for in vain"
    )


def run_over_tls(data: bytes, tmp_path: Path, *, notify: bool, close: bool) -> Emitted:
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("llm.example").configure_cert(server_side)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    async def body() -> Emitted:
        with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
            listener.setblocking(False)

            async def serve() -> None:
                sock, _ = await asyncio.get_running_loop().sock_accept(listener)
                end = TlsEnd(stack.enter_context(sock), server_side)
                await end.asked()
                if close:
                    leave(sock, end.sealed(data, notify=notify))
                else:
                    await asyncio.get_running_loop().sock_sendall(sock, end.sealed(data, notify=notify))

            serving = asyncio.ensure_future(serve())
            port = listener.getsockname()[1]
            config = worker_config(
                port,
                ClosedLoad(1),
                requests=1,
                deadlines=Deadlines(gap_s=2.0),
                address=Address("127.0.0.1", port, tls=True, server_name="llm.example"),
            )
            emitted = await run_engine(config, tls=context(str(tmp_path / "ca.pem"), insecure=False))
            await serving
            return emitted

    return asyncio.run(body())


@pytest.mark.parametrize("notify", [False, True])
@pytest.mark.parametrize("data", FRAMED.values(), ids=FRAMED)
def test_over_tls_it_ends_so_too(data: bytes, notify: bool, tmp_path: Path) -> None:
    emitted = run_over_tls(data, tmp_path, notify=notify, close=True)
    assert emitted.errors() == {}
    assert [r.chunks for r in emitted.requests] == [TOKENS]
    assert "left_open" not in emitted.requests[0].flags


def test_a_servers_word_that_no_more_comes_over_tls_is_the_end_also_of_a_connection_it_keeps(
    tmp_path: Path,
) -> None:
    # As asyncio's own servers do: they wait for ours, for half a minute.
    emitted = run_over_tls(FRAMED["until the connection is closed"], tmp_path, notify=True, close=False)
    assert emitted.errors() == {}
    assert [r.chunks for r in emitted.requests] == [TOKENS]
    assert "left_open" not in emitted.requests[0].flags


@pytest.mark.parametrize("reset", [False, True])
def test_a_stream_that_is_cut_with_much_of_it_unread_is_told_as_cut(reset: bool) -> None:
    emitted = run_against(CHUNKED + chunked(BODY[:150_000], end=False), reset=reset)
    assert emitted.errors() == {"cut_mid_stream": 2}


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="rounds need epoll")
def test_ends_behind_much_data_are_told_a_few_at_a_time_while_something_is_about_to_be_due() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, receivers, sent = Bench(stack), [RecordingReceiver() for _ in range(10)], []
            bench.read_loop.read_delay_ns = lambda: -1
            for receiver in receivers:
                far, near = bench.pair(receiver)
                sent.append(far.send(b"x" * 150_000))
                far.close()

                def remove_at_end(data: bytes, near: socket.socket = near) -> None:
                    if not data:
                        bench.read_loop.remove(near)

                receiver.then = remove_at_end
            assert min(sent) > 2 * READ_BYTES
            reads = 0
            while any(receiver.heard[-1:] != [b""] for receiver in receivers):
                bench.read_loop._round()
                before, reads = reads, sum(len(receiver.heard) for receiver in receivers)
                # Four of those epoll tells of, of those that were full before, and of those that are ending.
                assert reads - before <= 12
                await asyncio.sleep(0)
                reads = sum(len(receiver.heard) for receiver in receivers)
            assert [sum(map(len, receiver.heard)) for receiver in receivers] == sent
            assert [receiver.heard.count(b"") for receiver in receivers] == [1] * 10

    asyncio.run(body())


def test_a_socket_that_is_closed_while_its_end_is_waited_for_is_heard_no_more() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, receiver, other = Bench(stack), RecordingReceiver(), RecordingReceiver()
            far, near = bench.pair(receiver)
            far.send(b"x" * 150_000)
            far.close()
            receiver.then = lambda data: bench.read_loop.remove(near)
            await until(lambda: bool(receiver.heard))
            bench.pair(other)[0].send(b"x")
            await until(lambda: bool(other.heard))
            assert list(map(len, receiver.heard)) == [READ_BYTES]

    asyncio.run(body())


def test_a_receiver_that_stays_at_the_end_of_its_stream_is_told_once_and_costs_no_more_rounds() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, receiver = Bench(stack), RecordingReceiver()
            far, _ = bench.pair(receiver)
            far.send(b"x" * 150_000)
            far.close()
            await until(lambda: receiver.heard[-1:] == [b""])
            for _ in range(20):
                await asyncio.sleep(0)
            assert receiver.heard.count(b"") == 1

    asyncio.run(body())
