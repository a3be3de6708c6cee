"""Sockets of other kinds: TLS verified by default, Unix sockets, several addresses, stamps of the kernel."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from pathlib import Path

import pytest
import trustme

from loadgen.arrivals.load import ClosedLoad
from loadgen.clock import MonotonicClock, monotonic_ns, realtime_to_monotonic_ns
from loadgen.target.tls_context import context
from loadgen.transport.receive_times import ANCILLARY_BYTES, TimedReader, ask_for_stamps, stamp_in
from loadgen.worker_config import Address
from tests.loadgen.raw_server import RawServer, good
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config


class TlsServer(RawServer):
    def __init__(self, script: object, ctx: ssl.SSLContext) -> None:
        super().__init__(script)  # type: ignore[arg-type]
        self._ctx = ctx

    async def __aenter__(self) -> RawServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._ctx)
        self.port = self._server.sockets[0].getsockname()[1]
        return self


def tls_run(name: str, *, trusted: bool, tmp_path: Path) -> Emitted:
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(server_side)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))

    async def body() -> Emitted:
        async with TlsServer(lambda n, b: good(4), server_side) as server:
            config = worker_config(
                server.port,
                ClosedLoad(1),
                requests=3,
                address=Address("127.0.0.1", server.port, tls=True, server_name="llm.example"),
            )
            return await run_engine(config, tls=context(str(ca_file) if trusted else None, insecure=False))

    return asyncio.run(body())


@pytest.mark.usefixtures("kernel_stamps")
def test_tls_carries_streams_with_the_kernels_times(tmp_path: Path) -> None:
    emitted = tls_run("llm.example", trusted=True, tmp_path=tmp_path)
    assert emitted.errors() == {}
    assert [r.chunks for r in emitted.requests] == [4, 4, 4]
    assert emitted.total("kernel_reads") > 0
    assert emitted.total("connects") == 1


@pytest.mark.parametrize(("name", "trusted"), [("llm.example", False), ("other.example", True)])
def test_an_unknown_authority_or_another_name_is_a_tls_failure(
    name: str, trusted: bool, tmp_path: Path
) -> None:
    emitted = tls_run(name, trusted=trusted, tmp_path=tmp_path)
    assert set(emitted.errors()) == {"tls"}
    assert emitted.requests[0].error is not None
    assert emitted.requests[0].sent_ns is None


def test_a_unix_socket_works_with_times_of_the_read(tmp_path: Path) -> None:
    path = str(tmp_path / "llm.sock")

    async def body() -> Emitted:
        server = RawServer(lambda n, b: good(3))
        server._server = await asyncio.start_unix_server(server._serve, path)
        emitted = await run_engine(
            worker_config(1, ClosedLoad(1), requests=5), where=[(socket.AF_UNIX, path)]
        )
        await server.__aexit__()
        return emitted

    emitted = asyncio.run(body())
    assert emitted.total("succeeded") == 5
    assert emitted.total("kernel_reads") == 0


def test_the_second_address_is_tried_when_the_first_refuses_and_then_kept() -> None:
    async def body() -> Emitted:
        async with RawServer(lambda n, b: good()) as server:
            with socket.socket() as closed:
                closed.bind(("127.0.0.1", 0))
                dead = closed.getsockname()
                where = [(socket.AF_INET, dead), (socket.AF_INET, ("127.0.0.1", server.port))]
                return await run_engine(worker_config(server.port, ClosedLoad(2), requests=6), where=where)

    emitted = asyncio.run(body())
    assert emitted.errors() == {}
    assert emitted.total("succeeded") == 6


@pytest.mark.usefixtures("kernel_stamps")
def test_a_kernel_stamp_lies_between_the_send_and_a_read_made_much_later() -> None:
    left, right = socket.socketpair(socket.AF_UNIX)
    left.close()
    right.close()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = socket.create_connection(listener.getsockname())
        receiver, _ = listener.accept()
    with sender, receiver:
        if not ask_for_stamps(receiver):
            pytest.skip("this system does not stamp what it receives")
        clock = MonotonicClock(monotonic_ns())
        reader = TimedReader(clock)
        reader.refresh()
        stamped = 0
        for _ in range(20):
            before = clock.now_ns()
            sender.send(b"x")
            after = clock.now_ns()
            time.sleep(0.02)  # the reader is late on purpose: the stamp must not be
            data, ancillary, _, _ = receiver.recvmsg(100, ANCILLARY_BYTES)
            t_ns, by_kernel = reader.time_of(stamp_in(ancillary), clock.now_ns())
            assert data == b"x"
            if by_kernel:
                stamped += 1
                assert before - 200_000 <= t_ns <= after + 5_000_000
        assert stamped >= 15


def test_the_clock_offset_is_stated_with_its_error() -> None:
    offset, error = realtime_to_monotonic_ns()
    assert 0 < error < 1_000_000
    assert abs((time.time_ns() - time.monotonic_ns()) - offset) < 5_000_000
