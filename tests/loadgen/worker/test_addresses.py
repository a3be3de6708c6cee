"""A server of several addresses under load: each has its part, and one that dies costs no request more."""

from __future__ import annotations

import asyncio
import socket

from loadgen.arrivals.load import OpenLoad
from loadgen.arrivals.rate_curve import steady
from loadgen.clock import MonotonicClock, monotonic_ns, sleep_ns
from loadgen.transport.pool import Pool
from loadgen.worker.engine import Engine
from tests.loadgen.raw_server import RawServer, good
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config


class At(RawServer):
    """The same server at another address of this machine."""

    def __init__(self, ip: str, port: int = 0) -> None:
        super().__init__(lambda n, body: good(), port)
        self.ip = ip

    async def __aenter__(self) -> At:
        self._server = await asyncio.start_server(self._serve, self.ip, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self


def where(*servers: At) -> list[tuple[socket.AddressFamily, object]]:
    return [(socket.AF_INET, (server.ip, server.port)) for server in servers]


def test_requests_go_to_each_address_in_turn_over_kept_connections_too() -> None:
    async def body() -> tuple[Emitted, list[int], list[int]]:
        async with At("127.0.0.1") as one, At("127.0.0.2", one.port) as two:
            load = OpenLoad("constant", [steady(0, 200.0)])
            config = worker_config(one.port, load, requests=30)
            emitted = await run_engine(config, where=where(one, two), turn=0)
            return emitted, [len(one.bodies), len(two.bodies)], [one.connections, two.connections]

    emitted, served, connections = asyncio.run(body())
    assert emitted.errors() == {}
    assert served == [15, 15]
    assert sum(connections) < 30


def test_an_address_that_dies_is_left_aside_with_a_note_and_tried_again() -> None:
    async def body() -> Emitted:
        async with At("127.0.0.1") as one, At("127.0.0.2", one.port) as two:

            async def during(engine: Engine, emitted: Emitted) -> None:
                while len(two.bodies) < 5:
                    await asyncio.sleep(0)
                await two.__aexit__()
                while "address_lost" not in [note.event for note in emitted.notes]:
                    await asyncio.sleep(0)
                async with At("127.0.0.2", one.port):
                    while "address_back" not in [note.event for note in emitted.notes]:
                        await asyncio.sleep(0.01)
                await asyncio.wait_for(engine.idle.wait(), 20)

            load = OpenLoad("constant", [steady(0, 100.0)])
            config = worker_config(one.port, load, end_ns=1_200_000_000)
            return await run_engine(config, during, where=where(one, two), turn=0)

    emitted = asyncio.run(asyncio.wait_for(body(), 30))
    lost = next(note for note in emitted.notes if note.event == "address_lost")
    assert lost.message.startswith("127.0.0.2 (Connection refused")
    # What met the closed port went to the other address; the few that failed were under way at that moment.
    failed = [r for r in emitted.requests if r.error is not None]
    assert len(failed) < len(emitted.requests) / 4
    assert "connect_refused" not in emitted.errors()
    indices = [r.index for r in emitted.requests]
    assert sorted(indices) == sorted(set(indices))
    assert "backing_off" not in [note.event for note in emitted.notes]


def test_a_client_that_stood_still_does_not_take_connections_that_stand_for_late() -> None:
    async def body() -> str:
        async with RawServer(lambda n, body: good()) as server:
            loop = asyncio.get_running_loop()
            made = [(socket.AF_INET, ("127.0.0.1", server.port))]
            pool = Pool(loop, MonotonicClock(monotonic_ns()), made, connect_s=0.05)  # type: ignore[arg-type]
            told: asyncio.Future[str] = loop.create_future()
            pool.open(lambda connection: told.set_result("open"), lambda kind, _: told.set_result(kind))
            sleep_ns(400_000_000)
            try:
                return await asyncio.wait_for(told, 20)
            finally:
                pool.close()

    assert asyncio.run(body()) == "open"
