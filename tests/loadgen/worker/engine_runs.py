"""Runs an engine against a server in the same test, and gives back all it emitted."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from loadgen.arrivals.load import ClosedLoad, OpenLoad
from loadgen.arrivals.rate_curve import steady
from loadgen.clock import MonotonicClock, monotonic_ns
from loadgen.records import Request, Tick, WorkerNote
from loadgen.transport.pool import Pool
from loadgen.worker.engine import Engine
from loadgen.worker_config import Address, Deadlines, Finish, WorkerConfig
from loadgen.workload.lengths import Fixed
from loadgen.workload.spec import PromptSpec, SyntheticWorkload
from loadgen.workload.template import RequestTemplate
from tests.loadgen.raw_server import RawServer, Script


@dataclass
class Emitted:
    ticks: list[Tick] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    notes: list[WorkerNote] = field(default_factory=list)

    def __call__(self, record: object) -> None:
        for kind, kept in ((Tick, self.ticks), (Request, self.requests), (WorkerNote, self.notes)):
            if isinstance(record, kind):
                kept.append(record)  # type: ignore[arg-type]

    def total(self, name: str) -> int:
        return sum(getattr(tick, name) for tick in self.ticks)

    def errors(self) -> dict[str, int]:
        gathered: dict[str, int] = {}
        for tick in self.ticks:
            for kind, count in tick.errors.items():
                gathered[kind] = gathered.get(kind, 0) + count
        return gathered


def worker_config(port: int, load: OpenLoad | ClosedLoad | None = None, **changes: Any) -> WorkerConfig:
    """A config for a server on `port`: 100 constant requests per second unless told otherwise."""
    made = WorkerConfig(
        worker=0,
        workers=1,
        origin_ns=monotonic_ns(),
        address=Address("127.0.0.1", port),
        template=RequestTemplate(
            path="/v1/completions",
            headers=[("host", f"127.0.0.1:{port}"), ("content-type", "application/json")],
            endpoint="completions",
            fields={"model": "m", "stream": True},
        ),
        workload=SyntheticWorkload(PromptSpec(form="ids", tokens=8), Fixed(8), Fixed(3)),
        load=load or OpenLoad("constant", [steady(0, 100.0)]),
        start_ns=0,
        deadlines=Deadlines(connect_s=2.0),
    )
    return msgspec.structs.replace(made, **changes)


async def run_engine(
    config: WorkerConfig,
    during: Callable[[Engine, Emitted], Awaitable[None]] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    where: list[tuple[socket.AddressFamily, object]] | None = None,
    turn: int | None = None,
) -> Emitted:
    """Until the load has come to its end by itself, or `during` has returned; then all is drained."""
    loop = asyncio.get_running_loop()
    emitted = Emitted()
    clock = MonotonicClock(config.origin_ns)
    address = config.address
    pool = Pool(
        loop,
        clock,
        where or [(socket.AF_INET, (address.host, address.port))],
        tls,
        address.server_name or address.host,
        config.deadlines.connect_s,
        address.tunnel,
        turn,
    )
    more = [
        Pool(loop, clock, [(socket.AF_INET, (to.address.host, to.address.port))], beside=pool)
        for to in config.targets[1:]
    ]
    engine = Engine(config, clock, loop, pool, emitted, more_pools=more)
    engine.start()
    if during is not None:
        await during(engine, emitted)
    else:
        await asyncio.wait_for(engine.idle.wait(), 20)
    if not engine.ended.is_set():
        engine.command(Finish(5.0))
    await asyncio.wait_for(engine.ended.wait(), 20)
    return emitted


def run(script: Script, **changes: object) -> tuple[Emitted, RawServer]:
    """What an engine makes of a server that answers by `script`, and that server; until the load is over."""

    async def body() -> tuple[Emitted, RawServer]:
        async with RawServer(script) as server:
            return await run_engine(worker_config(server.port, **changes)), server  # type: ignore[arg-type]

    return asyncio.run(body())


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
